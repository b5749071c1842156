"""Posts, rules, summaries and webhooks with real processes: a simulated week, and SIGKILL at the worst moments.

The judge reads only what Telegram, Meta and the receiver got, and what the database holds.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tests.channels.scripted_server import ScriptedServer, answer, scripted_server
from tests.support.installation import Installation, wait_for
from tests.support.telegram_box import DEMO_TOKEN

pytestmark = pytest.mark.slow

START = datetime(2026, 10, 24, 12, tzinfo=UTC)
END = datetime(2026, 11, 1, 15, tzinfo=UTC)
"""In between, clocks are set back in Berlin (25 October) and in New York (1 November)."""
DOWN = datetime(2026, 10, 28, tzinfo=UTC)
STEPS = sorted(
    [START + timedelta(hours=12 * number) for number in range(1, 17)]
    # Between the two times that a clock shows half past one, or half past two.
    + [datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC), END]
)
SETS = ("first", "second", "third")


def jobs_have_run(installation: Installation, since: datetime) -> bool:
    """Whether both jobs have had a whole run at this time, and nothing is left of it."""
    done = installation.rows(
        "SELECT count(DISTINCT job) FROM job_runs WHERE state = 'succeeded' AND started_at >= %s"
        " AND job IN ('execute_scheduled_posts', 'telegram_daily_summary')",
        since,
    )
    left = installation.rows(
        "SELECT (SELECT count(*) FROM posts WHERE state = 'publishing' OR (state = 'scheduled' AND due_at <= %(now)s)),"
        " (SELECT count(*) FROM schedules WHERE enabled AND next_fire_at <= %(now)s),"
        " (SELECT count(*) FROM schedule_fires WHERE state = 'waiting')".replace("%(now)s", "%s"),
        since,
        since,
    )
    return done == [(2,)] and left == [(0, 0, 0)] and installation.settled()


def start_sets(installation: Installation) -> None:
    for name in SETS:
        installation.start_worker("dispatch", "jobs", name=name)


def said(installation: Installation) -> Counter[tuple[str, str]]:
    """How often each text was accepted in each chat."""
    return Counter(
        (str(entry["chat_id"]), entry.get("text") or "") for entry in installation.box.accepted("sendMessage")
    )


def test_in_a_week_each_post_and_each_summary_goes_out_once(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    installation.set_clock(START)
    installation.start_web()
    start_sets(installation)
    installation.register()
    installation.register_webhook()
    ada = installation.link("Ada")
    installation.api(
        "PATCH",
        "/api/notifications/settings",
        {"timezone": "America/New_York", "daily_summary_at": "01:30", "daily_summary_when_empty": True},
        status=200,
    )
    address = installation.api("GET", "/api/telegram/link-account?external_user_id=bea", status=200)["linking_url"]
    bea = installation.box.person("Bea")
    installation.box.open_link(bea, address)
    wait_for(lambda: len(installation.rows("SELECT 1 FROM telegram_links")) == 2, 30, "the second link")
    installation.rows("UPDATE users SET timezone = 'Europe/Berlin' WHERE external_user_id = 'bea' RETURNING id")
    installation.rows(
        "INSERT INTO notification_settings (workspace_id, user_id, daily_summary_at, daily_summary_when_empty, types,"
        " updated_at) SELECT workspace_id, id, '02:30', true, '{}', now() FROM users WHERE external_user_id = 'bea'"
        " RETURNING user_id"
    )
    group = installation.box.group("News", bots=[DEMO_TOKEN])
    place = {"chat_id": str(group["id"])}
    expected = []
    for number in range(16):
        at = START + timedelta(hours=1 + 12 * number, minutes=7 * number)
        text = f"Post number {number} of the week"
        body = {
            "platform": "telegram",
            "content": text,
            "target": place,
            "scheduled_at": at.isoformat(),
            "external_user_id": "bea",
        }
        installation.api("POST", "/api/posts", body, status=201)
        expected.append(text)
    rule = {
        "name": "Mornings",
        "platforms": ["telegram"],
        "targets": {"telegram": place},
        "content": "Morning of {date}, number {run}",
        "timing": {"kind": "cron", "cron": "30 1 * * *", "timezone": "America/New_York"},
    }
    installation.api("POST", "/api/automation-rules", rule, status=201)

    for now in STEPS:
        if DOWN < now < DOWN + timedelta(days=1):
            continue
        installation.set_clock(now)
        if now == DOWN + timedelta(days=1):
            start_sets(installation)
        wait_for(partial(jobs_have_run, installation, now), 60, f"what is due at {now}")
        if now == DOWN:
            for name in SETS:
                installation.kill(name)

    heard = said(installation)
    in_group = {text: count for (chat, text), count in heard.items() if chat == str(group["id"])}
    mornings = {text: count for text, count in in_group.items() if text.startswith("Morning")}
    with capsys.disabled():
        print(f"\na week: {len(expected)} posts, {len(mornings)} runs of a rule, summaries: ", end="")
    ended = installation.rows("SELECT state, reason, count(*) FROM posts GROUP BY state, reason")
    assert ended == [("published", None, len(expected) + len(mornings))]
    assert {text: in_group.get(text) for text in expected} == dict.fromkeys(expected, 1)
    # Of the mornings of the day on which nothing ran, one is made up for.
    assert set(mornings.values()) == {1}
    days = [date(2026, 10, 25) + timedelta(days=number) for number in range(8)]
    assert len(mornings) == len(days)
    for person in (ada, bea):
        told = Counter(
            text.rsplit("📅 ", 1)[-1].strip()
            for (chat, text), count in heard.items()
            for _ in range(count)
            if chat == str(person["id"]) and "📊" in text
        )
        with capsys.disabled():
            print(f"{sum(told.values())} ", end="")
        assert set(told.values()) == {1}, told
        # Of 24 October on, each day's on the next; nobody was linked when the one before was due.
        assert sorted(told) == [(day - timedelta(days=1)).isoformat() for day in days], told
    kinds = installation.rows("SELECT type, count(*) FROM notification_events GROUP BY type ORDER BY type")
    assert dict(kinds) == {
        "automation_executed": len(mornings),
        "daily_summary": 2 * len(days),
        "post_success": len(expected),
    }


def ok(**values: object) -> Any:
    return answer(200, values)


def published(server: ScriptedServer) -> Counter[str]:
    """How often each text was published on the Page."""
    return Counter(got.json["message"] for got in server.received if got.path.endswith("/feed"))


@pytest.mark.parametrize(("failpoint", "calls"), [("post.begun_not_published", 0), ("post.published_not_recorded", 1)])
def test_a_publisher_killed_around_its_call_leaves_a_question_and_never_repeats(
    installation: Installation, failpoint: str, calls: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted_server() as meta:
        # One answer for all: what the token may do is asked in between, whenever that is due.
        meta.script = [ok(id="11_22")] * 120
        installation.environment |= {"META_GRAPH_URL": meta.url, "META_PAGE_ACCESS_TOKEN": "EXAMPLE-not-a-real-token"}
        installation.start_web()
        installation.start_worker("dispatch", "jobs")
        installation.start_worker("dispatch", "jobs", name="standby")
        installation.register()
        installation.set_failpoints(f"{failpoint} kill")
        texts = []
        for number in range(3):
            before = installation.hits(failpoint)
            texts.append(f"Post {number}")
            body = {"platform": "facebook", "content": texts[-1], "target": {"page_id": "11"}}
            installation.api("POST", "/api/posts", body, status=201)
            # A lost wake-up costs a sweep, and the dead process a new one.
            wait_for(lambda: installation.hits(failpoint) > before, 60, f"a hit of {failpoint}")  # noqa: B023
        installation.set_failpoints()
        wait_for(
            lambda: installation.rows("SELECT count(*) FROM posts WHERE state <> 'unknown'") == [(0,)],
            60,
            "every post to be a question",
        )
        installation.move_clock(timedelta(days=2).total_seconds())
        ran = "SELECT count(*) FROM job_runs WHERE job = 'execute_scheduled_posts' AND started_at > now() + '1 day'"
        wait_for(lambda: installation.rows(ran)[0][0] >= 1, 30, "the job of two days later")
        reasons = installation.rows("SELECT DISTINCT state, reason FROM posts")
        with capsys.disabled():
            print(
                f"\n{failpoint}: {installation.hits(failpoint)} kills, published {sum(published(meta).values())} times"
            )
        assert reasons == [("unknown", "process_died")]
        assert [published(meta)[text] for text in texts] == [calls] * len(texts)


def test_a_webhook_whose_sender_was_killed_is_sent_again_with_the_same_id(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    failpoint = "outgoing.answered_not_recorded"
    with scripted_server() as receiver:
        receiver.script = [answer(200, b"", keep=False)] * 40
        installation.environment |= {"EGRESS_ALLOW_PRIVATE": "true"}
        installation.start_web()
        installation.start_worker("dispatch", "jobs")
        installation.register()
        body = {"url": f"{receiver.url}/hook", "events": ["*"]}
        webhook = installation.api("POST", "/api/webhooks", body, status=201)["id"]
        installation.set_failpoints(f"{failpoint} kill")
        sent = installation.api("POST", f"/api/webhooks/{webhook}/test", status=202)
        installation.wait_for_hit(failpoint, 0)
        installation.set_failpoints()
        lease = "SELECT state FROM outgoing_deliveries, outgoing_webhooks WHERE served_until > clock_timestamp()"
        assert installation.rows(lease) == [("due",)]
        assert len(receiver.received) == 1
        # It is on the database's clock, which does not move.
        installation.rows("UPDATE outgoing_webhooks SET served_until = clock_timestamp() RETURNING id")
        wait_for(
            lambda: installation.rows("SELECT state FROM outgoing_deliveries") == [("delivered",)],
            60,
            "the delivery after the dead one's lease",
        )
        ids = [json.loads(got.body)["id"] for got in receiver.received]
        with capsys.disabled():
            print(f"\n{failpoint}: {installation.hits(failpoint)} kills, told {len(ids)} times under one id")
        assert set(ids) == {sent["event_id"]}
        assert len(ids) == 2
