"""What every channel's spec promises of its webhook: routes, proof, items, events. Inherited by `ChannelContract`."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.channels import registry, richtext
from backend.channels.inbound import Ignored, InboundEvent, Parked
from backend.channels.spec import MAX_KEY, UNPARSABLE, ChannelSpec, Webhook

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
ODD_BODIES = [
    b"",
    b"\xff",
    b"null",
    b"1",
    b"[]",
    b"{}",
    b'"\\ud800"',
    b"[" * 100_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b"9" * 5_000,
    b'{"object": 1, "entry": [1, {"changes": 2, "messaging": [null]}], "update_id": 1, "message": []}',
]


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every value within a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [place for name, inner in children for place in places(inner, (*path, name))]


def with_value(value: Any, path: tuple[str | int, ...], other: Any) -> Any:
    """The JSON value with another one at a place."""
    if not path:
        return other
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_value(value[path[0]], path[1:], other)
    return copy


class WebhookContract(ABC):
    """Subclasses give the abstract members; the tests below then hold for their channel's webhook."""

    secret = "s3cret-of-the-webhook"

    @property
    @abstractmethod
    def name(self) -> str:
        """The channel's name."""

    @abstractmethod
    def signed(self, body: bytes) -> dict[str, str]:
        """The headers with which a webhook request of this body is genuine."""

    @property
    @abstractmethod
    def bodies(self) -> list[bytes]:
        """Genuine bodies of several kinds: JSON objects."""

    def handshake(self, token: str) -> dict[str, str] | None:
        """The query of a genuine handshake; None for a provider that makes none."""
        return None

    @property
    def spec(self) -> ChannelSpec:
        return registry.spec(self.name)

    @property
    def webhook(self) -> Webhook:
        assert self.spec.webhook is not None
        return self.spec.webhook

    def test_the_spec_is_found_under_its_name(self) -> None:
        assert self.name in registry.names()
        assert self.spec in registry.specs()
        assert self.spec.name == self.name
        assert self.spec.family

    def test_each_route_is_found_by_its_own_address(self) -> None:
        assert self.webhook.routes
        for route in self.webhook.routes:
            address = route.address(12)
            for path in (address.rstrip("/"), address.rstrip("/") + "/"):
                found = route.pattern.fullmatch(path)
                assert found
                assert route.names_sender == ("sender_id" in found.groupdict())
                if route.names_sender:
                    assert found["sender_id"] == "12"
            assert not route.pattern.fullmatch(address.rstrip("/") + "/more")
            assert not route.pattern.fullmatch("/other" + address)

    def test_only_a_genuine_webhook_is_accepted(self) -> None:
        verify, body = self.webhook.verify, self.bodies[0]
        genuine = self.signed(body)
        assert verify(genuine, body, (self.secret,))
        assert verify({name.upper(): value for name, value in genuine.items()}, body, (self.secret,))
        assert not verify(genuine, body, (self.secret + "x",))
        assert not verify(genuine, body, ())
        assert not verify(genuine, body, ("",))
        assert not verify({}, body, (self.secret,))
        assert not verify(dict.fromkeys(genuine, ""), body, ("",))
        assert not verify({name: value + "é\udcff" for name, value in genuine.items()}, body, (self.secret,))

    def test_any_of_several_secrets_is_good(self) -> None:
        verify, body = self.webhook.verify, self.bodies[0]
        assert verify(self.signed(body), body, ("other", self.secret))
        assert verify(self.signed(body), body, (self.secret, "other"))
        assert not verify(self.signed(body), body, ("other", "another"))

    def test_the_proof_is_in_the_headers_that_are_declared(self) -> None:
        body = self.bodies[0]
        genuine = {name: value for name, value in self.signed(body).items() if name.lower() in self.webhook.headers}
        assert self.webhook.verify(genuine, body, (self.secret,))
        assert all(name == name.lower() for name in self.webhook.headers)

    def test_the_body_counts_unless_the_headers_alone_are_the_proof(self) -> None:
        body = self.bodies[0]
        for other in (b"", body + b" ", body[:-1]):
            assert self.webhook.verify(self.signed(body), other, (self.secret,)) is self.webhook.header_only

    def test_only_a_genuine_handshake_is_answered(self) -> None:
        query, handshake = self.handshake("t0ken"), self.webhook.handshake
        assert (query is None) == (handshake is None)
        if query is None or handshake is None:
            return
        assert handshake(query, ("other", "t0ken")) in query.values()
        for tokens in ((), ("",), ("other",)):
            assert handshake(query, tokens) is None
        for name in query:
            assert handshake({key: value for key, value in query.items() if key != name}, ("t0ken",)) is None

    def test_genuine_bodies_have_items_and_known_events(self) -> None:
        for body in self.bodies:
            items = self.webhook.split(body)
            assert all(item.kind != UNPARSABLE for item in items)
            for item in items:
                assert not any(isinstance(event, Parked) for event in self.webhook.parse(item.piece))

    def test_any_bytes_have_keys_and_events(self) -> None:
        # Made for each channel: hypothesis takes one function for one test.
        @settings(max_examples=150, deadline=None, derandomize=True, database=None)
        @given(st.one_of(st.binary(max_size=200), JSON.map(lambda value: richtext.storable(str(value)).encode())))
        def check(body: bytes) -> None:
            self.assert_tolerant(body)

        check()

    def test_a_genuine_body_with_anything_in_any_place_has_keys_and_events(self) -> None:
        @settings(max_examples=200, deadline=None, derandomize=True, database=None)
        @given(st.data())
        def check(data: st.DataObject) -> None:
            body = json.loads(data.draw(st.sampled_from(self.bodies)))
            for _ in range(data.draw(st.integers(1, 3))):
                body = with_value(body, data.draw(st.sampled_from(places(body))), data.draw(JSON))
            self.assert_tolerant(json.dumps(body).encode())

        check()

    @pytest.mark.parametrize("body", ODD_BODIES, ids=range(len(ODD_BODIES)))
    def test_odd_bodies_have_keys_and_events(self, body: bytes) -> None:
        self.assert_tolerant(body)
        assert isinstance(self.webhook.verify(self.signed(body), body, (self.secret,)), bool)

    def assert_tolerant(self, body: bytes) -> None:
        items = self.webhook.split(body)
        assert items
        assert items == self.webhook.split(body)
        for item in items:
            assert all(0 < len(key) <= MAX_KEY for key in (item.dedupe_key, item.conversation_key, item.kind))
            assert self.webhook.split(item.piece) == [item], "a piece is a body with this item alone"
            events = self.webhook.parse(item.piece)
            assert events
            for event in events:
                assert isinstance(event, InboundEvent)
                if isinstance(event, Parked | Ignored):
                    repr(event).encode()
