"""What every channel's provider promises about senders, as one set of tests. Inherited by `ChannelContract`."""

from __future__ import annotations

import io
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from backend.channels import registry
from backend.channels.base import Credentials, SenderFacts
from backend.channels.errors import ChannelError, OutcomeUnknown, Rejected, RetryLater
from backend.channels.inbound import Chat
from backend.channels.provider import NOT_SUPPORTED, Member, Provider, WebhookRegistration, WebhookStatus
from tests.channels.scripted_server import ScriptedServer, Step, answer, drop, free_port, hang, truncated

REGISTRATION = WebhookRegistration("https://here.example/hook", "a-secret-that-stands-nowhere-else", "a-token-of-ours")
PICTURE = b"a file that somebody sent"

Call = Callable[[Provider, Credentials], Any]

CALLS: dict[str, Call] = {
    "probe": lambda provider, given: provider.probe(given),
    "register_webhook": lambda provider, given: provider.register_webhook(given, REGISTRATION),
    "unregister_webhook": lambda provider, given: provider.unregister_webhook(given),
    "webhook_status": lambda provider, given: provider.webhook_status(given),
    "chat": lambda provider, given: provider.chat(given, "-1001"),
    "members": lambda provider, given: provider.members(given, "-1001"),
    "member": lambda provider, given: provider.member(given, "-1001", "5"),
    "download": lambda provider, given: provider.download(given, "file-1", io.BytesIO(), max_bytes=len(PICTURE)),
}
"""Every method that makes a call."""
EVERY = pytest.mark.parametrize("method", sorted(CALLS))


class ProviderContract(ABC):
    """Subclasses give the abstract members; the tests below then hold for their channel's provider."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The channel's name."""

    @property
    @abstractmethod
    def credentials(self) -> Credentials:
        """Well-formed credentials whose token stands nowhere else."""

    @abstractmethod
    def provider_at(self, url: str) -> Provider:
        """The provider at this address, with a read time-out of a fraction of a second."""

    @property
    @abstractmethod
    def provider_answers(self) -> Mapping[str, Sequence[Step]]:
        """The provider's good answers by method, a step for each request; what the channel lacks is left out.

        They speak of the account `account_id`, the address of `REGISTRATION`, the chat `-1001` with the title "Team",
        the person 5 "Ada" who administers it, and the file `PICTURE`.
        """

    @property
    @abstractmethod
    def account_id(self) -> str:
        """The provider's id of the account that the credentials belong to."""

    def refusal(self, method: str, provider: Provider) -> ChannelError:
        with pytest.raises(ChannelError) as caught:
            CALLS[method](provider, self.credentials)
        error = caught.value
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error)) + str(error.args)
        for secret in (self.credentials.token, REGISTRATION.secret):
            assert secret not in shown
        assert error.__context__ is None
        return error

    def has(self, method: str) -> bool:
        return method in self.provider_answers

    def test_its_spec_names_its_provider(self) -> None:
        assert registry.spec(self.name).provider is not None
        assert self.provider_at("http://127.0.0.1:9").address == "http://127.0.0.1:9"
        assert self.has("probe"), "whoever has credentials can be asked whose they are"

    @EVERY
    def test_what_it_has_is_asked_and_what_it_lacks_is_refused_without_a_request(
        self, server: ScriptedServer, method: str
    ) -> None:
        provider = self.provider_at(server.url)
        if not self.has(method):
            error = self.refusal(method, provider)
            assert (type(error), error.code, server.received) == (Rejected, NOT_SUPPORTED, [])
            return
        server.script = list(self.provider_answers[method])
        got = CALLS[method](provider, self.credentials)
        assert len(server.received) == len(self.provider_answers[method])
        match method:
            case "probe":
                assert isinstance(got, SenderFacts)
                assert got.external_id == self.account_id
            case "register_webhook" | "unregister_webhook":
                assert got is None
            case "webhook_status":
                assert isinstance(got, WebhookStatus)
                assert got.url == REGISTRATION.address
            case "chat":
                assert isinstance(got, Chat)
                assert (got.id, got.title) == ("-1001", "Team")
            case "members":
                (ada,) = got
                assert (ada.person.id, ada.person.name, ada.is_admin) == ("5", "Ada", True)
            case "member":
                assert isinstance(got, Member)
                assert (got.person.id, got.is_admin) == ("5", True)
            case "download":
                assert got == len(PICTURE)

    def test_a_registration_says_where_to_call(self, server: ScriptedServer) -> None:
        if self.has("register_webhook"):
            server.script = list(self.provider_answers["register_webhook"])
            self.provider_at(server.url).register_webhook(self.credentials, REGISTRATION)
            assert any(REGISTRATION.address.encode() in request.body for request in server.received)
            assert REGISTRATION.secret not in repr(REGISTRATION)
            assert REGISTRATION.token not in repr(REGISTRATION)

    def test_a_file_is_written_and_one_that_is_too_large_is_refused(self, server: ScriptedServer) -> None:
        if self.has("download"):
            for most in (len(PICTURE), len(PICTURE) - 1):
                server.script, sink = list(self.provider_answers["download"]), io.BytesIO()
                provider = self.provider_at(server.url)
                if most == len(PICTURE):
                    provider.download(self.credentials, "file-1", sink, max_bytes=most)
                    assert sink.getvalue() == PICTURE
                    continue
                with pytest.raises(Rejected, match="file_too_large"):
                    provider.download(self.credentials, "file-1", sink, max_bytes=most)
                assert len(sink.getvalue()) <= most

    @EVERY
    def test_what_nobody_hears_is_certain(self, method: str) -> None:
        if self.has(method):
            error = self.refusal(method, self.provider_at(f"http://127.0.0.1:{free_port()}"))
            assert (type(error), error.code) == (RetryLater, "connect_failed")

    @EVERY
    @pytest.mark.parametrize("step", [hang, drop, truncated, answer(500, b"oops")], ids=["hang", "drop", "cut", "500"])
    def test_silence_after_a_request_is_unknown(self, server: ScriptedServer, method: str, step: Step) -> None:
        if self.has(method):
            server.script = [step]
            assert isinstance(self.refusal(method, self.provider_at(server.url)), OutcomeUnknown)
            assert len(server.received) == 1

    @EVERY
    @pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b"[]", b"null", b"\xff\xfe"])
    def test_an_odd_answer_is_one_of_the_five_errors(self, server: ScriptedServer, method: str, body: bytes) -> None:
        if self.has(method) and method != "download":
            server.script = [answer(200, body)]
            self.refusal(method, self.provider_at(server.url))
            assert len(server.received) == 1

    @EVERY
    def test_a_rate_limit_is_kept(self, server: ScriptedServer, method: str) -> None:
        if self.has(method):
            server.script = [answer(429, b"slow down", {"Retry-After": "17"})]
            error = self.refusal(method, self.provider_at(server.url))
            assert isinstance(error, RetryLater)
            assert error.seconds == 17
