"""Numbers, subscriptions, templates and files, as WhatsApp is asked about them."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from backend.channels.base import Credentials
from backend.channels.errors import Rejected
from backend.channels.whatsapp import administration
from backend.channels.whatsapp.provider import WhatsAppProvider
from tests.channels.scripted_server import ScriptedServer, answer, scripted_server
from tests.channels.whatsapp.bodies import ACCOUNT, NUMBER
from tests.channels.whatsapp.test_contract import address_of_a_file, api_at

CREDENTIALS = Credentials("EXAMPLE-not-a-real-token", NUMBER, {"waba_id": ACCOUNT})


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as scripted:
        yield scripted


@pytest.fixture
def provider(server: ScriptedServer) -> WhatsAppProvider:
    return WhatsAppProvider(api_at(server.url))


def test_an_address_that_is_too_old_is_asked_for_again(server: ScriptedServer, provider: WhatsAppProvider) -> None:
    server.script = [address_of_a_file, answer(404, b""), address_of_a_file, answer(200, b"bytes")]
    sink = io.BytesIO()
    assert provider.download(CREDENTIALS, "file-1", sink, max_bytes=10) == 5
    assert sink.getvalue() == b"bytes"
    assert server.received[0].path == f"/v26.0/file-1?phone_number_id={NUMBER}"


def test_a_file_that_is_gone_is_not_asked_for_for_ever(server: ScriptedServer, provider: WhatsAppProvider) -> None:
    server.script = [address_of_a_file, answer(404, b"")] * 3
    with pytest.raises(Rejected, match="file_gone"):
        provider.download(CREDENTIALS, "file-1", io.BytesIO(), max_bytes=10)
    assert len(server.received) == 4


def test_the_token_goes_along_no_redirect(provider: WhatsAppProvider, server: ScriptedServer) -> None:
    with scripted_server() as elsewhere:
        server.script = [address_of_a_file, answer(302, b"", {"Location": f"{elsewhere.url}/stolen"})]
        with pytest.raises(Exception, match="gateway_refused"):
            provider.download(CREDENTIALS, "file-1", io.BytesIO(), max_bytes=10)
        assert elsewhere.received == []


@pytest.mark.parametrize(
    "address",
    [
        "http://lookaside.fbsbx.com/x",
        "https://evil.example/x",
        "https://fbsbx.com.evil.example/",
        "https://u@evil/",
        "",
    ],
)
def test_the_public_platform_keeps_files_at_its_own_hosts(address: str) -> None:
    public = WhatsAppProvider(api_at("https://graph.facebook.com"))
    assert not public._may_see_token(address)
    assert public._may_see_token("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1")


def test_the_only_number_of_a_token_is_learnt(server: ScriptedServer, provider: WhatsAppProvider) -> None:
    scopes = [{"scope": "whatsapp_business_management", "target_ids": [ACCOUNT]}]
    server.script = [
        answer(200, {"data": {"is_valid": True, "granular_scopes": scopes}}),
        answer(200, {"data": [{"id": NUMBER}]}),
        answer(200, {"id": NUMBER, "display_phone_number": "+1 555", "verified_name": "A shop"}),
    ]
    facts = provider.probe(Credentials("EXAMPLE-not-a-real-token"))
    assert (facts.external_id, facts.username, facts.name) == (NUMBER, "+1 555", "A shop")


def test_of_several_numbers_none_is_guessed(server: ScriptedServer, provider: WhatsAppProvider) -> None:
    server.script = [answer(200, {"data": [{"id": "1"}, {"id": "2"}]})]
    with pytest.raises(Rejected, match="number_unknown"):
        provider.probe(Credentials("EXAMPLE-not-a-real-token", None, {"waba_id": ACCOUNT}))


def test_templates_come_page_by_page(server: ScriptedServer, provider: WhatsAppProvider) -> None:
    server.script = [
        answer(200, {"data": [{"name": "a"}], "paging": {"cursors": {"after": "x"}, "next": "more"}}),
        answer(200, {"data": [{"name": "b"}, "odd"], "paging": {"cursors": {"after": "y"}}}),
    ]
    listed = list(administration.templates(provider.client(CREDENTIALS), CREDENTIALS))
    assert [template["name"] for template in listed] == ["a", "b"]
    assert "after=x" in server.received[1].path


def test_a_number_is_registered_by_its_digits(server: ScriptedServer, provider: WhatsAppProvider) -> None:
    server.script = [answer(200, {"success": True})]
    administration.register(provider.client(CREDENTIALS), CREDENTIALS, "123456")
    assert server.received[0].path == f"/v26.0/{NUMBER}/register"


def test_an_account_that_is_not_known_is_not_asked(server: ScriptedServer, provider: WhatsAppProvider) -> None:
    with pytest.raises(Rejected, match="account_unknown"):
        provider.webhook_status(Credentials("EXAMPLE-not-a-real-token", NUMBER))
    assert server.received == []


def test_where_meta_would_not_deliver() -> None:
    public = WhatsAppProvider(api_at("https://graph.facebook.com"))
    assert public.refusal_of("http://here.example/whatsapp/webhook") is not None
    assert public.refusal_of("https://here.example/" + "x" * 200) is not None
    assert public.refusal_of("https://here.example/whatsapp/webhook/7") is None
