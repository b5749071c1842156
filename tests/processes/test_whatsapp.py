"""WhatsApp's whole way through real processes: in, answered, read; a kill after acceptance; files both ways; a body
of a thousand items for three numbers."""

from __future__ import annotations

import hashlib
import json

import pytest

from simulator.graph.deliveries import signature
from tests.channels.whatsapp.bodies import CONTACT, body_of, message, value_of
from tests.support.graph_box import APP_SECRET, TOKEN, VERIFY_TOKEN, GraphBox
from tests.support.installation import Installation, wait_for

pytestmark = pytest.mark.slow

NUMBER, WABA, PERSON, BSUID = "300000000000009", "200000000000009", "821000000009", "KR.MINA1"
FAILPOINT = "delivery.accepted_not_recorded"


@pytest.fixture
def graph(installation: Installation) -> GraphBox:
    box = GraphBox(installation.box)
    hook = {"url": f"{installation.url}/whatsapp/webhook", "verify_token": VERIFY_TOKEN}
    box.application(webhooks={"whatsapp_business_account": hook})
    box.number(NUMBER, WABA, display="+1 555 000 0009")
    box.person(NUMBER, name="Mina", number=PERSON, bsuid=BSUID)
    installation.environment |= {
        "META_GRAPH_URL": box.url,
        "META_ACCESS_TOKEN": TOKEN,
        "META_APP_SECRET": APP_SECRET,
        "META_PHONE_NUMBER_ID": NUMBER,
        "META_WABA_ID": WABA,
        "VERIFY_TOKEN": VERIFY_TOKEN,
    }
    installation.start_web()
    installation.start_worker("jobs", name="jobs")
    installation.start_worker("dispatch", name="dispatch")
    installation.register()
    return box


def received(installation: Installation, text: str) -> int:
    """The conversation of a text that arrived; waits for it."""
    query = "SELECT conversation_id FROM messages WHERE direction = 'in' AND body->'parts'->0->>'text' = %s"
    rows = wait_for(lambda: installation.rows(query, text), 30, f"{text} to arrive")
    return int(rows[0][0])


def answer(installation: Installation, conversation_id: int, content: str, *, at_most_once: bool = False) -> int:
    """Stores an answer; `content` is an expression of Python. Returns the message's id."""
    printed = installation.python(
        f"""
        from backend.channels.base import Content, Media
        from backend.core.database import db, system_scope, workspace_scope
        from backend.models import Conversation
        from backend.services import delivery, files
        with system_scope("test"):
            chat = db.session.get(Conversation, {conversation_id})
        with workspace_scope(chat.workspace_id):
            sent = delivery.send(chat, {content}, kind="reply", at_most_once={at_most_once})
            db.session.commit()
            print("message", sent.id)
        """
    )
    return int(printed.split()[-1])


def state_of(installation: Installation, message_id: int) -> tuple[str, str | None]:
    return installation.rows("SELECT state, error FROM messages WHERE id = %s", message_id)[0]


def reaches(installation: Installation, message_id: int, state: str) -> None:
    wait_for(lambda: state_of(installation, message_id)[0] == state, 30, f"{message_id} to be {state}")


def test_a_person_writes_is_answered_and_reads(installation: Installation, graph: GraphBox) -> None:
    graph.inbound(NUMBER, PERSON, "안녕하세요 50%")
    conversation = received(installation, "안녕하세요 50%")
    sent = answer(installation, conversation, "Content('Hello Mina')")
    reaches(installation, sent, "delivered")
    (call,) = graph.sends()
    assert (call["to"], call["text"]["body"]) == (PERSON, "Hello Mina")
    assert call["biz_opaque_callback_data"] == f"{sent}:0"
    graph.control("POST", f"/numbers/{NUMBER}/status", {"message_id": call["id"], "state": "read"})
    reaches(installation, sent, "read")

    late = answer(installation, conversation, "Content('Still there?')")
    reaches(installation, late, "delivered")
    graph.person(NUMBER, number=PERSON, last_inbound=90_000)
    late = answer(installation, conversation, "Content('Too late')")
    reaches(installation, late, "failed")
    assert state_of(installation, late) == ("failed", "window_closed")


def test_a_kill_after_acceptance_is_settled_by_our_own_reference(installation: Installation, graph: GraphBox) -> None:
    graph.inbound(NUMBER, PERSON, "hi")
    conversation = received(installation, "hi")
    for number, once in enumerate((False, True)):
        before = installation.hits(FAILPOINT)
        installation.set_failpoints(f"{FAILPOINT} kill")
        sent = answer(installation, conversation, f"Content('number {number}')", at_most_once=once)
        installation.wait_for_hit(FAILPOINT, before)
        installation.set_failpoints()
        reaches(installation, sent, "delivered")
    wait_for(installation.settled, 30, "nothing to be left")
    installation.move_clock(60)
    wait_for(installation.settled, 30, "nothing to be left after the repetition's time")
    assert [call["text"]["body"] for call in graph.sends()] == ["number 0", "number 1"]


