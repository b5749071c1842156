"""A saved world: a restarted simulator goes on where it stood."""

from __future__ import annotations

import orjson

from simulator import snapshot
from simulator.accounts import boxes, logins, phone
from simulator.accounts.model import AuthKey, Document
from simulator.settings import Settings
from simulator.world import World


def _world() -> World:
    world = World(Settings())
    directory = world.accounts
    ann = directory.add(world.add_person("Ann"), "+12025550101", password="hunter2")
    bob = directory.add(world.add_person("Bob", username="bob_sim"), "+12025550102")
    bob.conduct.accepts = "paid"
    bob.conduct.stars = 5
    bob.contacts[ann.id] = ("Annie", "")
    key = directory.keys[77] = AuthKey(77, "00" * 256, 2, 5)
    logins.log_in(directory, key, ann)
    logins.issue_code(directory, bob, "app")
    file = directory.store(Document(0, "a.txt", "text/plain", b"content", 1))
    sent = boxes.post(directory, ann, bob, boxes.Draft("Hello", file=file.id))
    ann.sent[2**62] = (sent.id, 1000.5)
    boxes.read(directory, bob, ann)
    phone.react(directory, bob, bob.chats[ann.id][0], "👍")
    return world


def test_all_of_it_comes_back() -> None:
    world = _world()
    saved = snapshot.dump(world)
    again = World(Settings())
    snapshot.load(again, saved)
    assert orjson.loads(snapshot.dump(again)) == orjson.loads(saved)
    assert again.accounts.accounts == world.accounts.accounts
    assert again.accounts.keys == world.accounts.keys
    assert again.accounts.documents == world.accounts.documents
    assert again.accounts.with_phone("+1 202 555-0102") == world.accounts.with_phone("12025550102")


def test_a_file_of_before_there_were_accounts_is_read() -> None:
    state = orjson.loads(snapshot.dump(_world()))
    del state["accounts"]
    world = World(Settings())
    snapshot.load(world, orjson.dumps(state))
    assert [person.first_name for person in world.people.values()] == ["Ann", "Bob"]
    assert not world.accounts.accounts
