"""Who is acting, and what they may do. Plain values, so that any layer can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.models.user import ADMIN, OPERATOR, VIEWER
from backend.services.auth.attribution import Attribution

ROLES: Final = (VIEWER, OPERATOR, ADMIN)
"""From the least to the most; each may do what those before it may."""

READ: Final = "read"
WRITE: Final = "write"
PEOPLE_ACT: Final = "people:act"
NOTIFY_CRITICAL: Final = "notify:critical"
JOBS_TRIGGER: Final = "jobs:trigger"

_SCOPES: Final[dict[str, frozenset[str]]] = {
    VIEWER: frozenset({READ, WRITE}),
    OPERATOR: frozenset({READ, WRITE, PEOPLE_ACT, NOTIFY_CRITICAL}),
    ADMIN: frozenset({READ, WRITE, PEOPLE_ACT, NOTIFY_CRITICAL, JOBS_TRIGGER}),
}
SCOPES: Final = (READ, WRITE, PEOPLE_ACT, NOTIFY_CRITICAL, JOBS_TRIGGER)
"""Everything a personal access token can be given; `write` alone lets nobody do what their role does not."""


def scopes_of(role: str) -> frozenset[str]:
    """What a person of this role may do when signed in, and may therefore give to a token of theirs."""
    return _SCOPES.get(role, frozenset())


def reaches(role: str, needed: str) -> bool:
    """Whether `role` is at least `needed`; an unknown role reaches nothing."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(needed)


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or one of their tokens, within a workspace.

    `label` is how the audit names them: `user:1`, `token:3`, `cli`, `telegram`, `system`. A token's `scopes` are
    those it was given and its owner's role still has.
    """

    user_id: int
    workspace_id: int
    role: str
    is_owner: bool
    scopes: frozenset[str]
    label: str
    sign_in_id: int | None = None
    """The sign-in the request came with; None for a personal access token."""
    via: str = "api"
    """The way by which they came: `api` or `console`."""

    @property
    def by(self) -> Attribution:
        """Who it is, for whatever keeps who did something."""
        return Attribution(self.via, self.label, self.user_id)

    def may(self, scope: str) -> bool:
        """Whether this scope is among the actor's."""
        return scope in self.scopes

    def reaches(self, role: str) -> bool:
        """Whether the actor's role is at least `role`."""
        return reaches(self.role, role)
