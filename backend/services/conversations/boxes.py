"""Boxes: where a provider's id of a message stands for one part, so that it is found by the id alone.

A provider that begins its ids again (a test server, another account's token) gives an id a second time: then the newer
part has it, and the older one is found by its message only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Text, bindparam, text, update
from sqlalchemy.dialects.postgresql import ARRAY

from backend.core.database import db
from backend.models import MessagePart

OWN_BOX_KINDS: Final = ("supergroup", "channel")
"""Kinds of chats whose messages are numbered by themselves; all others share their sender's numbers."""


def box_of(kind: str, chat_key: int, external_id: str) -> str | None:
    """The box of a part in a chat of this kind; None without a provider's id. `dispatch.outcomes` does the same."""
    if not external_id:
        return None
    return str(chat_key) if kind in OWN_BOX_KINDS else ""


def take_id(row: dict[str, Any]) -> None:
    """Takes the provider's id of a part that is about to be inserted away from another part of its workspace, in whose
    scope it runs."""
    if row["box"] is None:
        return
    db.session.execute(
        update(MessagePart)
        .where(MessagePart.sender_id == row["sender_id"], MessagePart.box == row["box"])
        .where(MessagePart.external_id == row["external_id"], MessagePart.message_id != row["message_id"])
        .values(box=None)
        .execution_options(synchronize_session=False)
    )


def take_ids(rows: Sequence[dict[str, Any]]) -> None:
    """The same for many parts at once, in the system scope; of two with the same id the later has it."""
    last: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        if row["box"] is not None:
            place = row["sender_id"], row["box"], row["external_id"], row["workspace_id"]
            if (earlier := last.get(place)) is not None:
                earlier["box"] = None
            last[place] = row
    if last:
        names = ("senders", "boxes", "ids", "workspaces")
        db.session.execute(_TAKE, dict(zip(names, map(list, zip(*last, strict=True)), strict=True)))


_TAKE = text(
    """
    UPDATE message_parts p SET box = NULL
      FROM unnest(:senders, :boxes, :ids, :workspaces) AS g(sender_id, box, external_id, workspace_id)
     WHERE p.sender_id = g.sender_id AND p.box = g.box AND p.external_id = g.external_id
       AND p.workspace_id = g.workspace_id
    """
).bindparams(
    bindparam("senders", type_=ARRAY(BigInteger)),
    bindparam("boxes", type_=ARRAY(Text)),
    bindparam("ids", type_=ARRAY(Text)),
    bindparam("workspaces", type_=ARRAY(BigInteger)),
)
