"""Making and changing posts: what is refused at once, and that nothing is half changed."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest

from backend.core import clock, config
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import AppError
from backend.models import Sender, User, Workspace
from backend.services import files, posts
from backend.services.files import stored_files
from tests.services.posts.conftest import PUBLIC, Author
from tests.support import factories

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + b"\0" * 32


def refused(author: Author, *args: Any, **options: Any) -> tuple[int, str]:
    with system_scope("what the test has made is kept"):
        db.session.commit()
    with pytest.raises(AppError) as raised:
        author.post(*args, **options)
    db.session.rollback()
    assert posts.listing() == ([], None), "nothing is kept"
    return raised.value.status, raised.value.code


def upload(name: str, content: bytes) -> int:
    file_id = files.upload(factories.by("user:1"), name, io.BytesIO(content)).id
    db.session.commit()
    return file_id


def test_a_post_for_later_says_until_when_it_waits(author: Author, news: Sender) -> None:
    at = clock.now() + timedelta(days=1)
    made = author.post(scheduled_at=at)
    assert (made.state, made.reason, posts.next_attempt_at(made)) == ("scheduled", "scheduled", at)
    assert not posts.WORK.is_due()
    assert author.publish() == 0


@pytest.mark.parametrize(
    ("moved", "code"), [(timedelta(minutes=-2), "past_date"), (timedelta(days=8000), "date_too_far")]
)
def test_times_that_cannot_be_meant_are_refused(author: Author, news: Sender, moved: timedelta, code: str) -> None:
    assert refused(author, scheduled_at=clock.now() + moved) == (422, code)


def test_nobody_to_publish_is_said_at_once(author: Author, home: Workspace) -> None:
    assert refused(author, "x") == (422, "no_publisher")
    assert refused(author, "facebook") == (422, "no_publisher")
    assert refused(author, "instagram", publisher="webhook") == (422, "no_publisher")
    assert refused(author, "x", publisher="telegram") == (422, "wrong_publisher")


def test_a_platform_of_the_environments_token_serves_the_first_workspace_only(
    author: Author, meta: object, home: Workspace
) -> None:
    assert author.post("facebook").publisher == "facebook"
    other = factories.workspace()
    with workspace_scope(other.id):
        stranger = Author(author.app, factories.user(other))
        assert refused(stranger, "facebook") == (422, "no_publisher")


def test_bots_that_are_not_there_are_refused(author: Author, news: Sender, home: Workspace) -> None:
    theirs = factories.bot(factories.workspace(), name="theirs", chat_ids=("-1009",))
    quiet = factories.bot(home, name="quiet", is_active=False, chat_ids=("-1008",))
    several = factories.bot(home, name="several", chat_ids=("-1001", "-1002"))
    assert refused(author, target={"bot_id": theirs.id}) == (404, "bot_not_found")
    assert refused(author, target={"bot_id": quiet.id}) == (409, "bot_inactive")
    assert refused(author, target={"bot_id": several.id}) == (422, "one_chat")
    assert refused(author, target={"bot_name": "news", "chat_id": "not a chat"}) == (422, "bad_chat_id")


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        ({"kind": "photo", "url": "http://127.0.0.1/a.jpg"}, (422, "private_address")),
        ({"kind": "photo", "url": "http://169.254.169.254/a.jpg"}, (422, "private_address")),
        ({"kind": "photo", "url": "ftp://example.com/a.jpg"}, (422, "address_malformed")),
        ({"kind": "photo", "file_id": 12345}, (404, "file_not_found")),
    ],
)
def test_pictures_that_cannot_be_had_are_refused(
    author: Author, news: Sender, media: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert refused(author, media=[media]) == expected


def test_an_oversized_photo_is_refused(author: Author, news: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_files, "MAX_PHOTO", 10)
    media = {"kind": "photo", "file_id": upload("a.png", PNG)}
    assert refused(author, media=[media]) == (413, "file_too_large")


def test_a_document_is_no_picture(author: Author, news: Sender) -> None:
    media = {"kind": "photo", "file_id": upload("a.txt", b"words")}
    assert refused(author, media=[media]) == (422, "not_a_picture")


@pytest.mark.parametrize(
    ("platform", "content", "media", "code"),
    [
        ("instagram", "Hello", [], "media_required"),
        ("instagram", "x" * 2201, [{"kind": "photo", "url": PUBLIC}], "text_too_long"),
        ("instagram", "Hello", [{"kind": "document", "url": PUBLIC}], "photos_only"),
        ("facebook", "Hello", [{"kind": "document", "url": PUBLIC}], "photos_only"),
        ("facebook", "  ", [], "post_empty"),
    ],
)
def test_what_a_platform_would_never_take_is_refused(
    author: Author, meta: object, platform: str, content: str, media: Any, code: str
) -> None:
    assert refused(author, platform, content, media) == (422, code)


def test_instagram_needs_pictures_at_addresses(author: Author, meta: object) -> None:
    media = [{"kind": "photo", "file_id": upload("a.png", PNG)}]
    assert refused(author, "instagram", "Hello", media) == (422, "needs_address")


@pytest.mark.parametrize("target", [{"page_id": "me/../x"}, {"page_id": "12 3"}])
def test_a_page_is_named_by_digits(author: Author, meta: object, target: dict[str, str]) -> None:
    assert refused(author, "facebook", target=target) == (422, "bad_page_id")


def test_a_draft_waits_for_a_person_and_is_checked_when_it_goes_out(author: Author, host: int) -> None:
    draft = author.post("x", draft=True)
    assert author.publish() == 0
    with pytest.raises(AppError):
        posts.change(
            factories.by("user:1"), draft.id, {"platform": "telegram", "state": "scheduled", "target": {"bot_id": 77}}
        )
    db.session.rollback()
    assert author.state(draft) == ("draft", "draft")
    posts.change(factories.by("user:1"), draft.id, {"state": "scheduled"})
    assert author.fresh(draft).publisher is None, "not committed"
    posts.change(factories.by("user:1"), draft.id, {"state": "scheduled"})
    db.session.commit()
    assert author.state(draft) == ("scheduled", "queued")
    posts.change(factories.by("user:1"), draft.id, {"state": "draft"})
    db.session.commit()
    assert author.publish() == 0


def test_a_change_moves_and_rewrites_what_waits(author: Author, news: Sender) -> None:
    post = author.post(scheduled_at=clock.now() + timedelta(days=1))
    later = clock.now() + timedelta(days=2)
    posts.change(factories.by("user:1"), post.id, {"content": "Better", "scheduled_at": later})
    db.session.commit()
    assert (author.fresh(post).content, author.fresh(post).due_at) == ("Better", later)


def test_canceled_is_canceled(author: Author, news: Sender) -> None:
    post = author.post(scheduled_at=clock.now() + timedelta(hours=1))
    posts.cancel(factories.by("user:1"), post.id)
    db.session.commit()
    clock.move(7200)
    assert author.publish() == 0
    assert author.state(post) == ("canceled", "canceled")
    for call in (posts.cancel, posts.retry):
        with pytest.raises(AppError) as raised:
            call(factories.by("user:1"), post.id)
        assert (raised.value.status, raised.value.code) == (409, "post_state")
    with pytest.raises(AppError):
        posts.change(factories.by("user:1"), post.id, {"content": "x"})
    assert author.told() == []


def test_another_workspaces_post_is_not_there(author: Author, news: Sender) -> None:
    post = author.post()
    with workspace_scope(factories.workspace().id):
        for call in (
            posts.get,
            lambda found: posts.cancel(factories.by("x"), found),
            lambda found: posts.retry(factories.by("x"), found),
        ):
            with pytest.raises(AppError) as raised:
                call(post.id)
            assert raised.value.status == 404


def test_private_pictures_are_taken_where_the_setting_says_so(
    author: Author, news: Sender, monkeypatch: pytest.MonkeyPatch, person: User
) -> None:
    monkeypatch.setattr(config, "_current", config.get().model_copy(update={"egress_allow_private": True}))
    assert author.post(media=[{"kind": "photo", "url": "http://127.0.0.1:8765/a.jpg"}]).state == "scheduled"
