"""Files that people sent: fetched without a token, from a new address when the old one has expired."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from backend.channels.base import Credentials
from backend.channels.errors import ChannelError, Rejected, RetryLater
from backend.channels.messenger import spec
from backend.channels.meta_messaging.attachments import FileId
from tests.channels.messenger.test_contract import file_at_server
from tests.channels.meta_messaging.answers import TIMES, VERSION
from tests.channels.scripted_server import ScriptedServer, Step, answer, scripted_server

CREDENTIALS = Credentials("EAAB-example-token-of-a-page", "1000000001")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


def fetched(server: ScriptedServer, url: str, *script: Step, most: int = 1000) -> bytes:
    server.script = list(script)
    sink = io.BytesIO()
    provider = spec.provider_at(server.url, VERSION, TIMES)
    size = provider.download(CREDENTIALS, str(FileId("m_1", 0, url)), sink, max_bytes=most)
    assert size == len(sink.getvalue())
    return sink.getvalue()


def failure(server: ScriptedServer, url: str, *script: Step) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        fetched(server, url, *script)
    assert caught.value.__context__ is None
    return caught.value


def test_the_address_of_the_message_gets_no_token(server: ScriptedServer):
    assert fetched(server, f"{server.url}/1.jpg", answer(200, b"picture")) == b"picture"
    (request,) = server.received
    assert "authorization" not in request.headers


def test_an_expired_address_is_asked_for_again(server: ScriptedServer):
    gone = answer(403, b"<html>the link has expired</html>")
    assert fetched(server, f"{server.url}/1.jpg", gone, file_at_server, answer(200, b"picture")) == b"picture"
    paths = [request.path for request in server.received]
    assert paths == ["/1.jpg", "/v26.0/m_1?fields=attachments", "/file"]
    assert ["authorization" in request.headers for request in server.received] == [False, True, False]


def test_a_message_that_lost_its_file(server: ScriptedServer):
    error = failure(server, "", answer(200, {"id": "m_1"}))
    assert (type(error), error.code) == (Rejected, "file_gone")
    error = failure(server, "", file_at_server, answer(404, b""))
    assert (type(error), error.code) == (Rejected, "file_gone")


def test_a_server_that_fails_is_asked_again_later(server: ScriptedServer):
    assert isinstance(failure(server, f"{server.url}/1.jpg", answer(503, b"oops")), RetryLater)


def test_nothing_private_is_reached_and_no_redirect_from_the_apis_own_address_followed(server: ScriptedServer):
    with scripted_server() as other:
        other.script = [answer(200, b"a secret")]
        error = failure(server, f"{other.url}/1.jpg")
        assert (type(error), error.code) == (Rejected, "file_address_refused")
        failure(server, f"{server.url}/1.jpg", answer(302, b"", {"Location": f"{other.url}/1.jpg"}))
        assert other.received == []
