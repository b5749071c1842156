"""How calls may come: JSON, form, multipart, query; names in any case; and nothing that a client sends breaks it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator import membership, people
from simulator.engine import Engine
from simulator.errors import ApiError
from simulator.methods import NAMES
from simulator.parameters import Call
from simulator.settings import Settings
from tests.simulator.wire import exchange, method, refusal
from tests.support.telegram_box import BoxError, TelegramBox

JSON = dict[str, Any]
KEYBOARD = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}
TEXT_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize("way", ["json", "form", "multipart", "query", "get", "query and json"])
def test_every_way_of_giving_parameters(box: TelegramBox, mina: JSON, way: str) -> None:
    flat = {"chat_id": str(mina["id"]), "text": "Hello, 세계", "reply_markup": json.dumps(KEYBOARD)}
    details: dict[str, JSON] = {
        "json": {"json": {"chat_id": mina["id"], "text": "Hello, 세계", "reply_markup": KEYBOARD}},
        "form": {"data": flat},
        "multipart": {"files": {name: (None, value) for name, value in flat.items()}},
        "query": {"params": flat},
        "get": {"params": flat, "verb": "GET"},
        "query and json": {"params": {"chat_id": flat["chat_id"], "text": "Not this"}, "json": {**flat}},
    }
    answer = exchange(box, method("sendMessage"), **details[way])
    assert answer.status_code == 200
    result = answer.json()["result"]
    assert (result["text"], result["reply_markup"]) == ("Hello, 세계", KEYBOARD)


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("way", ["json", "data", "files"])
def test_the_body_counts_whatever_the_verb(box: TelegramBox, mina: JSON, verb: str, way: str) -> None:
    for text in "abc":
        box.say(mina, text)
    last = box.updates()[-1]["update_id"]
    given: Any = {"offset": str(last), "timeout": "0", "allowed_updates": '["message"]'}
    if way == "files":
        given = {name: (None, value) for name, value in given.items()}
    answer = exchange(box, method("getUpdates"), verb, **{way: given}).json()
    assert [update["update_id"] for update in answer["result"]] == [last], "the offset was understood"
    assert [update["update_id"] for update in box.updates()] == [last]


def test_an_upload_by_get(box: TelegramBox, mina: JSON) -> None:
    path = f"{method('sendDocument')}?chat_id={mina['id']}"
    answer = exchange(box, path, "GET", files={"document": ("a.txt", b"abc")}).json()
    assert answer["result"]["document"]["file_size"] == 3


@pytest.mark.parametrize("name", ["sendMessage", "sendmessage", "SENDMESSAGE", "SendMessage"])
def test_the_name_of_a_method_in_any_case(box: TelegramBox, mina: JSON, name: str) -> None:
    assert box.call(name, chat_id=mina["id"], text="Hello")["ok"]
    assert box.accepted()[-1]["method"] == "sendMessage"


def test_the_test_environment(box: TelegramBox) -> None:
    assert exchange(box, method("test/getMe")).json()["result"]["is_bot"] is True


def test_getme(box: TelegramBox) -> None:
    assert box.call("getMe")["result"] == {
        "id": 7000000001,
        "is_bot": True,
        "first_name": "switchboard_demo_bot",
        "username": "switchboard_demo_bot",
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_guest_queries": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": False,
        "allows_users_to_create_topics": False,
        "can_manage_bots": False,
        "supports_join_request_queries": False,
    }
    assert box.call("logOut") == box.call("close") == {"ok": True, "result": True}


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b"{", {"Content-Type": "application/json"}, "can't parse request body as JSON"),
        (b"[]", {"Content-Type": "application/json"}, "expected an Object as the request body"),
        (b'{"text":"\\ud800"}', {"Content-Type": "application/json"}, "can't parse request body as JSON"),
        (b"text=\xff", TEXT_FORM, "can't parse the request body"),
        (b"text=a", {"Content-Type": TEXT_FORM["Content-Type"] + "; charset=none"}, "can't parse the request body"),
        (b"abc", {"Content-Type": "multipart/form-data"}, "can't parse the request body"),
        (b"abc", MULTIPART, "can't parse the request body"),
        (b"--x\r\nabc\r\n\r\nfoo", MULTIPART, "can't parse the request body"),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: none\r\n\r\nb\r\n--x--\r\n',
            MULTIPART,
            "can't parse the request body",
        ),
    ],
)
def test_bodies_that_cannot_be_read(box: TelegramBox, body: bytes, headers: JSON, words: str) -> None:
    answer = exchange(box, method("sendMessage"), data=body, headers=headers)
    assert (answer.status_code, answer.json()) == (400, refusal(400, f"Bad Request: {words}"))


def test_parameters_of_the_wrong_shape(box: TelegramBox, mina: JSON) -> None:
    def words(name: str, **more: Any) -> str:
        return str(box.call(name, **{"chat_id": mina["id"], "text": "Hello", **more})["description"])

    assert words("sendMessage", reply_markup="{") == "Bad Request: can't parse reply keyboard markup JSON object"
    assert words("sendMessage", reply_markup=[]) == "Bad Request: object expected as reply markup"
    assert words("sendMessage", entities={}) == "Bad Request: expected an Array of MessageEntity"
    assert words("sendMessage", reply_parameters=[1]) == "Bad Request: object expected as reply parameters"
    assert words("sendChatAction", action="dancing") == "Bad Request: wrong parameter action in request"
    assert box.call("sendMessage", chat_id=mina["id"], text="Hello", reply_parameters={"message_id": "x"})["ok"]


@pytest.mark.parametrize(
    ("verb", "path", "body", "status"),
    [
        ("POST", "/people", {"id": "--5"}, 422),
        ("POST", "/people", {"id": 2**60}, 422),
        ("POST", "/people/mina_park/start", {"link": "http://[x"}, 422),
        ("POST", "/people/mina_park/say", {"text": "x", "chat": []}, 422),
        ("POST", "/people/nobody/say", {"text": "x"}, 404),
        ("POST", "/chats", {"creator": []}, 404),
        ("POST", "/chats", {"members": [{}]}, 404),
        ("POST", "/chats", {"bots": [{}]}, 404),
        ("POST", "/faults", {"kind": []}, 422),
        ("POST", "/faults", {"kind": "error", "__doc__": "x"}, 422),
        ("POST", "/faults", {"kind": "error", "error_code": 200}, 422),
        ("POST", "/faults", {"kind": "hang", "seconds": -1}, 422),
        ("POST", "/faults", {"kind": "hang", "accept": "perhaps"}, 422),
        ("DELETE", "/faults/9", None, 404),
        ("PATCH", "/settings", {"rates": {"per_bot": [1e300, 1]}}, 422),
        ("PATCH", "/settings", {"rates": "generous"}, 422),
        ("PATCH", "/settings", {"webhook_speed": 0}, 422),
        ("PATCH", "/settings", {"webhook_order": "random"}, 422),
        ("POST", "/bots", {"token": "1:short", "username": "some_bot"}, 422),
        ("GET", "/log?since=--5", None, 422),
    ],
)
def test_what_the_control_api_refuses(
    box: TelegramBox, mina: JSON, verb: str, path: str, body: JSON | None, status: int
) -> None:
    with pytest.raises(BoxError) as refused:
        box.control(verb, path, body)
    assert refused.value.status == status
    assert json.loads(refused.value.answer)["error"]["code"] == {404: "not_found", 422: "invalid"}[status]


def test_a_body_of_the_control_api_that_is_no_json(box: TelegramBox) -> None:
    answer = exchange(box, "/control/people", data=b"{")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unparsable")


# ---- anything at all

ATOMS: list[Any] = [None, True, 0, 1, 2, -1, 2**63 - 1, -(2**63), 2**64 - 1, 1.5, "", "a", "[", "{}", "[1]"]
TEXTS = ["-9999999999999999999", "<b>", "_*", "@x", "attach://x", "photo", "document", "bold", "٣", "chat"]
KEYS = ["type", "media", "caption", "caption_entities", "offset", "length", "url", "message_id", "inline_keyboard"]
KEYS += ["keyboard", "text", "callback_data", "command", "description", "force_reply", "allow_sending_without_reply"]
NAMED = ["text", "parse_mode", "entities", "reply_markup", "message_id", "message_ids", "message_thread_id", "media"]
NAMED += ["reply_parameters", "photo", "document", "caption", "caption_entities", "commands", "scope", "user_id"]
NAMED += ["language_code", "callback_query_id", "file_id", "action", "offset", "limit", "allowed_updates", "show_alert"]
VALUES = st.recursive(
    st.sampled_from([*ATOMS, *TEXTS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(sorted(set(NAMES) - {"setwebhook"})),
    values=st.dictionaries(st.sampled_from(NAMED), VALUES, max_size=5),
    in_forum=st.booleans(),
)
def test_whatever_the_parameters_the_answer_is_telegrams(name: str, values: JSON, in_forum: bool) -> None:
    engine = Engine(Settings(), None, 1)
    bot = engine.world.add_bot("7000000001:DEMO-simulated-bot-token-not-real", "demo_bot")
    person = engine.world.add_person("Mina")
    people.start(engine.world, person, bot)
    forum = membership.create_chat(
        engine.world, {"type": "supergroup", "is_forum": True, "creator": person.id, "bots": [bot.id]}
    )
    chat_id = forum.id if in_forum else person.id
    call = Call(bot, name, {"chat_id": chat_id, "text": "Hello", **{k: v for k, v in values.items() if v is not None}})
    try:
        answer = json.loads(asyncio.run(engine.run(call)))
    except ApiError as refused:
        answer = refused.body()
    assert answer["ok"] or answer["error_code"] in (400, 403)
    assert answer.get("description", "Bad Request: ").startswith(("Bad Request: ", "Forbidden: ", "Webhook "))
