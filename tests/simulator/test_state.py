"""What a reset leaves, and what a restart with a state file brings back."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from simulator import membership, people, snapshot
from simulator.files import FileStore
from simulator.parameters import Upload
from simulator.settings import Settings
from simulator.world import World
from tests.support.telegram_box import DEMO_TOKEN, TelegramBox

JSON = dict[str, Any]
BOT = "switchboard_demo_bot"


def test_a_reset_leaves_bots_tokens_and_settings(box: TelegramBox, mina: JSON) -> None:
    box.settings(callback_lifetime=7)
    box.group(creator=mina, bots=[BOT])
    box.call("setMyCommands", commands=[{"command": "start", "description": "Begin"}])
    box.call("setWebhook", url="http://127.0.0.1:9/hook", allowed_updates=["message"])
    box.call("sendMessage", chat_id=mina["id"], text="Hello")
    box.fault("error", method="sendPhoto")
    before = box.control("GET", "/state")
    box.reset()
    state = box.control("GET", "/state")
    assert [bot["token"] for bot in state["bots"]] == [bot["token"] for bot in before["bots"]]
    assert all(bot["webhook_url"] == "" and bot["pending_updates"] == 0 for bot in state["bots"])
    assert state["people"] == state["chats"] == state["faults"] == []
    assert state["settings"]["callback_lifetime"] == 7
    assert box.log() == []
    assert box.call("getMyCommands")["result"] == []
    assert "allowed_updates" not in box.call("getWebhookInfo")["result"]
    assert box.person("Mina")["id"] == mina["id"], "ids begin again"


def test_a_reset_keeps_the_first_bot_the_first() -> None:
    with TelegramBox(
        bots=[f"{DEMO_TOKEN}:first_demo_bot", "7000000005:FIFTH-simulated-bot-token:second_demo_bot"]
    ) as box:
        new = box.revoke_token("first_demo_bot")
        box.reset()
        mina = box.person("Mina")
        box.start(mina)
        assert len(box.updates("first_demo_bot")) == 1
        assert box.call("getMe", new)["result"]["username"] == "first_demo_bot"
        assert box.call("getMe", DEMO_TOKEN)["error_code"] == 401


def test_the_demo_people(box: TelegramBox) -> None:
    box.control("POST", "/reset", {"demo": True})
    state = box.control("GET", "/state")
    assert [person["username"] for person in state["people"]] == ["mina_park", "jonas_weber", "aiko_mori"]
    assert [chat["title"] for chat in state["chats"]] == ["Launch team", "Operations"]


def test_a_restart_brings_the_world_back(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    with TelegramBox("--state", str(file)) as box:
        mina = box.person("Mina", username="mina_park")
        box.start(mina)
        jonas = box.person("Jonas")
        box.start(jonas)
        box.block(jonas)
        sent = box.call("sendDocument", files={"document": ("a.txt", b"Hello")}, chat_id=mina["id"])["result"]
        forum = box.group(type="supergroup", is_forum=True, creator=mina, bots=[BOT])
        topic = box.topic(forum, "Alerts")["id"]
        box.change_topic(forum, topic, closed=True)
        box.call("setMyCommands", commands=[{"command": "start", "description": "Begin"}])
        waiting = box.updates()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with TelegramBox("--state", str(file)) as box:
        assert box.updates() == waiting
        assert box.last_message("mina_park")["message_id"] == sent["message_id"]
        assert box.call("sendMessage", chat_id=jonas["id"], text="Hello")["error_code"] == 403
        closed = box.call("sendMessage", chat_id=forum["id"], message_thread_id=topic, text="Hello")
        assert closed["description"] == "Bad Request: TOPIC_CLOSED"
        assert box.call("getMyCommands")["result"][0]["command"] == "start"
        old = box.call("getFile", file_id=sent["document"]["file_id"])["result"]
        assert old["file_size"] == 5
        again = box.call("sendDocument", files={"document": ("b.txt", b"Bye")}, chat_id=mina["id"])["result"]
        assert again["message_id"] > sent["message_id"]
        fresh = box.call("getFile", file_id=again["document"]["file_id"])["result"]
        assert fresh["file_path"] != old["file_path"]
        assert fresh["file_unique_id"] != old["file_unique_id"], "the same seed does not give the same file again"


def test_a_snapshot_of_a_loaded_world_is_the_same(tmp_path: Path) -> None:
    world = World(Settings(), 1)
    bot = world.add_bot(DEMO_TOKEN, BOT)
    mina = world.add_person("Mina", username="mina_park", is_premium=True)
    people.start(world, mina, bot, "abc")
    group = membership.create_chat(world, {"type": "group", "creator": mina.id, "bots": [bot.id]})
    membership.migrate(world, group)
    world.inboxes[bot.id].webhook.url = "http://127.0.0.1:9/hook"
    path = tmp_path / "state.json"
    snapshot.save(world, path)
    loaded = World(Settings(), 1)
    loaded.add_bot(DEMO_TOKEN, BOT)
    snapshot.load(loaded, path.read_bytes())
    assert loaded.bots_by_id == world.bots_by_id
    assert loaded.people == world.people
    assert loaded.groups == world.groups
    assert loaded.private == world.private
    assert loaded.inboxes[bot.id].webhook == world.inboxes[bot.id].webhook
    bodies = [[pending.body for pending in one.inboxes[bot.id].pending.values()] for one in (world, loaded)]
    assert bodies[0] == bodies[1]


def test_large_files_are_left_out_and_their_paths_not_given_again() -> None:
    world = World(Settings(), 1)
    store = FileStore(world)
    large = store.store(Upload("a.bin", "", b"\0" * (snapshot.LARGEST_FILE + 1)), "document")
    small = store.store(Upload("b.bin", "", b"small"), "document")
    loaded = World(Settings(), 1)
    snapshot.load(loaded, snapshot.dump(world))
    assert set(loaded.files) == {small.file_id}
    fresh = FileStore(loaded).store(Upload("c.bin", "", b"fresh"), "document")
    assert fresh.path not in (small.path, large.path)
    assert fresh.file_id != small.file_id


@pytest.mark.parametrize("saved", [b"", b"{", b"[]", b'{"version":99}'])
def test_a_file_of_another_kind_is_refused(saved: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        snapshot.load(World(Settings(), 1), saved)