def test_files_go_both_ways_though_an_address_expires(installation: Installation, graph: GraphBox) -> None:
    video, voice = bytes(range(256)) * (40 * 1024), b"OggS" + b"\x00\x02" * 4000
    graph.inbound(NUMBER, PERSON, {"type": "video", "video": {}}, video, mime_type="video/mp4", file_name="a.mp4")
    graph.inbound(
        NUMBER,
        PERSON,
        {"type": "audio", "audio": {"voice": True}},
        voice,
        mime_type="audio/ogg; codecs=opus",
        file_name="a.ogg",
    )
    ids = wait_for(lambda: _file_ids(graph) if len(_file_ids(graph)) == 2 else None, 10, "the files")
    kinds = "SELECT conversation_id FROM messages WHERE direction = 'in'"
    conversation = int(wait_for(lambda: installation.rows(kinds), 30, "the messages")[0][0])
    graph.fault("error", call="GET file", status=404, count=1)
    printed = installation.python(
        f"""
        import hashlib, io
        from backend.core.database import db, system_scope
        from backend.models import Sender
        from backend.services.senders.received_files import download_file
        from sqlalchemy import select
        for file_id in {ids!r}:
            sink = io.BytesIO()
            with system_scope("test"):
                sender = db.session.execute(select(Sender.id).where(Sender.channel == "whatsapp")).scalar_one()
                download_file(sender, file_id, sink, max_bytes=50_000_000)
            print(hashlib.sha256(sink.getvalue()).hexdigest())
        """
    )
    assert printed.split()[-2:] == [hashlib.sha256(data).hexdigest() for data in (video, voice)]
    downloads = graph.log(call="GET file")
    # The inbox fetches them by itself as well.
    statuses = [entry["status"] for entry in downloads]
    assert (statuses.count(404), set(statuses)) == (1, {404, 200})
    assert {entry["host"] for entry in downloads} == {graph.box.url.partition("//")[2]}

    for kind, name, mime, data in (("video", "b.mp4", "video/mp4", video), ("voice", "b.ogg", "audio/ogg", voice)):
        path = installation.folder / name
        path.write_bytes(data)
        media = f"Media({kind!r}, storage_key=f.key, filename={name!r}, mime={mime!r}, size=f.size)"
        kept = f"files.keep({name!r}, open({str(path)!r}, 'rb'), max_bytes=50_000_000)"
        content = f"(lambda f: Content(media=({media},)))({kept})"
        reaches(installation, answer(installation, conversation, content), "delivered")
    state = graph.control("GET", f"/media/{NUMBER}")["media"]
    uploaded = [entry for entry in state if entry["name"] in ("b.mp4", "b.ogg")]
    assert [(entry["sha256"], entry["mime_type"]) for entry in uploaded] == [
        (hashlib.sha256(video).hexdigest(), "video/mp4"),
        (hashlib.sha256(voice).hexdigest(), "audio/ogg; codecs=opus"),
    ]
    assert [call[call["type"]].get("voice") for call in graph.sends()] == [None, True]


def _file_ids(graph: GraphBox) -> list[str]:
    return [entry["id"] for entry in graph.control("GET", f"/media/{NUMBER}")["media"]]


def test_a_thousand_items_of_three_numbers_are_stored_once_each(installation: Installation, graph: GraphBox) -> None:
    numbers = (NUMBER, "300000000000010", "300000000000011")
    printed = installation.python(
        f"""
        from backend.channels import registry
        from backend.core import clock
        from backend.core.database import db, system_scope
        from backend.models import Sender, Workspace
        from backend.services.senders.credentials import set_token
        from sqlalchemy import select
        with system_scope("test"):
            home = db.session.execute(select(Workspace.id)).scalar_one()
            for number in {numbers[1:]!r}:
                one = Sender(workspace_id=home, channel="whatsapp", source="database", name=number, is_active=True,
                             external_id=number, facts={{}}, created_at=clock.now())
                set_token(one, "EXAMPLE-token-of-" + number)
                db.session.add(one)
                db.session.flush()
                one.settings = {{"app_secret": "{APP_SECRET}"}}
            db.session.commit()
        print("added")
        """
    )
    assert printed.endswith("added\n")
    lists: list[list[object]] = [[], [], []]
    for place in range(1000):
        person = {"from": f"8210{place % 50:08}", "from_user_id": f"KR.P{place % 50}"}
        lists[place % 3].append(message("text", {"body": f"n{place}"}, id=f"wamid.{place}") | person)
    lists[1][166] = 5
    values = [
        value_of(number, contacts=[CONTACT], messages=given) for number, given in zip(numbers, lists, strict=True)
    ]
    body = body_of(*values)
    for content in (body, json.dumps(json.loads(body), ensure_ascii=False, indent=1).encode()):
        posted = installation.http.post(
            f"{installation.url}/whatsapp/webhook",
            data=content,
            headers={"X-Hub-Signature-256": signature(APP_SECRET, content), "Content-Type": "application/json"},
            timeout=30,
        )
        assert posted.status_code == 200
    wrong = installation.http.post(
        f"{installation.url}/whatsapp/webhook", data=body, headers={"X-Hub-Signature-256": "sha256=0"}, timeout=30
    )
    assert wrong.status_code == 401
    events = "SELECT state = 'parked', count(*) FROM webhook_events GROUP BY 1 ORDER BY 1"
    assert installation.rows(events) == [(False, 999), (True, 1)]
    by_sender = "SELECT count(*) FROM webhook_events WHERE state <> 'parked' GROUP BY sender_id ORDER BY 1"
    assert installation.rows(by_sender) == [(332,), (333,), (334,)]
    stored = "SELECT count(*), count(DISTINCT external_id) FROM messages WHERE direction = 'in'"
    wait_for(lambda: installation.rows(stored)[0][0] >= 10, 60, "the first of them to be processed")
    ((count, different),) = installation.rows(stored)
    assert count == different
