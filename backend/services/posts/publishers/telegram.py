"""A Telegram channel (or group), through the outbox: said at most once, by the bot that the target names."""

from __future__ import annotations

from typing import Any, Final

from backend.channels.base import Content, Media
from backend.core.errors import AppError, Invalid
from backend.models import Post
from backend.services import files
from backend.services.bots import resolution, sending
from backend.services.posts.publishers.base import FILES, Draft, Plan, Prepared, missing_addresses, require_text

KIND: Final = "post"
MAX_TEXT: Final = 20_000


class _Telegram:
    def is_available(self, workspace_id: int) -> bool:
        # Whether the bot exists is a question of the target.
        return True

    def check(self, draft: Draft) -> None:
        require_text(draft, MAX_TEXT)
        _resolve(draft.target)

    def prepare(self, plan: Plan) -> Prepared:
        """Asks for the media that are given as addresses, until they are there."""
        return Prepared(plan.progress, needs_files=bool(missing_addresses(plan.media, plan.progress)))

    def hand_over(self, post: Post) -> None:
        target = _resolve(post.target)
        messages = sending.send_to_chats(
            target,
            Content(text=post.content, format="plain", media=_media(post)),
            kind=KIND,
            key=f"post:{post.id}:{post.attempts}",
            at_most_once=True,
            user_id=post.user_id,
        )
        post.message_id, post.reason = messages[0].id, "queued"


def address_of(chat_id: str, external_id: str | None) -> str | None:
    """Where people see a message of a channel, by Telegram's rule; None for what has no address."""
    if not external_id:
        return None
    if chat_id.startswith("@"):
        return f"https://t.me/{chat_id[1:]}/{external_id}"
    if chat_id.startswith("-100") and len(chat_id) > 12:
        return f"https://t.me/c/{chat_id[4:]}/{external_id}"
    return None


def _resolve(target: Any) -> resolution.Target:
    """The bot and its one chat. Raises what resolution does, and Invalid (`one_chat`)."""
    chat_id = target.get("chat_id")
    resolved = resolution.resolve(
        bot_name=target.get("bot_name"),
        bot_id=target.get("bot_id"),
        chat_ids=(chat_id,) if chat_id else (),
    )
    if len(resolved.chat_ids) != 1:
        message = "This bot has several chats: name the one to post in. A post for several is several posts."
        raise Invalid.of("target.chat_id", "one_chat", message)
    return resolved


def _media(post: Post) -> tuple[Media, ...]:
    fetched = post.progress.get(FILES, {})
    media = []
    for item in post.media:
        file_id = item.get("file_id") or fetched.get(item.get("url"))
        if file_id is None:
            raise AppError("media_not_fetched", "A picture or file could not be fetched.")
        media.append(files.as_media(files.get(file_id), item["kind"]))
    return tuple(media)


PUBLISHER: Final = _Telegram()
