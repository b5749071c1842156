"""What every channel promises, as one set of tests. A channel's own test class inherits `ChannelContract` and says how
its provider answers; see `tests/channels/telegram_bot/test_contract.py`."""

from __future__ import annotations

import time
import traceback
from abc import abstractmethod
from collections.abc import Iterator

import pytest

from backend.channels import registry
from backend.channels.base import Button, Channel, Content, Credentials, Limits, Operation
from backend.channels.errors import ChannelError, OutcomeUnknown, RetryLater
from tests.channels.provider_contract import ProviderContract
from tests.channels.scripted_server import (
    ScriptedServer,
    Step,
    answer,
    drop,
    free_port,
    hang,
    scripted_server,
    truncated,
)
from tests.channels.webhook_contract import WebhookContract

NEVER = float("inf")
LONG_LINES = "\n".join(f"line {number} with some words, {'가' * (number % 40)} 👨‍👩‍👧" for number in range(900))


class ChannelContract(WebhookContract, ProviderContract):
    """Subclasses give the abstract members; the tests below then hold for their channel."""

    @abstractmethod
    def channel_at(self, url: str) -> Channel:
        """The channel talking to this address, with a read time-out of a fraction of a second."""

    @abstractmethod
    def accepted(self) -> Step:
        """The provider's answer to a text that it accepted as the message `message_id`."""

    @property
    @abstractmethod
    def message_id(self) -> str:
        """The id in `accepted`."""

    @property
    @abstractmethod
    def credentials(self) -> Credentials:
        """Well-formed credentials whose token stands nowhere else."""

    @property
    @abstractmethod
    def operation(self) -> Operation:
        """Sending a short text, accepted by `accepted`."""

    @abstractmethod
    def units(self, content: Content) -> tuple[int, int]:
        """The length of a part as the provider counts it, and the most it takes."""

    @pytest.fixture
    def server(self) -> Iterator[ScriptedServer]:
        with scripted_server() as server:
            yield server

    def failure(self, channel: Channel, *, deadline: float = NEVER) -> ChannelError:
        with pytest.raises(ChannelError) as caught:
            channel.perform(self.credentials, self.operation, deadline=deadline)
        self.assert_no_secret(caught.value)
        return caught.value

    def assert_no_secret(self, error: BaseException) -> None:
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error)) + str(error.args)
        assert self.credentials.token not in shown
        assert error.__context__ is None
        assert error.__cause__ is None

    def test_it_is_registered_under_its_name(self) -> None:
        channel = self.channel_at("http://127.0.0.1:9")
        assert channel.name == self.name
        assert channel.name in registry.names()
        assert isinstance(channel.limits, Limits)
        assert channel.limits.per_sender
        assert channel.limits.for_chat(is_group=False) or channel.limits.for_chat(is_group=True)

    def test_an_accepted_text_gives_a_receipt_with_its_id(self, server: ScriptedServer) -> None:
        server.script = [self.accepted()]
        receipt = self.channel_at(server.url).perform(self.credentials, self.operation, deadline=NEVER)
        assert receipt.external_ids == (self.message_id,)
        assert len(server.received) == 1

    def test_a_refused_connection_is_certain(self) -> None:
        error = self.failure(self.channel_at(f"http://127.0.0.1:{free_port()}"))
        assert isinstance(error, RetryLater)
        assert error.code == "connect_failed"

    def test_a_name_that_does_not_resolve_is_certain(self) -> None:
        error = self.failure(self.channel_at("http://nowhere.invalid"))
        assert isinstance(error, RetryLater)
        assert error.code == "connect_failed"

    def test_a_failed_tls_handshake_is_certain(self, server: ScriptedServer) -> None:
        error = self.failure(self.channel_at(server.url.replace("http://", "https://")))
        assert isinstance(error, RetryLater)
        assert error.code == "connect_failed"
        assert server.received == []

    def test_nothing_is_written_after_the_deadline(self, server: ScriptedServer) -> None:
        error = self.failure(self.channel_at(server.url), deadline=time.monotonic() - 1)
        assert isinstance(error, RetryLater)
        assert error.code == "deadline_passed"
        assert server.received == []

    @pytest.mark.parametrize("step", [hang, drop, truncated], ids=["hang", "drop", "truncated"])
    def test_silence_after_the_request_is_unknown(self, server: ScriptedServer, step: Step) -> None:
        server.script = [step]
        assert isinstance(self.failure(self.channel_at(server.url)), OutcomeUnknown)
        assert len(server.received) == 1, "a request with an unknown outcome is not repeated"

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_server_error_is_unknown(self, server: ScriptedServer, status: int) -> None:
        server.script = [answer(status, b"<html>oops</html>")]
        assert isinstance(self.failure(self.channel_at(server.url)), OutcomeUnknown)
        assert len(server.received) == 1

    @pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b"[]", b"null", b"{}", b"\xff\xfe"])
    def test_a_success_that_cannot_be_read_is_unknown(self, server: ScriptedServer, body: bytes) -> None:
        server.script = [answer(200, body)]
        assert isinstance(self.failure(self.channel_at(server.url)), OutcomeUnknown)

    def test_a_redirect_is_not_followed(self, server: ScriptedServer) -> None:
        server.script = [answer(302, b"", {"Location": f"{server.url}/elsewhere"})]
        assert isinstance(self.failure(self.channel_at(server.url)), RetryLater)
        assert len(server.received) == 1

    def test_a_rate_limit_without_a_body_waits_as_the_header_says(self, server: ScriptedServer) -> None:
        server.script = [answer(429, b"slow down", {"Retry-After": "17"})]
        error = self.failure(self.channel_at(server.url))
        assert isinstance(error, RetryLater)
        assert error.seconds == 17
        assert error.scope == "sender"

    def test_parts_fit_and_carry_everything_in_order(self) -> None:
        channel = self.channel_at("http://127.0.0.1:9")
        buttons = ((Button("Open", url="https://example.com/"), Button("Mute", data="mute")),)
        parts = channel.split(Content(LONG_LINES, "plain", buttons, silent=True, link_preview=False))
        assert len(parts) > 1
        assert "".join("".join(part.text for part in parts).split()) == "".join(LONG_LINES.split())
        assert [part.buttons for part in parts] == [()] * (len(parts) - 1) + [buttons]
        assert all(part.silent and not part.link_preview for part in parts)
        for part in parts:
            length, most = self.units(part)
            assert 0 < length <= most
            assert channel.split(part) == [part]

    def test_a_content_always_has_a_part(self) -> None:
        assert len(self.channel_at("http://127.0.0.1:9").split(Content())) == 1

    def test_what_its_sizes_say_holds_for_its_parts(self) -> None:
        channel, sizes = self.channel_at("http://127.0.0.1:9"), registry.spec(self.name).sizes
        assert all(sizes.text.fits(part.text) for part in channel.split(Content(LONG_LINES, "plain")))
        assert sizes.text.of(LONG_LINES) > sizes.text.most

    def test_a_content_survives_its_row(self) -> None:
        for part in self.channel_at("http://127.0.0.1:9").split(Content(LONG_LINES, "html")):
            assert Content.from_json(part.to_json()) == part
