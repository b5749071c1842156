"""Attachments: files at once, addresses in the background, and a message that goes out in any case."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from backend.core import clock, config
from backend.core.config import Settings
from backend.core.database import db, workspace_scope
from backend.core.errors import Invalid, NotFound, StorageFull, TooLarge
from backend.models import FileFetch, JobRun, NotificationEvent, StoredFile, Workspace
from backend.services import delivery, files
from backend.services.files import stored_files
from backend.services.notifications import Attachment, settings
from tests.services.notifications.conftest import Reporter, mark_sent
from tests.support import factories
from tests.support.file_site import PICTURE, Site, claim_file, fetch_files, file_site


@pytest.fixture
def site() -> Iterator[Site]:
    with file_site() as made:
        yield made


@pytest.fixture(autouse=True)
def private_addresses(app: Any, settings: Settings) -> Iterator[None]:
    """The test's own server is on a private address."""
    config.use(settings.model_copy(update={"egress_allow_private": True}))
    yield
    config.use(settings)


def fetch() -> int:
    """The job, from outside of the test's transaction."""
    return fetch_files()


def media(report: Reporter) -> list[dict[str, Any]]:
    return [item for message in report.messages() for part in message.body["parts"] for item in part.get("media", [])]


def test_an_uploaded_file_is_in_the_message_at_once(report: Reporter) -> None:
    stored = files.upload(factories.by("test"), "../../Bericht 1.png", io.BytesIO(PICTURE))
    assert report.outcome(attachment=Attachment("photo", file_id=stored.id)) == ("queued", None)
    (item,) = media(report)
    assert (item["kind"], item["filename"], item["mime"], item["size"]) == (
        "photo",
        "Bericht 1.png",
        "image/png",
        len(PICTURE),
    )
    assert files.open_file(stored).read() == PICTURE


def test_a_file_that_cannot_be_sent_as_that_kind_is_refused(report: Reporter) -> None:
    text = files.upload(factories.by("test"), "a.txt", io.BytesIO(b"words"))
    with pytest.raises(Invalid) as refused:
        report(attachment=Attachment("photo", file_id=text.id))
    assert refused.value.code == "not_a_picture"
    picture = files.upload(factories.by("test"), "a.png", io.BytesIO(PICTURE))
    picture.size = files.MAX_PHOTO + 1
    with pytest.raises(TooLarge):
        report(attachment=Attachment("photo", file_id=picture.id))
    assert report.outcome(attachment=Attachment("document", file_id=picture.id)) == ("queued", None)


def test_another_workspaces_file_is_not_found(report: Reporter) -> None:
    other: Workspace = factories.workspace()
    with workspace_scope(other.id):
        foreign = files.upload(factories.by("test"), "a.png", io.BytesIO(PICTURE))
    with pytest.raises(NotFound):
        report(attachment=Attachment("photo", file_id=foreign.id))
    assert db.session.scalars(select(NotificationEvent)).all() == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://localhost:8000/x",
        "http://[::1]/x",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://2130706433/",
        "http://user:secret@example.com/",
        "http://example.com:22/",
        "ftp://example.com/x",
        "no address",
    ],
)
def test_an_address_that_is_not_public_is_refused_at_once(report: Reporter, settings: Settings, url: str) -> None:
    config.use(settings)
    with pytest.raises(Invalid) as refused:
        report(attachment=Attachment("photo", url=url))
    assert refused.value.detail[0]["field"] == "attachment.url"  # type: ignore[index]
    assert db.session.scalars(select(NotificationEvent)).all() == []


def test_an_address_is_fetched_in_the_background_and_then_the_message_goes(report: Reporter, site: Site) -> None:
    event = report(attachment=Attachment("photo", url=f"{site.url}/a.png"))
    assert (event.decision, event.reason) == ("deferred", "fetching_attachment")
    (message,) = report.messages()
    assert report.text(message).endswith(f"📎 {site.url}/a.png")
    assert (delivery.status_of(message).reason, site.asked) == ("fetching_attachment", [])
    db.session.commit()
    assert files.WORK.is_due()
    assert fetch() == 1
    assert (event.decision, event.reason) == ("queued", None)
    assert "📎" not in report.text(message)
    (item,) = media(report)
    assert (item["filename"], item["mime"]) == ("a.png", "image/png")
    assert report.deliveries() == [(message.id, "send", "queued")]
    assert (site.asked, files.WORK.is_due(), fetch()) == (["/a.png"], False, 0)


