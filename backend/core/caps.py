"""How much of each kind a workspace may have: one table, which `WORKSPACE_CAPS` changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_NUMBER: Final = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `limit` of something; `code` is that of the refusal, `what` what its message calls them."""

    limit: int
    code: str
    what: str


DEFAULTS: Final[Mapping[str, Cap]] = {
    "assignment_rules": Cap(200, "too_many_assignment_rules", "assignment rules"),
    "automation_rules": Cap(500, "too_many_rules", "automation rules"),
    "bots": Cap(200, "too_many_bots", "bots"),
    "canned_replies": Cap(5_000, "too_many_canned_replies", "canned replies"),
    "contact_fields": Cap(100, "too_many_fields", "custom fields of contacts"),
    "contact_imports": Cap(100, "too_many_imports", "imports that are not over"),
    "contacts": Cap(500_000, "too_many_contacts", "contacts"),
    "file_bytes": Cap(20 * 2**30, "too_many_file_bytes", "bytes of files"),
    "integrations": Cap(100, "too_many_integrations", "integrations of WhatsApp, Messenger and Instagram"),
    "labels": Cap(500, "too_many_labels", "labels"),
    "notification_types": Cap(200, "too_many_types", "types of its own"),
    "policies": Cap(50, "too_many_policies", "policies"),
    "posts": Cap(20_000, "too_many_posts", "posts that are not over"),
    "scheduled_messages": Cap(2000, "too_many_scheduled_messages", "scheduled messages"),
    "segments": Cap(500, "too_many_segments", "segments"),
    "silences": Cap(200, "too_many_silences", "silences that are not over"),
    "tags": Cap(2_000, "too_many_tags", "tags"),
    "templates": Cap(200, "too_many_templates", "templates"),
    "webhooks": Cap(20, "too_many_webhooks", "endpoints"),
}
"""By name. A setting names them; a refusal is a Conflict with the code."""


def parse(setting: str) -> dict[str, int]:
    """Reads `WORKSPACE_CAPS` (`bots=500,posts=100000`); a name that is left out keeps its default.

    Raises ValueError naming the variable for what cannot be read and for unknown names.
    """
    caps = {name: cap.limit for name, cap in DEFAULTS.items()}
    for part in filter(None, (piece.strip() for piece in setting.split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in DEFAULTS:
            raise ValueError(f"WORKSPACE_CAPS: there is no cap {name!r}; known are {', '.join(DEFAULTS)}.")
        if not _NUMBER.fullmatch(value):
            raise ValueError(f"WORKSPACE_CAPS: {name} is not of the form {name}=100.")
        caps[name] = int(value)
    return caps
