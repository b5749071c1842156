"""A feature has one word in all layers: folders and modules are named after services, or after what a service holds."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
BACKEND: Final = ROOT / "backend"
HELD_BY: Final = {
    "alert_rules": "alerts",
    "assignment_rules": "inbox",
    "audit": "auth",
    "canned_replies": "inbox",
    "channels": "channel_setup",
    "commands": "intake",
    "consent": "contacts",
    "contact_fields": "contacts",
    "contact_import": "contacts",
    "contact_imports": "contacts",
    "conversation_actions": "inbox",
    "conversation_followup": "inbox",
    "conversation_messages": "inbox",
    "events": "notifications",
    "inbox_work": "inbox",
    "integration_setup": "channel_setup",
    "integrations": "accounts",
    "labels": "inbox",
    "messages": "delivery",
    "meta": "channel_setup",
    "people": "auth",
    "segments": "contacts",
    "sign_in": "auth",
    "suppressions": "contacts",
    "tags": "contacts",
    "telegram": "linking",
    "telegram_campaigns": "campaigns",
    "tokens": "auth",
    "user": "auth",
    "webhook_event": "intake",
}
"""Resources, tables and pages with a word of their own, and the service that holds them."""
MODELS: Final = {
    "job": "job_history",
    "link": "linking",
    "schedule": "scheduling",
    "message": "delivery",
    "sender": "senders",
}
"""Tables whose service is named after what is done with them."""
NO_FEATURE: Final = {
    "http/api": {"docs"},
    "http/schemas": {"base"},
    "http/console": {"kit", "static", "scheduler"},
    "jobs": {"background"},
    "models": set(),
    "commands": {"channels", "demo", "keys"},
    "locales/en": {"console", "console_faults", "console_scheduler"},
}
"""What serves all features of a layer, or sets up the instance. `scheduler` is the page for schedules and jobs."""


def listing(folder: str) -> set[str]:
    """The names of modules, packages and catalogs in a folder of the backend."""
    entries = (BACKEND / folder).iterdir()
    return {path.stem for path in entries if not path.name.startswith(("_", "."))} - NO_FEATURE.get(folder, set())


def service_of(name: str, services: set[str]) -> str | None:
    """The service that a name of another layer stands for; None where it stands for none."""
    word = name.removeprefix("console_")
    for candidate in (word, HELD_BY.get(word), MODELS.get(word), f"{word}s", f"{word[:-1]}ies"):
        if candidate in services:
            return candidate
    return None


@pytest.mark.parametrize("folder", sorted(NO_FEATURE))
def test_every_name_of_a_layer_is_a_services_word(folder: str) -> None:
    services = listing("services")
    assert {name for name in listing(folder) if service_of(name, services) is None} == set()


@pytest.mark.parametrize("folder", ["http/api", "http/console"])
def test_endpoints_and_their_schemas_have_the_same_name(folder: str) -> None:
    words = {HELD_BY.get(name, name) for name in listing(folder)}
    assert words <= listing("services")


def test_schemas_are_named_after_their_endpoints() -> None:
    assert listing("http/schemas") <= listing("http/api")


def test_tests_stand_where_their_services_stand() -> None:
    folders = {path.name for path in (ROOT / "tests/services").iterdir() if path.is_dir() and path.name[0] != "_"}
    # The example channel goes through several services.
    assert folders - {"channels"} <= listing("services")


def test_every_exception_is_needed() -> None:
    names = set().union(*(listing(folder) for folder in NO_FEATURE)) | {
        name.removeprefix("console_") for name in listing("locales/en")
    }
    assert set(HELD_BY) | set(MODELS) <= names
    assert all(kept <= {path.stem for path in (BACKEND / folder).iterdir()} for folder, kept in NO_FEATURE.items())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alerts", "alerts"),
        ("alert", "alerts"),
        ("daily_summary", "daily_summaries"),
        ("alert_rules", "alerts"),
        ("doors", None),
    ],
)
def test_a_name_is_known_by_its_word(name: str, expected: str | None) -> None:
    assert service_of(name, {"alerts", "daily_summaries"}) == expected
