"""Which sender an item of a webhook's body is for: pure functions of what is known of the senders.

An item goes only to a sender that the secret of its body belongs to: whoever knows a secret of one sender cannot speak
to another's conversations.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sender, as the search for an item's owner sees it. `external_id` is None while the provider was not asked."""

    id: int
    external_id: str | None
    secrets: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Recipients:
    """Senders by the provider's ids of theirs. `complete`: no further sender may turn out to be one of them."""

    by_id: Mapping[str, int]
    complete: bool = True

    def owner_of(self, recipient_id: str) -> int | Literal["nobody", "unknown"]:
        """The sender that owns the recipient; "nobody" here, or "unknown" as long as a sender's id is not known."""
        owner_id = self.by_id.get(recipient_id)
        if owner_id is not None:
            return owner_id
        return "nobody" if self.complete else "unknown"


OWN: Final = Recipients({})
"""Of a body whose items name no recipient: they are for the sender whose address it came to."""


def recipients_of(target_id: int, candidates: Sequence[Candidate], secrets: Collection[str]) -> Recipients:
    """The senders to which one of the secrets belongs. Of two with the same id the address's own comes first, then the
    older."""
    holders = [row for row in candidates if row.id == target_id or not row.secrets.isdisjoint(secrets)]
    by_id: dict[str, int] = {}
    for candidate in sorted(holders, key=lambda holder: (holder.id != target_id, holder.id)):
        if candidate.external_id is not None:
            by_id.setdefault(candidate.external_id, candidate.id)
    return Recipients(by_id, complete=all(holder.external_id is not None for holder in holders))
