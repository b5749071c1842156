"""The context of one event in a chat: the person, the chat's link, the language, and answering there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from backend.channels.base import Button, Content
from backend.channels.inbound import Chat, MessageReceived, Person
from backend.core import clock, i18n
from backend.core.database import workspace_scope
from backend.models import Conversation, Sender, TelegramLink, User
from backend.services import conversations, delivery, linking
from backend.services.intake.answer_limits import HINT_EVERY, HOW_TO
from backend.services.intake.arrival import received_at
from backend.services.intake.commands.answers import Answering
from backend.services.intake.commands.chat_store import ChatStore, DirectStore

Rows = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What was asked of the provider beforehand. `is_admin`: whether who acts administers the group; None where it
    was not asked, or could not be."""

    is_admin: bool | None = None


@dataclass(slots=True)
class ChatContext:
    """A person, a chat and a bot. `link` and `user` are whose chat it is, and follow what happens on the way."""

    sender: Sender
    chat: Chat
    person: Person | None
    facts: Facts
    message_id: str | None
    store: ChatStore
    received_at: datetime
    hashed: bytes
    """The chat's keyed hash."""
    link: TelegramLink | None = None
    user: User | None = None
    _conversation: Conversation | None = field(default=None, repr=False)
    _inbound_id: int | None = field(default=None, repr=False)

    @classmethod
    def open(
        cls,
        sender: Sender,
        chat: Chat,
        person: Person | None,
        facts: Facts,
        message_id: str | None,
        store: ChatStore | None = None,
    ) -> ChatContext:
        """Makes the context of an event and reads the chat's link. By default everything is carried out at once."""
        hashed = conversations.chat_hash(sender.channel, sender.id, chat.id)
        rows = store or DirectStore()
        context = cls(sender, chat, person, facts, message_id, rows, received_at(), hashed)
        if (owner := rows.link_of(sender, hashed)) is not None:
            context.link, context.user = owner
        return context

    @property
    def workspace_id(self) -> int | None:
        """The linked person's workspace, else the bot's own; None before there is any."""
        return self.link.workspace_id if self.link is not None else self.sender.workspace_id

    @property
    def locale(self) -> str:
        """The linked person's language; of others what their Telegram says."""
        if self.user is not None:
            return self.user.locale
        return i18n.negotiate(self.person.language if self.person is not None else None)

    @property
    def may_decide(self) -> bool:
        """Whether who acts may speak for the chat: the person of a private chat, an administrator of a group."""
        if self.chat.is_private:
            return self.person is not None and self.person.id == self.chat.id
        return self.facts.is_admin is True

    def follow(self, redemption: linking.Redemption) -> None:
        """Takes over the link and the person of a redemption."""
        if redemption.link is not None:
            self.link, self.user, self._conversation = redemption.link, redemption.user, None

    def left(self) -> None:
        """Drops the link and its person; answers still go to the same conversation."""
        self.conversation()
        self.link = self.user = None

    def conversation(self) -> Conversation:
        """The chat's conversation in the workspace it belongs to. Only where there is a workspace."""
        if self._conversation is None:
            if self.workspace_id is None:
                raise RuntimeError("there is no workspace yet")
            is_private = self.chat.is_private
            self._conversation = self.store.conversation(
                self.sender,
                self.chat,
                self.hashed,
                workspace_id=self.workspace_id,
                person=self.person if is_private else None,
                user=self.user if is_private else None,
            )
        return self._conversation

    def move_to(self, workspace_id: int) -> None:
        """Switches to this workspace's conversation with the chat, whoever the chat is linked to."""
        self._conversation = conversations.find_or_create(self.sender, self.chat, workspace_id=workspace_id)

    def text(self, code: str, **values: object) -> str:
        """A text in the reader's language."""
        return i18n.text(code, self.locale, **values)

    def record(self, event: MessageReceived, *, is_talk: bool = False) -> None:
        """Adds what was written to the chat's history; what is said to people (`is_talk`) to the inbox."""
        own = self.user if self.chat.is_private else None
        self._inbound_id = self.store.record(self.conversation(), event, own, is_talk=is_talk)

    def send_reply(self, code: str, *, buttons: Rows = (), kind: str = "reply", **values: object) -> None:
        """Answers with a text of the catalog."""
        self.send(Content(self.text(code, **values), buttons=buttons), kind=kind)

    def send(self, content: Content, *, kind: str = "reply") -> None:
        """Answers in the chat, or stores why it is not answered now; in a group as a reply, so that it stays in its
        topic and says to whom it is."""
        self._answering().send(content, kind=kind, slow_down=Content(self.text("commands.slow_down")))

    def _answering(self) -> Answering:
        return Answering(
            self.store,
            self.conversation(),
            self.received_at,
            inbound_id=self._inbound_id,
            user_id=self.user.id if self.user is not None else None,
            reply_to=self.message_id if self.chat.is_group else None,
        )

    def rewrite(self, content: Content) -> None:
        """Has the message whose button was pressed say this; where it is not ours any more, says it again."""
        conversation = self.conversation()
        with workspace_scope(conversation.workspace_id):
            pressed = conversations.message_at(conversation, self.message_id) if self.message_id else None
            if pressed is not None and pressed.direction == "out":
                delivery.edit(pressed, content)
                return
        self.send(content)

    def was_hinted(self) -> bool:
        """Whether it was said here lately how to link."""
        history = self.store.history(self.conversation())
        return history.is_recent(HOW_TO, clock.unix(), HINT_EVERY)
