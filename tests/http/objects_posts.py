"""The examples of posts, automation rules and webhooks; see `objects`."""

from __future__ import annotations

from typing import Any

from backend.models import User
from tests.http import holdings
from tests.http.objects import Example, example


@example("automation_rules.listing", "outgoing_webhooks.listing")
def _page(_caller: User) -> Example:
    return Example(query={"limit": 2})


@example("posts.listing")
def _posts(caller: User) -> Example:
    rule_id = holdings.rule(caller)
    return Example(query={"rule_id": rule_id, "state": "draft"}, foreign=[{"query": {"rule_id": rule_id}}])


@example("posts.create")
def _create_post(caller: User) -> Example:
    holdings.webhook(caller)
    body = {"platform": "x", "content": "Hello", "scheduled_at": "2040-01-01T09:00:00Z"}
    bot = holdings.bot(holdings.home(caller), chat_ids=("-1001234567890",))
    foreign: list[dict[str, Any]] = [
        {"json": body | {"user_id": caller.id}},
        {"json": body | {"media": [{"kind": "document", "file_id": holdings.file(caller)}]}},
        {"json": {"platform": "telegram", "content": "Hello", "target": {"bot_id": bot.id}}},
    ]
    return Example(json=body, status=201, foreign=foreign)


@example("posts.show")
def _post(caller: User) -> Example:
    return Example(path={"post_id": holdings.post(caller)})


@example("posts.change")
def _change_post(caller: User) -> Example:
    return Example(path={"post_id": holdings.post(caller)}, json={"content": "Better", "likes": 1234})


@example("posts.cancel")
def _cancel_post(caller: User) -> Example:
    return Example(path={"post_id": holdings.post(caller)})


@example("posts.retry")
def _retry_post(caller: User) -> Example:
    return Example(path={"post_id": holdings.post(caller, state="failed")}, status=202)


@example("posts.report_result")
def _post_result(caller: User) -> Example:
    post_id = holdings.post(caller, state="publishing")
    return Example(path={"post_id": post_id}, json={"outcome": "published", "post_url": "https://example.com/p/1"})


@example("posts.resolve")
def _resolve_post(caller: User) -> Example:
    return Example(path={"post_id": holdings.post(caller, state="unknown")}, json={"outcome": "retry"})


@example("automation_rules.create")
def _create_rule(caller: User) -> Example:
    holdings.webhook(caller)
    body = {
        "platforms": ["x"],
        "content": "Hello on {date}",
        "timing": {"kind": "cron", "cron": "0 9 * * 1", "timezone": "Asia/Seoul"},
    }
    bot = holdings.bot(holdings.home(caller), chat_ids=("-1001234567890",))
    foreign: list[dict[str, Any]] = [
        {"json": body | {"user_id": caller.id}},
        {"json": body | {"platforms": ["telegram"], "targets": {"telegram": {"bot_id": bot.id}}}},
    ]
    return Example(json=body, status=201, foreign=foreign)


@example("automation_rules.show", "automation_rules.runs")
def _rule(caller: User) -> Example:
    return Example(path={"rule_id": holdings.rule(caller)})


@example("automation_rules.change")
def _change_rule(caller: User) -> Example:
    body = {"name": "Mondays", "timing": {"kind": "interval", "interval_seconds": 3600}, "enabled": False}
    return Example(path={"rule_id": holdings.rule(caller)}, json=body)


@example("automation_rules.remove")
def _remove_rule(caller: User) -> Example:
    return Example(path={"rule_id": holdings.rule(caller)}, status=204)


@example("automation_rules.run")
def _run_rule(caller: User) -> Example:
    return Example(path={"rule_id": holdings.rule(caller)}, status=202)


@example("outgoing_webhooks.event_types")
def _event_types(_caller: User) -> Example:
    return Example()


@example("outgoing_webhooks.create")
def _create_webhook(_caller: User) -> Example:
    return Example(json={"url": "https://93.184.216.34/hooks", "events": ["post.*"]}, status=201)


@example("outgoing_webhooks.show")
def _webhook_shown(caller: User) -> Example:
    return Example(path={"webhook_id": holdings.webhook(caller)})


@example("outgoing_webhooks.change")
def _change_webhook(caller: User) -> Example:
    return Example(path={"webhook_id": holdings.webhook(caller)}, json={"name": "The shop", "enabled": False})


@example("outgoing_webhooks.remove")
def _remove_webhook(caller: User) -> Example:
    return Example(path={"webhook_id": holdings.webhook(caller)}, status=204)


@example("outgoing_webhooks.rotate_secret")
def _rotate_webhook(caller: User) -> Example:
    return Example(path={"webhook_id": holdings.webhook(caller)})


@example("outgoing_webhooks.reveal_secret")
def _reveal_webhook(caller: User) -> Example:
    return Example(path={"webhook_id": holdings.environment_webhook(caller)})


@example("outgoing_webhooks.send_test")
def _test_webhook(caller: User) -> Example:
    return Example(path={"webhook_id": holdings.webhook(caller)}, status=202)


@example("outgoing_webhooks.deliveries")
def _deliveries(caller: User) -> Example:
    webhook_id = holdings.webhook(caller)
    return Example(query={"webhook_id": webhook_id}, foreign=[{"query": {"webhook_id": webhook_id}}])


@example("outgoing_webhooks.show_delivery")
def _delivery(caller: User) -> Example:
    return Example(path={"delivery_id": holdings.delivery(caller)})


@example("outgoing_webhooks.replay")
def _replay(caller: User) -> Example:
    return Example(path={"delivery_id": holdings.delivery(caller)}, status=202)
