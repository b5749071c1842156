"""The Graph API's client: where the token goes, which paths it takes, and what its refusals are."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import pytest

from backend.channels.errors import OutcomeUnknown, Rejected, RetryLater, SenderDisabled
from backend.channels.graph import ErrorTable, GraphApi, GraphClient
from tests.channels.scripted_server import ScriptedServer, answer, scripted_server

TOKEN = "EXAMPLE-not-a-real-token"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as scripted:
        yield scripted


@pytest.fixture
def client(server: ScriptedServer) -> GraphClient:
    return GraphApi(server.url, "v26.0").client(TOKEN)


def test_the_token_is_in_a_header_and_in_no_address(server: ScriptedServer, client: GraphClient) -> None:
    server.script += [answer(200, {"id": "1"})]
    assert client.get("1", "id,name", params={"a": "b c"}) == {"id": "1"}
    request = server.received[0]
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.path == "/v26.0/1?fields=id,name&a=b+c"
    assert TOKEN not in request.path


@pytest.mark.parametrize("path", ["", "../v1.0/me", "a//b", "1/../2", "a b", "me?x=1", "한", "/1", "1#2"])
def test_a_path_that_leads_elsewhere_is_not_asked(server: ScriptedServer, client: GraphClient, path: str) -> None:
    with pytest.raises(Rejected, match="bad_address"):
        client.get(path)
    assert server.received == []


def test_a_token_that_can_be_none_is_not_sent(server: ScriptedServer) -> None:
    with pytest.raises(SenderDisabled, match="token_malformed"):
        GraphApi(server.url, "v26.0").client("a\nb").get("me")
    assert server.received == []


def test_what_shows_something_is_unknown_where_the_platform_is_unsure(
    server: ScriptedServer, client: GraphClient
) -> None:
    server.script += [answer(500, {"error": {"code": 2}}), answer(500, {"error": {"code": 2}}), answer(200, b"<html>")]
    with pytest.raises(RetryLater):
        client.post("1/edge", {})
    with pytest.raises(OutcomeUnknown):
        client.post("1/edge", {}, publishes=True)
    with pytest.raises(OutcomeUnknown, match="unreadable_answer"):
        client.post("1/edge", {})


def test_a_file_is_sent_as_the_field_that_is_asked_for(server: ScriptedServer, client: GraphClient) -> None:
    server.script += [answer(200, {"id": "9"})]
    uploaded = client.upload(
        "1/media", {"messaging_product": "whatsapp"}, "a.ogg", "audio/ogg", lambda: BytesIO(b"x"), field="file"
    )
    assert uploaded == {"id": "9"}
    assert b'name="file"; filename="a.ogg"' in server.received[0].body


def test_a_table_of_ones_own_wins(server: ScriptedServer) -> None:
    table = ErrorTable({7: ("disabled", "no_seven")}).with_entries(waits={"slow": 5.0}, codes={8: ("later", "slow")})
    client = GraphApi(server.url, "v26.0", read_refusal=table.read).client(TOKEN)
    server.script += [answer(400, {"error": {"code": 7}}), answer(400, {"error": {"code": 8}})]
    with pytest.raises(SenderDisabled, match="no_seven"):
        client.get("me")
    with pytest.raises(RetryLater) as later:
        client.get("me")
    assert later.value.seconds == 5.0


def test_a_version_has_its_form() -> None:
    with pytest.raises(ValueError, match=r"v26\.0"):
        GraphApi("https://graph.example", "26")
