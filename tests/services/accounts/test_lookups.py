"""Look-ups: what is asked, how often, and what is known afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from backend.channels.inbound import Person
from backend.core import clock
from backend.core.database import db
from backend.models import Account, AccountLookup, ContactPoint, Workspace
from backend.services import conversations
from backend.services.accounts import lookups, peers
from backend.services.accounts.events import LookupFinished
from backend.services.accounts.lookups import FoundPerson
from tests.support.accounts import account as make_account
from tests.support.accounts import point

BOB = FoundPerson(Person("777002", "Bob", username="bob"), 4711, "phone")


def begun(account: Account, epoch: int = 1) -> AccountLookup | None:
    lookup = lookups.begin(account, epoch, clock.now())
    db.session.commit()
    return lookup


def test_a_point_is_asked_once_and_its_answer_kept(
    account: Account, home: Workspace, heard: Callable[..., list[Any]]
) -> None:
    phone, mail = point(home, "phone", "+10000000002"), point(home, "email", "bob@example.com")
    finished = heard(LookupFinished)
    assert lookups.request(account.sender_id, [phone.id, mail.id]) == 1
    assert lookups.request(account.sender_id, [phone.id]) == 0
    lookup = begun(account)
    assert lookup is not None
    assert lookups.finish(lookup.id, 1, "found", BOB)
    db.session.commit()
    result = lookups.result_of(account.sender_id, phone.id)
    assert result is not None
    assert (result.state, result.result) == ("done", "found")
    assert result.identity_id is not None
    peer = peers.find(account.sender_id, result.identity_id)
    assert peer is not None
    assert (peer.access_hash, peer.found_by) == ("4711", "phone")
    assert [(event.contact_point_id, event.result, event.identity_id) for event in finished] == [
        (phone.id, "found", result.identity_id)
    ]
    assert lookups.request(account.sender_id, [phone.id]) == 0


def test_an_old_answer_and_one_that_says_nothing_are_asked_again(account: Account, home: Workspace) -> None:
    old, cut_short = point(home, "phone", "+10000000002"), point(home, "phone", "+10000000003")
    lookups.request(account.sender_id, [old.id, cut_short.id])
    for result in ("not_found", "limited"):
        lookup = begun(account)
        assert lookup is not None
        lookups.finish(lookup.id, 1, result)
        clock.move(4)
    db.session.commit()
    assert lookups.request(account.sender_id, [old.id, cut_short.id]) == 0
    clock.move(3601)
    assert lookups.request(account.sender_id, [old.id, cut_short.id]) == 1
    clock.move(31 * 86_400)
    assert lookups.request(account.sender_id, [old.id]) == 1


def test_one_in_three_seconds_and_thirty_a_day_whatever_workspace_asks(account: Account, home: Workspace) -> None:
    twin = make_account(home, telegram_id=777001, deleted_at=clock.now(), session="2|127.0.0.1|443|" + "1" * 512)
    assert twin.quota_key == account.quota_key
    points = [point(home, "phone", f"+1000000{number:04}").id for number in range(40)]
    lookups.request(account.sender_id, points[:20])
    lookups.request(twin.sender_id, points[20:])
    assert begun(account) is not None
    assert begun(account) is None
    assert begun(twin) is None
    asked = 1
    for turn in range(60):
        clock.move(3)
        asked += begun(account if turn % 2 else twin) is not None
    assert asked == lookups.PER_DAY
    assert lookups.left_today(account.quota_key, clock.now()) == 0
    clock.move(86_400)
    assert begun(twin) is not None


def test_nothing_is_asked_while_the_provider_said_to_wait(account: Account, home: Workspace) -> None:
    lookups.request(account.sender_id, [point(home, "phone", "+10000000002").id])
    account.lookups_paused_until = clock.now() + timedelta(minutes=5)
    assert begun(account) is None
    clock.move(301)
    assert begun(account) is not None


def test_what_a_dead_process_was_asking_is_asked_again_and_its_late_answer_refused(
    account: Account, home: Workspace
) -> None:
    lookups.request(account.sender_id, [point(home, "phone", "+10000000002").id])
    first = begun(account)
    assert first is not None
    clock.move(4)
    assert begun(account) is None
    second = begun(account, epoch=2)
    assert second is not None
    assert second.id == first.id
    assert not lookups.finish(first.id, 1, "not_found")
    assert lookups.finish(first.id, 2, "not_found")


def test_a_user_name_that_changed_hands_is_never_written_to(
    account: Account, home: Workspace, heard: Callable[..., list[Any]]
) -> None:
    name = point(home, "username", "bob")
    finished = heard(LookupFinished)
    for person_id in ("777002", "777003"):
        lookups.request(account.sender_id, [name.id])
        lookup = begun(account)
        assert lookup is not None
        lookups.finish(lookup.id, 1, "found", FoundPerson(Person(person_id, "Bob"), 1, "username"))
        db.session.commit()
        clock.move(31 * 86_400)
    assert [(event.result, event.identity_id is None) for event in finished] == [
        ("found", False),
        ("identity_changed", True),
    ]
    assert db.session.get_one(ContactPoint, name.id, populate_existing=True).changed_at is not None
    stranger = conversations.identity_hash("telegram_user", "777003")
    assert peers.by_person(account.sender_id, stranger) is None
