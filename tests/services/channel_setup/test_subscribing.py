"""Subscribing and registering: done at the provider, and verified there."""

from __future__ import annotations

from typing import Any

import pytest

from backend.core.database import db
from backend.core.errors import AppError, Conflict, Invalid, TooManyRequests, Unavailable
from backend.models import Sender, Workspace
from backend.services.channel_setup import catalog, subscribing
from tests.services.channel_setup import integrations
from tests.services.channel_setup.integrations import BY
from tests.support.graph_api import (
    APP_ID,
    INSTAGRAM_ID,
    NUMBER_ID,
    PAGE_ID,
    WABA_ID,
    Call,
    Graph,
    Refusal,
)


@pytest.fixture
def waba(graph: Graph) -> dict[str, Any]:
    """A WhatsApp account that is subscribed by asking for it, as at Meta."""
    state: dict[str, Any] = {"subscribed": False, "callback": None}

    def subscribe(call: Call) -> Any:
        if "override_callback_uri" in call.body:
            if not state["subscribed"]:
                return Refusal(400, 100, "Before override the current callback uri, your app must be subscribed")
            state["callback"] = call.body["override_callback_uri"]
        state["subscribed"] = True
        return {"success": True}

    def listed(_: Call) -> Any:
        entry: dict[str, Any] = {"whatsapp_business_api_data": {"id": APP_ID}}
        if state["callback"]:
            entry["override_callback_uri"] = state["callback"]
        return {"data": [entry] if state["subscribed"] else []}

    graph.answers[f"POST {WABA_ID}/subscribed_apps"] = subscribe
    graph.answers[f"GET {WABA_ID}/subscribed_apps"] = listed
    return state


def test_a_number_is_subscribed_plainly_and_then_to_its_own_address(
    waba: dict[str, Any], graph: Graph, number: Sender
) -> None:
    done = subscribing.subscribe(BY, number.id)
    db.session.commit()
    calls = graph.called(f"POST {WABA_ID}/subscribed_apps")
    assert [sorted(call.body) for call in calls] == [[], ["override_callback_uri", "verify_token"]]
    assert waba["callback"].endswith(f"/whatsapp/webhook/{number.id}")
    assert calls[1].body["verify_token"] == catalog.get(number.id).settings["verify_token"]
    assert done.address == "own"
    assert {result.check: result.code for result in done.checklist.results}["subscription"] == "subscribed"


def test_an_address_that_does_not_answer_is_told_and_the_subscription_stands(
    waba: dict[str, Any], graph: Graph, number: Sender
) -> None:
    plain = graph.answers[f"POST {WABA_ID}/subscribed_apps"]

    def unanswered(call: Call) -> Any:
        return Refusal(400, 2200, "Callback verification failed") if call.body else plain(call)

    graph.answers[f"POST {WABA_ID}/subscribed_apps"] = unanswered
    done = subscribing.subscribe(BY, number.id)
    assert (done.address, done.reason) == ("refused", "callback_unanswered")
    assert {result.check: result.state for result in done.checklist.results}["subscription"] == "ok"


def test_a_page_and_an_account_are_subscribed_with_their_fields(graph: Graph, page: Sender, profile: Sender) -> None:
    for sender in (page, profile):
        assert subscribing.subscribe(BY, sender.id).address == "application"
    (of_page,) = graph.called(f"POST {PAGE_ID}/subscribed_apps")
    assert "messages,message_echoes" in of_page.body["subscribed_fields"]
    (of_profile,) = graph.called(f"POST {INSTAGRAM_ID}/subscribed_apps")
    assert "messaging_seen" in of_profile.body["subscribed_fields"]


def test_what_was_done_and_did_not_take_effect_is_seen(graph: Graph, page: Sender) -> None:
    graph.answers[f"GET {PAGE_ID}/subscribed_apps"] = {"data": []}
    done = subscribing.subscribe(BY, page.id)
    assert {result.check: result.code for result in done.checklist.results}["subscription"] == "subscription_lost"


def test_a_number_is_registered_by_its_pin(graph: Graph, number: Sender) -> None:
    subscribing.register(BY, number.id, "123456")
    (call,) = graph.called(f"POST {NUMBER_ID}/register")
    assert call.body == {"messaging_product": "whatsapp", "pin": "123456"}


@pytest.mark.parametrize("pin", [None, "", "12345", "1234567", "12345a", "١٢٣٤٥٦"])
def test_a_pin_has_six_digits(graph: Graph, number: Sender, pin: str | None) -> None:
    with pytest.raises(Invalid, match="pin_malformed"):
        subscribing.register(BY, number.id, pin)
    assert graph.called(f"POST {NUMBER_ID}/register") == []


def test_only_a_number_is_registered(page: Sender) -> None:
    with pytest.raises(Conflict, match="not_whatsapp"):
        subscribing.register(BY, page.id, "123456")


@pytest.mark.parametrize(
    ("refusal", "kind", "code"),
    [
        (Refusal(400, 133005, "PIN mismatch"), Invalid, "pin_wrong"),
        (Refusal(400, 133016, "Too often", retry_after=60), TooManyRequests, "registered_too_often"),
        (Refusal(401, 190, "Revoked"), Invalid, "token_refused"),
        (Refusal(429, 4, "Slow down"), TooManyRequests, "rate_limited"),
        (Refusal(500), Unavailable, "meta_unavailable"),
        (Refusal(403, 200, "No permission"), Invalid, "permission_missing"),
    ],
)
def test_a_refusal_says_why_and_changes_nothing(
    graph: Graph, number: Sender, refusal: Refusal, kind: type[AppError], code: str
) -> None:
    graph.answers[f"POST {NUMBER_ID}/register"] = refusal
    graph.answers[f"POST {WABA_ID}/subscribed_apps"] = refusal
    for act in (lambda: subscribing.register(BY, number.id, "123456"), lambda: subscribing.subscribe(BY, number.id)):
        with pytest.raises(kind) as caught:
            act()
        assert caught.value.code == code
        db.session.rollback()
    assert catalog.get(number.id).is_active


def test_an_answer_that_confirms_nothing_is_no_success(graph: Graph, number: Sender) -> None:
    graph.answers[f"POST {NUMBER_ID}/register"] = {"success": "maybe"}
    with pytest.raises(Unavailable, match="meta_unavailable"):
        subscribing.register(BY, number.id, "123456")


def test_without_the_id_of_its_account_nothing_is_asked(graph: Graph, home: Workspace) -> None:
    number = integrations.whatsapp(waba_id=None)
    with pytest.raises(Invalid, match="object_unknown"):
        subscribing.subscribe(BY, number.id)
    assert graph.calls == []
