"""Rules: what is refused, when they run, and what is told of a run, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from backend.core import clock
from backend.core.database import db, workspace_scope
from backend.core.errors import AppError
from backend.models import Post, RuleRun, Sender, TelegramLink
from backend.services import automation_rules, outgoing_webhooks, posts
from backend.services.automation_rules import texts
from backend.services.scheduling import Timing
from tests.services.automation_rules.conftest import Make, fire
from tests.services.posts.conftest import Author
from tests.support import factories


def go_to(moment: str) -> None:
    clock.move((datetime.fromisoformat(moment).replace(tzinfo=UTC) - clock.now()).total_seconds())


def made() -> list[Post]:
    db.session.rollback()
    return list(db.session.scalars(select(Post).order_by(Post.id).execution_options(populate_existing=True)))


def result(post: Post, outcome: Any, **more: Any) -> None:
    posts.report_result(factories.by("token:1"), post.id, outcome, **more)
    db.session.commit()


@pytest.mark.parametrize(
    ("fields", "timing", "code"),
    [
        ({"content": "{nmae}"}, {}, "bad_template"),
        ({"content": "a } b"}, {}, "bad_template"),
        ({"content": " "}, {}, "post_empty"),
        ({"platforms": ["telegram"], "targets": {"telegram": {"bot_id": 99}}}, {}, "bot_not_found"),
        ({"media": [{"kind": "photo", "url": "http://127.0.0.1/a"}]}, {}, "private_address"),
        ({}, {"kind": "cron", "cron": "61 * * * *"}, "bad_cron"),
        ({}, {"kind": "cron", "cron": "0 9 * * *", "timezone": "Mars/Base"}, "unknown_timezone"),
        ({}, {"kind": "interval", "interval_seconds": 1}, "bad_interval"),
        ({}, {"kind": "once", "run_at": datetime(2020, 1, 1, tzinfo=UTC)}, "past_date"),
    ],
)
def test_what_could_not_run_is_refused_at_once(
    rule: Make, host: int, fields: dict[str, Any], timing: dict[str, Any], code: str
) -> None:
    db.session.commit()
    with pytest.raises(AppError) as refused:
        rule(
            *fields.pop("platforms", ["x"]), timing=Timing(**({"kind": "cron", "cron": "0 9 * * *"} | timing)), **fields
        )
    db.session.rollback()
    assert refused.value.code == code
    assert automation_rules.listing() == ([], None)


def test_a_platform_nobody_publishes_on_is_refused(rule: Make) -> None:
    with pytest.raises(AppError) as refused:
        rule("x")
    assert refused.value.code == "no_publisher"


def test_a_run_tells_once_who_succeeded_and_each_that_failed(
    rule: Make, host: int, author: Author, link: TelegramLink
) -> None:
    go_to("2026-02-25T23:59:00")
    found = rule("x", "tiktok", "threads", content="It is {weekday}, {date} {time}: {rule} #{run}")
    assert fire() == 0
    go_to("2026-02-26T00:00:05")
    assert fire() == 1
    assert fire() == 0
    assert [post.platform for post in made()] == ["x", "tiktok", "threads"]
    assert made()[0].content == f"It is Thursday, 2026-02-26 09:00: Auto-rule {found.id} #1"
    author.publish()
    x, tiktok, threads = made()
    result(tiktok, "failed", error="Not today")
    result(x, "published")
    assert author.told() == [], "one is still open"
    result(threads, "published")
    assert [(kind, data.get("platforms") or data.get("platform")) for kind, data, _ in author.told()] == [
        ("automation_executed", ["x", "threads"]),
        ("post_failure", "tiktok"),
    ]
    assert author.told()[0][1]["automation_name"] == f"Auto-rule {found.id}"
    assert author.told()[0][1]["execution_time"] == "2026-02-26 00:00 (UTC)"
    [run] = automation_rules.runs(found.id)[0]
    assert run.state == "finished"
    posts.change(factories.by("token:1"), x.id, {"likes": 5})
    db.session.commit()
    assert len(author.told()) == 2, "nobody was told of this post by itself"


def test_a_run_in_which_nothing_succeeded_tells_of_failures_only(
    rule: Make, host: int, author: Author, link: TelegramLink
) -> None:
    found = rule("x", "tiktok", name="Mondays")
    automation_rules.run_now(factories.by("user:1"), found.id)
    outgoing_webhooks.remove(factories.by("user:1"), host)
    fire()
    assert [(post.state, post.reason) for post in made()] == [("failed", "no_publisher")] * 2
    assert [kind for kind, _, _ in author.told()] == ["post_failure", "post_failure"]
    retried = made()[0]
    outgoing_webhooks.create(factories.by("user:1"), "https://93.184.216.34/h", ["*"])
    posts.retry(factories.by("user:1"), retried.id)
    author.publish()
    result(retried, "published")
    assert [kind for kind, _, _ in author.told()][2:] == ["post_success"], "the run is over: it speaks for itself"


def test_an_unknown_outcome_ends_the_run_and_stays_a_question(
    rule: Make, host: int, author: Author, link: TelegramLink
) -> None:
    found = rule("x", "tiktok")
    automation_rules.run_now(factories.by("user:1"), found.id)
    fire()
    author.publish()
    x, tiktok = made()
    result(x, "published")
    clock.move(25 * 3600)
    author.publish()
    assert [post.state for post in made()] == ["published", "unknown"]
    assert [kind for kind, _, _ in author.told()] == ["automation_executed", "post_failure"]
    posts.resolve(factories.by("user:1"), tiktok.id, "published")
    db.session.commit()
    assert [kind for kind, _, _ in author.told()][2:] == ["post_success"]


def test_a_run_dies_as_a_whole_or_not_at_all(
    rule: Make, host: int, author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rule("x", "tiktok")
    automation_rules.run_now(factories.by("user:1"), found.id)
    db.session.commit()
    schedule = posts.schedule
    calls = []

    def die(post: Post) -> None:
        calls.append(post)
        if len(calls) == 2:
            raise SystemExit
        schedule(post)

    monkeypatch.setattr(posts, "schedule", die)
    with pytest.raises(SystemExit):
        fire()
    db.session.rollback()
    assert made() == []
    monkeypatch.setattr(posts, "schedule", schedule)
    fire()
    fire()
    assert len(made()) == 2
    assert db.session.execute(select(func.count()).select_from(RuleRun)).scalar_one() == 1


def test_a_rule_is_changed_switched_off_and_removed(rule: Make, host: int, author: Author) -> None:
    go_to("2026-02-26T00:30:00")
    found = rule()
    automation_rules.change(
        factories.by("user:1"), found.id, {"name": "Noon"}, timing=Timing("cron", cron="0 12 * * *")
    )
    go_to("2026-02-26T12:00:05")
    assert fire() == 1
    automation_rules.change(factories.by("user:1"), found.id, {}, enabled=False)
    go_to("2026-02-27T12:00:05")
    assert fire() == 0
    automation_rules.change(factories.by("user:1"), found.id, {}, enabled=True)
    go_to("2026-02-28T12:00:05")
    assert fire() == 1
    automation_rules.remove(factories.by("user:1"), found.id)
    clock.move(3 * 86400)
    assert fire() == 0
    author.publish()
    assert [post.state for post in made()] == ["publishing"] * 2
    with pytest.raises(AppError):
        automation_rules.get(found.id)


def test_a_day_of_downtime_makes_one_late_run(rule: Make, host: int) -> None:
    go_to("2026-02-25T23:59:00")
    rule()
    clock.move(86400 + 3600)
    fire()
    assert len(made()) == 1


def test_another_workspaces_rule_is_not_there(rule: Make, host: int, news: Sender) -> None:
    found = rule()
    with workspace_scope(factories.workspace().id):
        for call in (
            lambda: automation_rules.get(found.id),
            lambda: automation_rules.change(factories.by("x"), found.id, {}),
            lambda: automation_rules.remove(factories.by("x"), found.id),
            lambda: automation_rules.run_now(factories.by("x"), found.id),
            lambda: automation_rules.runs(found.id),
            lambda: posts.listing(rule_id=found.id),
        ):
            with pytest.raises(AppError) as refused:
                call()
            assert refused.value.status == 404


def test_a_target_of_a_platform_that_the_rule_does_not_have_is_refused(rule: Make, host: int) -> None:
    with pytest.raises(AppError) as refused:
        rule("x", targets={"xx": {}})
    assert refused.value.code == "unknown_field"
    assert isinstance(refused.value.detail, list)
    assert [(fault["field"], fault["nearest"]) for fault in refused.value.detail] == [("targets.xx", "x")]
    kept = rule("x", targets={"x": {}})
    with pytest.raises(AppError):
        automation_rules.change(factories.by("user:1"), kept.id, {"targets": {"x": {}, "telegram": {}}})
    db.session.rollback()
    # What was stored before is not refused when its platform goes.
    changed = automation_rules.change(factories.by("user:1"), kept.id, {"platforms": ["tiktok"]})
    assert (changed.platforms, changed.targets) == (["tiktok"], {"x": {}})


def test_the_template_is_text_with_a_few_names() -> None:
    at = datetime(2026, 2, 26, 9, 5, tzinfo=UTC) + timedelta(0)
    given = texts.values(at, "Mondays", 3, "ko")
    assert texts.fill("{{x}} {date} {time} {weekday} {rule} {run}", given) == "{x} 2026-02-26 09:05 목요일 Mondays 3"
    assert texts.problem("{date} {{not}}") is None
    assert texts.problem("{date.year}") is not None
    assert texts.problem("{") is not None