@pytest.mark.parametrize(
    ("path", "answer", "code"),
    [
        ("/gone", (404, b""), "http_404"),
        ("/page", (200, b"<html>log in</html>"), "not_a_picture"),
        ("/empty", (200, b""), "file_empty"),
        ("/big", (200, PICTURE + b"\0" * files.MAX_PHOTO), "response_too_large"),
    ],
)
def test_what_cannot_be_fetched_goes_out_as_text_with_the_link(
    report: Reporter, site: Site, path: str, answer: tuple[int, bytes], code: str
) -> None:
    site.answers[path] = lambda: answer
    event = report(attachment=Attachment("photo", url=site.url + path))
    assert fetch() == 1
    (message,) = report.messages()
    assert (event.decision, event.reason) == ("queued", "attachment_failed")
    assert event.attachment == {"kind": "photo", "url": site.url + path, "state": "failed", "error": code}
    assert report.text(message).endswith(f"📎 {site.url}{path}")
    assert report.deliveries() == [(message.id, "send", "queued")]
    run = db.session.scalars(select(JobRun)).one()
    assert (run.job, run.code, run.detail) == ("notification", "attachment_failed", code)
    assert db.session.scalars(select(StoredFile)).all() == []


def test_a_server_in_trouble_is_asked_again_and_then_given_up(report: Reporter, site: Site) -> None:
    site.answers["/a.png"] = lambda: (503, b"")
    event = report(attachment=Attachment("photo", url=f"{site.url}/a.png"))
    assert (fetch(), fetch(), len(site.asked)) == (0, 0, 1)
    clock.move(6)
    assert (fetch(), len(site.asked), event.decision) == (0, 2, "deferred")
    clock.move(21)
    assert (fetch(), len(site.asked)) == (1, 3)
    assert (event.decision, event.reason) == ("queued", "attachment_failed")


def test_a_process_that_died_while_fetching_loses_nothing(report: Reporter, site: Site) -> None:
    report(attachment=Attachment("photo", url=f"{site.url}/a.png"))
    db.session.commit()
    assert claim_file() is not None
    assert fetch() == 0
    clock.move(61)
    assert fetch() == 1
    assert len(media(report)) == 1


def test_if_nobody_fetches_the_message_becomes_due_by_itself(report: Reporter, site: Site) -> None:
    report(attachment=Attachment("photo", url=f"{site.url}/a.png"))
    due = delivery.status_of(report.messages()[0]).next_attempt_at
    assert due is not None
    assert due - clock.now() <= timedelta(minutes=3)


def test_a_file_that_comes_after_its_message_has_gone_is_not_forced_into_it(report: Reporter, site: Site) -> None:
    event = report(attachment=Attachment("photo", url=f"{site.url}/a.png"))
    (message,) = report.messages()
    mark_sent(message)
    assert fetch() == 1
    assert event.attachment is not None
    assert (event.attachment["state"], event.attachment["error"]) == ("failed", "too_late")
    assert (report.deliveries(), media(report)) == ([], [])
    assert db.session.scalars(select(StoredFile)).all() == []


def test_events_of_the_subject_meanwhile_are_told_with_the_file(report: Reporter, site: Site) -> None:
    report(data={"likes": 1}, subject="p", version=1, attachment=Attachment("photo", url=f"{site.url}/a.png"))
    second = report(data={"likes": 2}, subject="p", version=2)
    third = report(data={"likes": 3}, subject="p", version=3, attachment=Attachment("photo", url=f"{site.url}/a.png"))
    assert (second.decision, second.reason) == ("deferred", "fetching_attachment")
    assert (fetch(), len(site.asked)) == (1, 1)
    (message,) = report.messages()
    assert "Likes: 3" in report.text(message)
    assert (len(media(report)), third.decision) == (1, "queued")


