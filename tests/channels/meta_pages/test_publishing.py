"""Facebook and Instagram against a scripted server: what is asked, in which order, and what an answer means."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

import pytest

from backend.channels.errors import OutcomeUnknown, Rejected, RetryLater, SenderDisabled
from backend.channels.meta_pages import GraphClient, Picture, accounts, facebook, instagram
from backend.channels.transport import Timeouts
from tests.channels.scripted_server import ScriptedServer, Step, answer, drop, hang, scripted_server, truncated

TOKEN = "EXAMPLE-not-a-real-token"
FAR = float("inf")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as made:
        yield made


@pytest.fixture
def client(server: ScriptedServer) -> GraphClient:
    return GraphClient(server.url, "v26.0", TOKEN, timeouts=Timeouts(connect=2.0, read=0.3, total=2.0))


def ok(**values: object) -> Step:
    return answer(200, values)


def test_the_token_says_whose_page_it_is(server: ScriptedServer, client: GraphClient) -> None:
    server.script = [ok(id="11", instagram_business_account={"id": "17841"}), ok(id="11")]
    found = accounts(client)
    assert (found.page_id, found.ig_user_id) == ("11", "17841")
    assert accounts(client).ig_user_id is None
    assert server.received[0].path == "/v26.0/me?fields=id,instagram_business_account"
    assert server.received[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in server.received[0].path


def test_a_text_is_one_call_and_the_address_a_question(server: ScriptedServer, client: GraphClient) -> None:
    server.script = [ok(id="11_22"), ok(permalink_url="https://example.com/p/22", id="11_22")]
    made = facebook.publish(client, "11", "Hello", [], FAR)
    assert (made.external_id, made.url) == ("11_22", "https://example.com/p/22")
    assert (server.received[0].path, server.received[0].json) == ("/v26.0/11/feed", {"message": "Hello"})


def test_pictures_are_uploaded_unseen_first(server: ScriptedServer, client: GraphClient) -> None:
    server.script = [ok(id="31"), ok(id="32")]
    pictures = [
        Picture(url="https://example.com/a.jpg"),
        Picture(filename="b.png", mime="image/png", opener=lambda: io.BytesIO(b"\x89PNG-bytes")),
    ]
    assert facebook.upload(client, "11", pictures) == ["31", "32"]
    assert server.received[0].json == {"published": False, "url": "https://example.com/a.jpg"}
    assert b"\x89PNG-bytes" in server.received[1].body
    assert b'name="published"' in server.received[1].body
    server.script = [ok(id="11_22"), drop]
    made = facebook.publish(client, "11", "", ["31", "32"], FAR)
    assert made.url is None, "published, though its address was not told"
    assert server.received[2].json == {"attached_media": [{"media_fbid": "31"}, {"media_fbid": "32"}]}


def test_a_file_that_is_gone_is_refused_before_anything_is_sent(client: GraphClient) -> None:
    def gone() -> io.BytesIO:
        raise FileNotFoundError

    with pytest.raises(Rejected, match="file_missing"):
        facebook.upload(client, "11", [Picture(opener=gone)])


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (drop, OutcomeUnknown),
        (hang, OutcomeUnknown),
        (truncated, OutcomeUnknown),
        (answer(200, b"not json"), OutcomeUnknown),
        (answer(200, {"no": "id"}), OutcomeUnknown),
        (answer(200, {"id": "../me"}), OutcomeUnknown),
        (answer(500, {"error": {"code": 1, "message": "x"}}), OutcomeUnknown),
        (answer(403, {"error": {"code": 4, "message": "x"}}), RetryLater),
        (answer(400, {"error": {"code": 190, "message": "x"}}), SenderDisabled),
        (answer(400, {"error": {"code": 100, "message": "x"}}), Rejected),
    ],
)
def test_what_a_publication_without_a_clear_answer_is(
    server: ScriptedServer, client: GraphClient, step: Step, expected: type[Exception]
) -> None:
    for publish in (
        lambda: facebook.publish(client, "11", "Hello", [], FAR),
        lambda: instagram.publish(client, "17841", "55", FAR),
    ):
        server.script = [step]
        with pytest.raises(expected) as raised:
            publish()
        assert TOKEN not in repr(raised.value)


def test_nothing_is_written_after_the_deadline(server: ScriptedServer, client: GraphClient) -> None:
    with pytest.raises(RetryLater, match="deadline_passed"):
        facebook.publish(client, "11", "Hello", [], time.monotonic() - 1)
    assert server.received == []


def test_one_picture_is_a_container_and_its_publication(server: ScriptedServer, client: GraphClient) -> None:
    server.script = [
        ok(id="55"),
        ok(status_code="IN_PROGRESS", id="55"),
        ok(status_code="FINISHED", id="55"),
        ok(id="77"),
        ok(permalink="https://example.com/p/77", id="77"),
    ]
    assert instagram.contain(client, "17841", "Hello", ["https://example.com/a.jpg"]) == "55"
    assert instagram.state_of(client, "55") == "processing"
    assert instagram.state_of(client, "55") == "ready"
    made = instagram.publish(client, "17841", "55", FAR)
    assert (made.external_id, made.url) == ("77", "https://example.com/p/77")
    assert [got.path for got in server.received] == [
        "/v26.0/17841/media",
        "/v26.0/55?fields=status_code,status",
        "/v26.0/55?fields=status_code,status",
        "/v26.0/17841/media_publish",
        "/v26.0/77?fields=permalink",
    ]
    assert server.received[0].json == {"image_url": "https://example.com/a.jpg", "caption": "Hello"}
    assert server.received[3].json == {"creation_id": "55"}


def test_several_pictures_are_a_carousel(server: ScriptedServer, client: GraphClient) -> None:
    server.script = [ok(id="1"), ok(id="2"), ok(id="3")]
    urls = ["https://example.com/a.jpg", "https://example.com/b.jpg"]
    assert instagram.contain(client, "17841", "", urls) == "3"
    assert server.received[1].json == {"image_url": urls[1], "is_carousel_item": True}
    assert server.received[2].json == {"media_type": "CAROUSEL", "children": "1,2"}


@pytest.mark.parametrize(
    ("status", "expected"), [("ERROR", "media_refused"), ("EXPIRED", "container_expired"), ("PUBLISHED", None)]
)
def test_a_container_tells_what_became_of_it(
    server: ScriptedServer, client: GraphClient, status: str, expected: str | None
) -> None:
    server.script = [ok(status_code=status, status="Error: too wide")]
    if expected is None:
        assert instagram.state_of(client, "55") == "published"
        return
    with pytest.raises((Rejected, RetryLater), match=expected):
        instagram.state_of(client, "55")


def test_a_version_and_a_token_have_their_forms(server: ScriptedServer) -> None:
    with pytest.raises(ValueError, match="version"):
        GraphClient(server.url, "latest/../", TOKEN)
    with pytest.raises(SenderDisabled, match="token_malformed"):
        accounts(GraphClient(server.url, "v26.0", "a b\r\nX: y"))
    assert server.received == []
