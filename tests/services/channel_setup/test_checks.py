"""The checks: what Meta's answers mean, what is kept when it does not answer, and who is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from backend.core import clock, config, i18n
from backend.core.database import db, system_scope
from backend.core.work import Turn
from backend.models import Alert, ChannelSetup, Sender, Workspace
from backend.services.channel_setup import catalog, checks, results, states, work
from backend.services.channel_setup.results import Result
from tests.services.channel_setup import integrations
from tests.support import graph_api
from tests.support.graph_api import (
    APP_ID,
    INSTAGRAM_ID,
    NUMBER_ID,
    PAGE_ID,
    TOKEN,
    WABA_ID,
    Graph,
    Refusal,
    token_answer,
)


def found(sender: Sender) -> dict[str, Result]:
    """The checks of this integration, made now, by their names."""
    checklist = checks.check(catalog.get(sender.id))
    db.session.commit()
    return {result.check: result for result in checklist.results}


def codes(sender: Sender) -> dict[str, str]:
    return {check: result.code for check, result in found(sender).items()}


def move(by: timedelta) -> None:
    clock.move(by.total_seconds())


def run_job() -> None:
    with system_scope("a test"):
        work.run(Turn(60.0))  # type: ignore[arg-type]
        db.session.commit()


def alerts() -> list[tuple[str, bool]]:
    rows = db.session.execute(select(Alert).order_by(Alert.id).execution_options(populate_existing=True)).scalars()
    return [(row.title, row.resolved_at is not None) for row in rows]


def test_everything_is_well_with_a_number(graph: Graph, number: Sender) -> None:
    assert codes(number) == {
        "secret": "secret_set",
        "verify_token": "verify_token_set",
        "token": "token_endless",
        "data_access": "data_access_endless",
        "permissions": "scopes_complete",
        "number": "number_connected",
        "quality": "quality_good",
        "subscription": "subscribed",
        "fields": "fields_complete",
        "inbound": "inbound_never",
        "development": "app_unproven",
        "version": "version_current",
        "unknown_items": "items_none",
    }
    asked = graph.called("GET debug_token")[0]
    assert (asked.query, asked.token) == ({"input_token": TOKEN}, TOKEN)
    assert graph.called(f"GET {APP_ID}/subscriptions")[0].token == f"{APP_ID}|example-app-secret"


def test_everything_is_well_with_a_page_and_with_an_account(graph: Graph, page: Sender, profile: Sender) -> None:
    for sender in (page, profile):
        states_of = {result.state for result in found(sender).values()}
        assert states_of <= {"ok", "waiting", "unknown"}
    assert found(page)["account"].values == {"name": "Example page"}
    assert found(profile)["account"].values == {"name": "example.account"}
    assert "permissions" not in found(profile)


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        (
            "GET debug_token",
            token_answer(is_valid=False, error={"message": "Session ended"}),
            ("token", "token_refused"),
        ),
        ("GET debug_token", Refusal(401, 190, "Error validating"), ("token", "token_refused")),
        ("GET debug_token", Refusal(401, 190, "Expired", subcode=463), ("token", "token_expired")),
        ("GET debug_token", token_answer(scopes=["whatsapp_business_messaging"]), ("permissions", "scopes_missing")),
        (f"GET {WABA_ID}/subscribed_apps", {"data": []}, ("subscription", "subscription_lost")),
        (
            f"GET {WABA_ID}/subscribed_apps",
            {"data": [{"whatsapp_business_api_data": {"id": "999"}}]},
            ("subscription", "subscription_lost"),
        ),
        (
            f"GET {WABA_ID}/subscribed_apps",
            {"data": [{"whatsapp_business_api_data": {"id": APP_ID}, "override_callback_uri": "https://x.example/w"}]},
            ("subscription", "subscribed_elsewhere"),
        ),
        (f"GET {WABA_ID}/subscribed_apps", Refusal(403, 200, "Denied"), ("subscription", "not_permitted")),
        (f"GET {APP_ID}/subscriptions", {"data": []}, ("fields", "fields_untold")),
        (
            f"GET {APP_ID}/subscriptions",
            {"data": [{"object": "whatsapp_business_account", "fields": ["account_update"]}]},
            ("fields", "fields_missing"),
        ),
        (f"GET {NUMBER_ID}", {"id": NUMBER_ID, "platform_type": "NOT_APPLICABLE"}, ("number", "number_unregistered")),
        (f"GET {NUMBER_ID}", {"id": NUMBER_ID, "status": "BANNED"}, ("number", "number_restricted")),
        (f"GET {NUMBER_ID}", {"id": NUMBER_ID, "status": "MADE_UP"}, ("number", "number_in_doubt")),
        (f"GET {NUMBER_ID}", {"id": NUMBER_ID, "is_on_biz_app": True}, ("number", "number_on_phone")),
        (f"GET {NUMBER_ID}", {"id": NUMBER_ID, "quality_rating": "RED"}, ("quality", "quality_low")),
    ],
)
def test_what_an_answer_means(
    graph: Graph, number: Sender, question: str, answer: Any, expected: tuple[str, str]
) -> None:
    graph.answers[question] = answer
    assert codes(number)[expected[0]] == expected[1]


@pytest.mark.parametrize(
    "absurd",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"data": null}',
        b'{"data": [null, 1, "x", []]}',
        b'{"data": {"is_valid": "yes", "scopes": 3}}',
        b'{"data": {"is_valid": true, "scopes": [1, {}], "expires_at": 1e400}}',
        b'{"data": {"is_valid": true, "expires_at": -99999999999999999999}}',
        b'{"id": {"a": 1}, "status": [], "throughput": "x"}',
        b"<html>",
        b'{"data": [{"subscribed_fields": {"a": 1}, "id": [1]}]}',
        b'{"success": "\xff"}',
    ],
)
def test_an_absurd_answer_is_an_answer_to_nothing(
    graph: Graph, number: Sender, page: Sender, profile: Sender, absurd: bytes
) -> None:
    graph.answers = dict.fromkeys(graph.answers, absurd)
    for sender in (number, page, profile):
        for result in found(sender).values():
            assert result.state in results.STATES
            for locale in i18n.LOCALES:
                assert result.text(locale)
                assert result.name(locale)
                assert result.hint(locale) is None or result.hint(locale)


def test_the_end_of_a_token_is_told_before(graph: Graph, number: Sender) -> None:
    for left, expected in ((30, "token_valid"), (5, "token_expiring"), (-1, "token_expired")):
        ends = clock.now() + timedelta(days=left)
        graph.answers["GET debug_token"] = token_answer(expires_at=int(ends.timestamp()))
        result = found(number)["token"]
        assert result.code == expected
        assert result.values["date"] == f"{ends:%Y-%m-%d}"


def test_what_is_not_answered_stands_as_it_was_found_last(graph: Graph, number: Sender) -> None:
    first = found(number)
    move(timedelta(hours=1))
    graph.refuse(Refusal(500))
    checklist = checks.check(catalog.get(number.id))
    db.session.commit()
    again = {result.check: result for result in checklist.results}
    assert not checklist.asked
    assert again["subscription"] == first["subscription"]
    assert again["token"] == first["token"]
    assert checklist.checked_at is not None
    assert clock.now() - checklist.checked_at >= timedelta(hours=1)


def test_what_was_never_answered_says_why(graph: Graph, number: Sender) -> None:
    graph.refuse(Refusal(429, 4, "Too many calls", retry_after=3600))
    result = found(number)["subscription"]
    assert (result.state, result.code, result.values["reason"]) == ("unknown", "not_asked", "rate_limited")
    assert "called less often" in (result.hint("en") or "")


def test_a_number_without_the_id_of_its_account_says_so(graph: Graph, home: Workspace) -> None:
    number = integrations.whatsapp(waba_id=None)
    result = found(number)["subscription"]
    assert (result.state, result.code, result.action) == ("failed", "object_unknown", "change")


def test_a_token_of_another_page_is_told(graph: Graph, page: Sender) -> None:
    graph.answers[f"GET {PAGE_ID}"] = {"id": "999", "name": "Another page"}
    assert found(page)["account"].code == "account_other"
    assert f"GET {INSTAGRAM_ID}" not in [f"{call.method} {call.path}" for call in graph.calls]


@pytest.mark.parametrize(
    ("version", "day", "code", "state"),
    [
        ("v19.0", date(2026, 11, 30), "version_ended", "warning"),
        ("v21.0", date(2026, 11, 30), "version_ending", "warning"),
        ("v24.0", date(2026, 11, 30), "version_lasting", "ok"),
        ("v26.0", date(2026, 11, 30), "version_current", "ok"),
        ("v1.0", date(2026, 11, 30), "version_ended", "warning"),
    ],
)
def test_the_end_of_the_api_version_is_told(
    graph: Graph, number: Sender, version: str, day: date, code: str, state: str
) -> None:
    move(datetime(day.year, day.month, day.day, 12, tzinfo=UTC) - clock.now())
    config.use(config.get().model_copy(update={"meta_api_version": version}))
    result = found(number)["version"]
    assert (result.code, result.state) == (code, state)


def test_a_check_stops_neither_sending_nor_receiving(graph: Graph, number: Sender) -> None:
    graph.refuse(Refusal(401, 190, "Error validating access token"))
    assert found(number)["token"].state == "failed"
    assert catalog.get(number.id).is_active


def test_a_lost_subscription_is_an_alert_until_it_is_mended(graph: Graph, number: Sender) -> None:
    run_job()
    assert alerts() == []
    graph.answers[f"GET {WABA_ID}/subscribed_apps"] = {"data": []}
    move(states.EVERY)
    run_job()
    assert alerts() == [("Whatsapp Lettings: messages do not come in", False)]
    # Nothing new is said while Meta is away, nor is it called mended.
    move(states.EVERY)
    graph.refuse(Refusal(503))
    run_job()
    assert alerts() == [("Whatsapp Lettings: messages do not come in", False)]
    move(timedelta(days=1))
    with_good_answers(graph)
    run_job()
    assert alerts() == [("Whatsapp Lettings: messages do not come in", True)]


def test_nobody_is_told_of_what_is_still_being_set_up(graph: Graph, number: Sender) -> None:
    graph.answers[f"GET {WABA_ID}/subscribed_apps"] = {"data": []}
    run_job()
    assert alerts() == []
    move(states.GRACE + timedelta(hours=1))
    run_job()
    assert alerts() == [("Whatsapp Lettings: messages do not come in", False)]


def test_an_expiring_token_is_an_alert_and_a_new_one_ends_it(graph: Graph, number: Sender) -> None:
    run_job()
    ends = clock.now() + timedelta(days=3)
    graph.answers["GET debug_token"] = token_answer(expires_at=int(ends.timestamp()))
    move(states.EVERY)
    run_job()
    assert [resolved for _, resolved in alerts()] == [False]
    graph.answers["GET debug_token"] = token_answer()
    catalog.change(integrations.BY, number.id, {"access_token": "EAAB-EXAMPLE-another-token"})
    db.session.commit()
    run_job()
    assert [resolved for _, resolved in alerts()] == [True]


def test_removing_an_integration_ends_its_alerts(graph: Graph, number: Sender) -> None:
    run_job()
    graph.answers[f"GET {WABA_ID}/subscribed_apps"] = {"data": []}
    move(states.EVERY)
    run_job()
    catalog.remove(integrations.BY, number.id)
    db.session.commit()
    assert [resolved for _, resolved in alerts()] == [True]
    run_job()


def test_the_job_asks_again_after_a_rest_that_grows(graph: Graph, number: Sender) -> None:
    graph.refuse(Refusal(500))
    rests = []
    for _ in range(7):
        run_job()
        setup = setup_of(number)
        rests.append(round((setup.check_at - clock.now()) / timedelta(minutes=1)))
        move(timedelta(minutes=rests[-1] + 1))
    assert rests == [15, 30, 60, 120, 240, 360, 360]


def test_a_request_to_wait_is_kept(graph: Graph, number: Sender) -> None:
    graph.refuse(Refusal(400, 4, "Too many calls", retry_after=7200))
    run_job()
    assert timedelta(minutes=119) < setup_of(number).check_at - clock.now() <= timedelta(hours=2)


def test_another_process_that_has_begun_is_left_to_it(graph: Graph, number: Sender) -> None:
    asked = []

    def meanwhile(call: object) -> dict[str, Any]:
        asked.append(call)
        return token_answer()

    graph.answers["GET debug_token"] = meanwhile
    with system_scope("a test"):
        assert work.check_due(number.id)
        assert not work.check_due(number.id)
    assert len(asked) == 1


def test_the_checks_are_repeated_by_themselves(graph: Graph, number: Sender) -> None:
    run_job()
    first = setup_of(number).checked_at
    run_job()
    assert setup_of(number).checked_at == first
    move(timedelta(days=1))
    run_job()
    assert setup_of(number).checked_at != first


def setup_of(sender: Sender) -> ChannelSetup:
    with system_scope("a test"):
        return db.session.execute(
            select(ChannelSetup).where(ChannelSetup.sender_id == sender.id).execution_options(populate_existing=True)
        ).scalar_one()


def with_good_answers(graph: Graph) -> None:
    """Everything is well again."""
    graph.answers = graph_api.good()
