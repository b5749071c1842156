"""Fetching files for whoever asks: once, several at once, workspaces in turn, and never lost by a crash."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from backend.channels.base import Credentials
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import TooLarge
from backend.core.work import Turn
from backend.models import FileFetch, StoredFile, Workspace
from backend.services import files
from backend.services.files import FileFetched, FileFetchFailed, Source, fetch_outcomes, fetch_work, stored_files
from tests.services.files.conftest import OWNER, Owner
from tests.support import factories
from tests.support.file_site import PICTURE, Site, claim_file, fetch_files


def fetches() -> list[FileFetch]:
    db.session.rollback()
    return list(db.session.scalars(select(FileFetch).order_by(FileFetch.id).execution_options(populate_existing=True)))


def state() -> tuple[str, int, str | None]:
    (fetch,) = fetches()
    return fetch.state, fetch.tries, fetch.error


def contents() -> int:
    """How many contents the storage holds."""
    storage: Any = stored_files.storage_of_instance()
    return sum(path.is_file() for path in storage.root.rglob("*"))


def test_a_file_is_fetched_after_the_commit_and_its_owner_is_told(owner: Owner, site: Site) -> None:
    files.request(OWNER, 7, Source(f"{site.url}/a.png"), "photo", slot=2)
    with system_scope("a test"):
        assert files.WORK.is_due()
    db.session.rollback()
    assert fetch_files() == 0, "nobody asked: the transaction was rolled back"
    owner.ask(f"{site.url}/a.png", owner_id=7, slot=2)
    (fetch,) = fetches()
    assert (fetch.source, site.url.encode() in (fetch.source_encrypted or b"")) == (f"{site.url}/a.png", False)
    assert fetch_files() == 1
    (stored,) = db.session.scalars(select(StoredFile))
    assert owner.fetched == [FileFetched(OWNER, 7, 2, "photo", f"{site.url}/a.png", stored.id)]
    assert (stored.filename, stored.mime, files.open_file(stored).read()) == ("a.png", "image/png", PICTURE)
    (fetch,) = fetches()
    assert (fetch.state, fetch.file_id, fetch.source_encrypted) == ("stored", stored.id, None)
    assert (fetch_files(), site.asked) == (0, ["/a.png"])


@pytest.mark.parametrize(
    ("path", "answer", "code", "transient"),
    [
        ("/gone", (404, b""), "http_404", False),
        ("/words", (200, b"no picture"), "not_a_picture", False),
        ("/empty", (200, b""), "file_empty", False),
        ("/big", (200, PICTURE + b"\0" * files.MAX_PHOTO), "response_too_large", False),
        ("/away", (503, b""), "http_503", True),
    ],
)
def test_what_does_not_come_is_told_with_a_code(
    owner: Owner, site: Site, path: str, answer: tuple[int, bytes], code: str, transient: bool
) -> None:
    site.answers[path] = lambda: answer
    owner.ask(site.url + path, max_tries=1)
    assert fetch_files() == 1
    assert owner.failed == [FileFetchFailed(OWNER, 1, 0, "photo", site.url + path, code, transient)]
    assert (state(), contents()) == (("failed", 1, code), 0)


def test_an_address_that_is_not_public_is_never_asked(owner: Owner, home: Workspace) -> None:
    owner.ask("http://127.0.0.1/a.png")
    assert fetch_files() == 1
    assert [event.code for event in owner.failed] == ["private_address"]


def test_a_server_in_trouble_is_asked_again_with_growing_pauses(owner: Owner, site: Site) -> None:
    site.answers["/a.png"] = lambda: (503, b"")
    owner.ask(f"{site.url}/a.png")
    for pause, tries in ((0, 1), (4, 1), (2, 2), (15, 2), (6, 3), (60, 3)):
        clock.move(pause)
        fetch_files()
        assert len(site.asked) == tries
    assert ([event.code for event in owner.failed], state()) == (["http_503"], ("failed", 3, "http_503"))


def test_the_same_source_is_asked_for_once_and_another_takes_its_place(owner: Owner, site: Site) -> None:
    site.answers["/b.png"] = lambda: (200, PICTURE)
    owner.ask(f"{site.url}/a.png")
    owner.ask(f"{site.url}/a.png")
    owner.ask(f"{site.url}/b.png")
    owner.ask(f"{site.url}/a.png", slot=1)
    assert [fetch.state for fetch in fetches()] == ["canceled", "waiting", "waiting"]
    assert files.waiting_slots(OWNER, 1) == {0, 1}
    assert fetch_files() == 2
    assert sorted(event.source[-6:] for event in owner.fetched) == ["/a.png", "/b.png"]


def test_a_canceled_fetch_under_way_is_thrown_away(owner: Owner, site: Site) -> None:
    owner.ask(f"{site.url}/a.png")
    claimed = claim_file()
    assert claimed is not None
    files.cancel(OWNER, 1, except_slot=1)
    db.session.commit()
    assert not fetch_outcomes.carry_out(claimed)
    assert (state()[0], db.session.scalars(select(StoredFile)).all(), contents()) == ("canceled", [], 0)


def test_a_file_that_nobody_wants_any_more_is_thrown_away(owner: Owner, site: Site) -> None:
    owner.unwanted = True
    owner.ask(f"{site.url}/a.png")
    assert fetch_files() == 1
    assert (state(), db.session.scalars(select(StoredFile)).all(), contents()) == (("canceled", 1, "not_needed"), [], 0)


def test_a_process_that_died_at_it_leaves_it_for_another_after_a_minute(owner: Owner, site: Site) -> None:
    owner.ask(f"{site.url}/a.png")
    assert claim_file() is not None
    assert fetch_files() == 0
    clock.move(61)
    assert (fetch_files(), len(owner.fetched)) == (1, 1)


def test_of_two_processes_that_fetched_the_same_one_stores_it(owner: Owner, site: Site) -> None:
    owner.ask(f"{site.url}/a.png")
    slow = claim_file()
    clock.move(61)
    assert slow is not None
    assert fetch_files() == 1
    assert not fetch_outcomes.carry_out(slow)
    assert (len(db.session.scalars(select(StoredFile)).all()), contents()) == (1, 1)


def test_a_file_that_ends_each_process_is_given_up(owner: Owner, site: Site) -> None:
    owner.ask(f"{site.url}/a.png")
    for _ in range(3):
        assert claim_file() is not None
        clock.move(61)
    assert fetch_files() == 1
    assert ([event.code for event in owner.failed], site.asked) == (["not_fetched"], [])


def test_what_an_owner_refuses_is_a_failure_of_the_fetch(owner: Owner, site: Site) -> None:
    owner.defect = TooLarge("file_too_large")
    owner.ask(f"{site.url}/a.png")
    assert fetch_files() == 0
    assert (contents(), db.session.scalars(select(StoredFile)).all()) == (0, [])
    owner.defect = None
    clock.move(61)
    fetch_files()
    assert len(owner.fetched) == 1, "what could not be told is tried again"


def test_an_owner_that_never_hears_is_not_told_for_ever(owner: Owner, site: Site) -> None:
    owner.defect = RuntimeError("a defect")
    owner.ask(f"{site.url}/a.png")
    for _ in range(12):
        fetch_files()
        clock.move(61)
    assert state()[0] == "failed"
    assert (contents(), fetch_files()) == (0, 0)


def test_a_commit_whose_answer_is_lost_keeps_the_content(
    owner: Owner, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.ask(f"{site.url}/a.png")
    claimed = claim_file()
    assert claimed is not None

    def lost() -> None:
        raise OperationalError("COMMIT", {}, Exception("gone"))

    with monkeypatch.context() as patch:
        patch.setattr(db.session, "commit", lost)
        with pytest.raises(OperationalError):
            fetch_outcomes.carry_out(claimed)
    db.session.rollback()
    assert contents() == 1, "perhaps a row names it"


def test_several_are_fetched_at_once(owner: Owner, site: Site) -> None:
    together = threading.Barrier(3, timeout=60)

    def waits() -> tuple[int, bytes]:
        together.wait()
        return 200, PICTURE

    for number in range(3):
        site.answers[f"/{number}.png"] = waits
        owner.ask(f"{site.url}/{number}.png", slot=number)
    assert fetch_files(30.0) == 3, "each answered only when all three were asked for"


def test_a_workspace_whose_servers_hang_leaves_room_for_the_others(owner: Owner, site: Site, home: Workspace) -> None:
    let_go = threading.Event()
    site.answers["/slow"] = lambda: (200, PICTURE) if let_go.wait(60) else (500, b"")
    for number in range(20):
        owner.ask(f"{site.url}/slow", owner_id=number)
    files.fetch_due(Turn(0.2))
    other = factories.workspace()
    db.session.commit()
    with workspace_scope(other.id):
        owner.ask(f"{site.url}/a.png", owner_id=99)
        files.fetch_due(Turn(0.0))
        assert fetch_work._POOL.free() >= 0
    while not owner.fetched:
        assert not let_go.wait(0.02)
    assert [event.owner_id for event in owner.fetched] == [99]
    assert site.asked.count("/slow") == fetch_work.MAX_OF_WORKSPACE
    let_go.set()
    fetch_work._POOL.wait(60)
    assert len(owner.fetched) == 21


def test_workspaces_take_turns(owner: Owner, site: Site, home: Workspace) -> None:
    other = factories.workspace()
    db.session.commit()
    for number in range(3):
        owner.ask(f"{site.url}/a.png", owner_id=number)
    with workspace_scope(other.id):
        owner.ask(f"{site.url}/a.png")
    order = [claimed.workspace_id for _ in range(4) if (claimed := claim_file()) is not None]
    assert sorted(order[:2]) == [home.id, other.id]
    assert order[2:] == [home.id, home.id]


def test_a_provider_s_file_is_downloaded_by_its_sender(
    owner: Owner, home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = factories.bot(home, name="news")
    asked = []

    class Provider:
        def __init__(self, channel: str) -> None:
            assert channel == "telegram_bot"

        def download(self, credentials: Credentials, file_id: str, sink: Any, *, max_bytes: int) -> int:
            asked.append((credentials.token, file_id, max_bytes))
            return int(sink.write(PICTURE))

    monkeypatch.setattr("backend.services.senders.provider.for_files", Provider)
    files.request(OWNER, 1, Source("AgACAgIAAx", bot.id), "photo")
    db.session.commit()
    token = bot.credentials
    assert fetch_files() == 1
    assert asked == [(token, "AgACAgIAAx", files.MAX_PHOTO)]
    assert [event.source for event in owner.fetched] == ["AgACAgIAAx"]


def test_a_provider_s_file_whose_sender_is_gone_fails_and_no_address_is_asked(owner: Owner, home: Workspace) -> None:
    bot = factories.bot(home, name="news")
    files.request(OWNER, 1, Source("https://example.com/a.png", bot.id), "photo")
    with system_scope("a test"):
        db.session.delete(bot)
        db.session.commit()
    assert fetch_files() == 1
    assert [event.code for event in owner.failed] == ["bot_without_token"]