def test_a_later_event_keeps_the_picture_and_a_new_picture_is_a_new_message(report: Reporter) -> None:
    one = files.upload(factories.by("test"), "1.png", io.BytesIO(PICTURE))
    other = files.upload(factories.by("test"), "2.png", io.BytesIO(PICTURE))
    report(subject="p", version=1, attachment=Attachment("photo", file_id=one.id))
    mark_sent(report.messages()[0])
    report(data={"likes": 2}, subject="p", version=2)
    report(data={"likes": 3}, subject="p", version=3, attachment=Attachment("photo", file_id=one.id))
    (message,) = report.messages()
    assert ("Likes: 3" in report.text(message), [item["filename"] for item in media(report)]) == (True, ["1.png"])
    report(data={"likes": 4}, subject="p", version=4, attachment=Attachment("photo", file_id=other.id))
    assert [item["filename"] for item in media(report)] == ["1.png", "2.png"]


def test_a_file_that_arrives_in_quiet_hours_waits_for_their_end(report: Reporter, site: Site) -> None:
    now = clock.now()
    clock.move((datetime(now.year, now.month, now.day, 23, tzinfo=UTC) + timedelta(days=1) - now).total_seconds())
    settings.change(factories.by("test"), report.person, {"quiet_hours": {"start": "22:00", "end": "07:00"}})
    event = report(attachment=Attachment("photo", url=f"{site.url}/a.png"))
    assert (event.decision, event.reason) == ("deferred", "quiet_hours")
    assert fetch() == 1
    assert (event.decision, event.reason, len(media(report))) == ("deferred", "quiet_hours", 1)
    status = delivery.status_of(report.messages()[0])
    assert status.next_attempt_at is not None
    assert (status.reason, status.next_attempt_at.hour) == ("quiet_hours", 7)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\kim\\사진.png", "사진.png"),
        ('a"b\r\nc.txt', "a_b__c.txt"),
        ("..", "file"),
        ("", "file"),
        (None, "file"),
        ("x" * 300 + ".jpeg", "x" * 115 + ".jpeg"),
        ("evil\u202egpj.exe", "evil_gpj.exe"),
    ],
)
def test_names_people_give_are_made_harmless(given: str | None, kept: str) -> None:
    assert files.safe_name(given) == kept


def test_an_empty_or_too_large_upload_leaves_nothing(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_files, "MAX_DOCUMENT", 10)
    with pytest.raises(Invalid):
        files.upload(factories.by("test"), "a", io.BytesIO(b""))
    with pytest.raises(TooLarge):
        files.upload(factories.by("test"), "a", io.BytesIO(b"x" * 11))
    assert db.session.scalars(select(StoredFile)).all() == []


def raising(error: Exception) -> Any:
    def broken(*_: Any, **__: Any) -> Any:
        raise error

    return broken


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "full"), "storage_full"),
        (OSError(errno.EMFILE, "no handles"), "storage_unavailable"),
        (StorageFull(), "storage_full"),
        (OverflowError("a number"), "internal_error"),
        (RecursionError(), "internal_error"),
    ],
)
@pytest.mark.parametrize("place", ["put", "record"])
def test_what_goes_wrong_while_an_attachment_is_stored_is_a_try(
    report: Reporter, site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, place: str
) -> None:
    if place == "record" and isinstance(error, OSError):
        code = "internal_error"
    event = report(attachment=Attachment("photo", url=f"{site.url}/a.png")).id
    monkeypatch.setattr(stored_files, place, raising(error))
    for tries in (1, 2):
        assert fetch() == 0
        carried = db.session.get_one(NotificationEvent, event).attachment or {}
        assert (carried["state"], db.session.scalars(select(FileFetch.tries)).one()) == ("waiting", tries)
        assert fetch() == 0, "its due time has moved"
        clock.move(30)
    assert fetch() == 1
    carried = db.session.get_one(NotificationEvent, event).attachment or {}
    assert (carried["state"], carried["error"]) == ("failed", code)
    assert site.asked.count("/a.png") == 3
