"""The plain values, and the errors' promises."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

from backend.channels.base import Button, Content, Credentials, Limits, Media, Operation, Rate, Template
from backend.channels.errors import OutcomeUnknown, RecipientUnreachable, Rejected, RetryLater, SenderDisabled
from backend.channels.inbound import Chat, MembershipChanged, MessageReceived, Person

FULL = Content(
    text="<b>안녕</b> & more",
    format="html",
    buttons=((Button("Open", url="https://example.com/"),), (Button("Mute", data="m:1"), Button("x", data="y"))),
    media=(
        Media("photo", storage_key="a/1", filename="a.png", mime="image/png", size=3),
        Media("document", url="https://example.com/a.pdf"),
        Media("photo", external_file_id="AgAD"),
    ),
    silent=True,
    link_preview=False,
    caption_only=True,
)


def test_content_survives_json() -> None:
    assert Content.from_json(json.loads(json.dumps(FULL.to_json()))) == FULL
    assert Content("x").to_json() == {"text": "x", "format": "plain"}
    assert Content.from_json({"text": "x", "format": "plain"}) == Content("x")


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"text": "x"},
        {"text": "x", "format": "markdown"},
        {"text": "x", "format": "html", "media": [{"kind": "photo"}]},
    ],
)
def test_a_row_that_is_no_content_is_refused(value: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Content.from_json(value)


def test_files_are_opened_by_storage_key_and_not_stored() -> None:
    opened: list[str] = []

    def open_file(key: str) -> io.BytesIO:
        opened.append(key)
        return io.BytesIO(key.encode())

    bound = FULL.with_files(open_file)
    assert opened == []
    assert bound == FULL
    assert bound.to_json() == FULL.to_json()
    first, second, third = bound.media
    assert first.opener is not None
    assert [first.opener().read(), first.opener().read()] == [b"a/1", b"a/1"]
    assert second.opener is None
    assert third.opener is None


def test_media_has_exactly_one_source() -> None:
    for wrong in ({}, {"url": "https://x.example", "storage_key": "a"}, {"url": "u", "external_file_id": "f"}):
        with pytest.raises(ValueError, match="exactly one"):
            Media("photo", **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="storage key"):
        Media("photo", opener=io.BytesIO).to_json()


def test_a_button_does_exactly_one_thing() -> None:
    for wrong in ({}, {"url": "https://x.example", "data": "d"}):
        with pytest.raises(ValueError, match="either"):
            Button("b", **wrong)


def test_credentials_do_not_show_themselves() -> None:
    shown = repr(Credentials("s3cret", external_id="12", settings={"app": "s3cret2"}))
    assert "s3cret" not in shown
    assert "12" in shown


def test_a_group_has_its_own_rates() -> None:
    limits = Limits((Rate(30, 1),), (Rate(1, 1),), (Rate(20, 60),))
    assert limits.for_chat(is_group=True) == (Rate(20, 60),)
    assert limits.for_chat(is_group=False) == (Rate(1, 1),)


def test_errors_tell_their_code() -> None:
    assert str(Rejected("text_too_long", "4096 at most")) == "text_too_long: 4096 at most"
    assert str(OutcomeUnknown("read_timeout")) == "read_timeout"
    assert SenderDisabled("token_refused").code == "token_refused"
    assert RecipientUnreachable("blocked").disables_link
    moved = RetryLater(0, "chat_migrated", "chat", moved_to="-1001")
    assert (moved.seconds, moved.scope, moved.moved_to) == (0.0, "chat", "-1001")
    assert "moved_to='-1001'" in repr(moved)


def test_only_a_persons_own_new_message_proves_its_sender() -> None:
    own = MessageReceived(Chat("1", "private"), Person("1", "Ada"), "5", text="/start token")
    assert own.proves_sender
    for derived in ("forwarded", "edited", "channel_post", "anonymous"):
        assert not replace(own, **{derived: True}).proves_sender  # type: ignore[arg-type]
    assert not replace(own, sender=None).proves_sender
    assert not replace(own, sender=Person("2", "A bot", is_bot=True)).proves_sender


@pytest.mark.parametrize(
    ("status", "can_write"), [("member", True), ("administrator", True), ("kicked", False), ("left", False)]
)
def test_membership_tells_whether_we_may_write(status: str, can_write: bool) -> None:
    assert MembershipChanged(Chat("1", "private"), status).can_write is can_write


def test_a_template_survives_its_row() -> None:
    template = Template("welcome", "en", body=("Ann",), buttons=("x",), components=({"type": "carousel"},))
    content = Content("Welcome, Ann", template=template)
    assert Content.from_json(json.loads(json.dumps(content.to_json()))) == content
    assert "template" not in Content("x").to_json()


def test_an_operation_counts_for_the_rates_of_its_kind_and_its_medias_kinds() -> None:
    limits = Limits(per_sender=(Rate(300, 1.0),), per_kind={"audio": (Rate(10, 1.0),), "edit": (Rate(5, 1.0),)})
    audio = Content(media=(Media("audio", url="https://example.com/a"), Media("audio", url="https://example.com/b")))
    assert limits.for_operation(Operation("send", content=Content("x"))) == (Rate(300, 1.0),)
    assert limits.for_operation(Operation("send", content=audio)) == (Rate(300, 1.0), Rate(10, 1.0))
    assert limits.for_operation(Operation("edit", content=Content("x"))) == (Rate(300, 1.0), Rate(5, 1.0))
    assert limits.for_operation(Operation("delete")) == (Rate(300, 1.0),)
