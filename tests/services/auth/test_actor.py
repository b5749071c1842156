"""Roles and what they bring."""

from __future__ import annotations

import itertools

import pytest

from backend.services.auth.actor import ROLES, SCOPES, reaches, scopes_of


@pytest.mark.parametrize(
    ("role", "needed", "expected"),
    [
        ("viewer", "viewer", True),
        ("viewer", "operator", False),
        ("operator", "viewer", True),
        ("operator", "admin", False),
        ("admin", "operator", True),
        ("admin", "admin", True),
        ("king", "viewer", False),
    ],
)
def test_a_role_includes_those_below_it(role: str, needed: str, expected: bool) -> None:
    assert reaches(role, needed) is expected


def test_each_role_has_at_least_the_scopes_below_it() -> None:
    for lower, higher in itertools.pairwise(ROLES):
        assert scopes_of(lower) <= scopes_of(higher)
    assert scopes_of("admin") == set(SCOPES)
    assert scopes_of("king") == frozenset()


@pytest.mark.parametrize("role", ["operator", "admin"])
def test_operators_and_admins_act_for_people_and_mark_events_critical(role: str) -> None:
    assert {"people:act", "notify:critical"} <= scopes_of(role)
