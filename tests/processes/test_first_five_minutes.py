"""The main job, end to end, over all processes: link, event, notification, buttons, edits, unlink."""

from __future__ import annotations

import pytest

from tests.support.installation import Installation, wait_for

pytestmark = pytest.mark.slow

POST = {"platform": "instagram", "content": "Spring sale", "likes": 1234, "comments": 56}


@pytest.fixture
def running(installation: Installation) -> Installation:
    installation.start_web()
    installation.start_worker()
    installation.register()
    installation.register_webhook()
    return installation


def texts(running: Installation, person: object) -> list[str]:
    return [message.get("text", "") for message in running.box.transcript(person)]


def test_a_person_links_gets_a_notification_presses_its_button_and_sees_it_change(running: Installation) -> None:
    person = running.link()
    wait_for(lambda: any("Linked successfully" in text for text in texts(running, person)), 10, "the bot's word")
    status = running.api("GET", "/api/telegram/status", status=200)
    assert status["telegram_chat_id"] == str(person["id"])

    event = {"type": "post_success", "subject": "post:1", "version": 1, "data": POST}
    answer = running.api("POST", "/api/events", event, status=202)
    assert answer["decision"] == "queued"
    shown = wait_for(
        lambda: next((m for m in running.box.transcript(person) if "Spring sale" in m.get("text", "")), None),
        10,
        "the notification",
    )
    assert shown is not None
    assert "1,234" in shown["text"]
    wait_for(lambda: running.api("GET", f"/api/messages/{answer['message_id']}")["state"] == "sent", 10, "the record")

    more = event | {"version": 2, "data": POST | {"likes": 2000}}
    assert running.api("POST", "/api/events", more, status=202)["message_id"] == answer["message_id"]
    wait_for(lambda: any("2,000" in text for text in texts(running, person)), 10, "the edit")
    assert sum("Spring sale" in text for text in texts(running, person)) == 1
    assert running.api("POST", "/api/events", event, status=202)["reason"] == "stale_version"

    running.box.press(person, shown["message_id"], data="notify:mute:post_success")
    wait_for(lambda: all(one["answer"] is not None for one in running.box.answers()), 10, "the button's answer")
    muted = running.api("POST", "/api/events", {"type": "post_success", "data": POST}, status=202)
    assert (muted["decision"], muted["reason"]) == ("suppressed", "muted")


def test_blocking_the_bot_disables_the_link_and_start_restores_it(running: Installation) -> None:
    person = running.link()
    running.box.block(person)
    wait_for(lambda: not running.api("GET", "/api/telegram/status")["telegram_enabled"], 10, "the status")
    refused = running.api("POST", "/api/events", {"type": "post_success", "data": POST}, status=202)
    assert (refused["decision"], refused["reason"]) == ("suppressed", "blocked")
    running.box.unblock(person)
    running.box.start(person)
    wait_for(lambda: running.api("GET", "/api/telegram/status")["telegram_enabled"], 10, "the link")
    answer = running.api("POST", "/api/events", {"type": "post_success", "data": POST}, status=202)
    assert answer["decision"] == "queued"


def test_health_tells_that_the_sweep_and_the_tick_run(running: Installation) -> None:
    wait_for(lambda: running.http.get(f"{running.url}/health/ready", timeout=60).status_code == 200, 20, "readiness")


def test_a_malformed_update_does_not_block_those_behind_it_and_a_wrong_secret_stores_nothing(
    running: Installation,
) -> None:
    stored = "SELECT count(*) FROM webhook_events"
    before = running.rows(stored)
    for headers in ({}, {"X-Telegram-Bot-Api-Secret-Token": "wrong"}):
        answer = running.http.post(f"{running.url}/telegram/webhook", data=b"{}", headers=headers, timeout=60)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"]
    assert running.rows(stored) == before
    right = {"X-Telegram-Bot-Api-Secret-Token": running.environment["TELEGRAM_WEBHOOK_SECRET"]}
    for body in (b"{broken", b"\xff\xfe", b"", b"[]", b'{"update_id": "x"}', b'{"update_id": 1, "message": 7}'):
        answer = running.http.post(f"{running.url}/telegram/webhook", data=body, headers=right, timeout=60)
        assert answer.status_code == 200, (body, answer.text)
    huge = running.http.post(
        f"{running.url}/telegram/webhook", data=b"x" * (1024 * 1024 + 1), headers=right, timeout=60
    )
    assert huge.status_code == 413
    running.link()
