"""`/control/…`: the world's switches, for tests and for the phone page. Settings, bots, faults, the log, raw
updates.
"""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from simulator.engine import Engine
from simulator.errors import invalid, not_found
from simulator.model import JSON, Bot
from simulator.settings import change_settings
from simulator.web.body import NUMBER, Body, answering, reply


def routes() -> list[web.RouteDef]:
    """Their addresses."""
    return [
        web.get("/control/health", answering(health)),
        web.get("/control/state", answering(state)),
        web.post("/control/reset", answering(reset)),
        web.get("/control/settings", answering(lambda engine, body, request: engine.settings.describe())),
        web.patch("/control/settings", answering(set_settings)),
        web.get("/control/bots", answering(list_bots)),
        web.post("/control/bots", answering(add_bot)),
        web.post("/control/bots/{bot}/revoke", answering(revoke)),
        web.get("/control/bots/{bot}/deliveries", answering(deliveries)),
        web.get("/control/bots/{bot}/updates", answering(updates)),
        web.get("/control/faults", answering(list_faults)),
        web.post("/control/faults", answering(add_fault)),
        web.delete("/control/faults", answering(clear_faults)),
        web.delete("/control/faults/{fault}", answering(remove_fault)),
        web.get("/control/log", answering(log)),
        web.delete("/control/log", answering(clear_log)),
        web.post("/control/updates", answering(push_update)),
        web.get("/control/answers", answering(answers)),
    ]


def health(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Alive; `log` is the number of the newest entry."""
    return {"status": "ok", "log": engine.journal.last}


def describe_bot(engine: Engine, bot: Bot) -> JSON:
    """A bot as the control API shows it, token included: nothing here is secret."""
    chats = [*engine.world.private.values(), *engine.world.groups.values()]
    return {
        **bot.user(),
        "token": bot.token,
        "privacy": bot.privacy,
        "commands": bot.commands,
        "started_by": [chat.id for chat in chats if chat.bot_id == bot.id and chat.started],
        "pending_updates": len(engine.world.inboxes[bot.id].pending),
        "webhook_url": engine.world.inboxes[bot.id].webhook.url,
    }


def state(engine: Engine, body: Body, request: web.Request) -> JSON:
    """An overview."""
    world = engine.world
    return {
        "bots": [describe_bot(engine, bot) for bot in world.bots.values()],
        "people": [person.user() for person in world.people.values()],
        "chats": [world.chat_info(chat) for chat in world.groups.values()],
        "settings": engine.settings.describe(),
        "faults": [rule.describe() for rule in engine.faults.rules],
        "log": engine.journal.last,
    }


async def reset(engine: Engine, body: Body, request: web.Request) -> JSON:
    """An empty world; the demo people and chats again when `demo` is true."""
    await engine.reset()
    if body.get("demo", bool, False):
        from simulator.demo import populate

        populate(engine.world)
    return {"status": "ok"}


def set_settings(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Change some settings."""
    change_settings(engine.settings, body.values)
    if "rates" in body.values:
        engine.limiter.clear()
    return engine.settings.describe()


def list_bots(engine: Engine, body: Body, request: web.Request) -> JSON:
    """All bots."""
    return {"bots": [describe_bot(engine, bot) for bot in engine.world.bots.values()]}


def add_bot(engine: Engine, body: Body, request: web.Request) -> web.Response:
    """A new bot: `token`, `username`, `first_name`, `privacy`."""
    bot = engine.world.add_bot(
        body.get("token", str),
        body.get("username", str),
        body.get("first_name", str, ""),
        body.get("privacy", bool, True),
    )
    return reply(describe_bot(engine, bot), 201)


def revoke(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Revoke the token: it answers 401 from now on; the new one is told."""
    return {"token": engine.world.revoke_token(engine.world.bot(request.match_info["bot"]))}


def deliveries(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Every try to deliver an update to the present webhook."""
    sender = engine.senders.get(engine.world.bot(request.match_info["bot"]).id)
    return {"deliveries": list(sender.deliveries) if sender is not None else []}


def updates(engine: Engine, body: Body, request: web.Request) -> JSON:
    """The updates that wait for the bot."""
    inbox = engine.world.inboxes[engine.world.bot(request.match_info["bot"]).id]
    return {"updates": [_shown(pending.body) for pending in inbox.pending.values()]}


def _shown(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return content.decode("utf-8", "replace")


def list_faults(engine: Engine, body: Body, request: web.Request) -> JSON:
    """The rules, with how often each struck."""
    return {"faults": [rule.describe() for rule in engine.faults.rules]}


def add_fault(engine: Engine, body: Body, request: web.Request) -> web.Response:
    """A rule; `bot` may be a username, `method` is written in any case."""
    fields = dict(body.values)
    if "bot" in fields:
        fields["bot"] = engine.world.bot(body.reference("bot")).id
    return reply(engine.faults.add(fields).describe(), 201)


def clear_faults(engine: Engine, body: Body, request: web.Request) -> JSON:
    """No faults any more."""
    engine.faults.rules.clear()
    return {"status": "ok"}


def remove_fault(engine: Engine, body: Body, request: web.Request) -> JSON:
    """One rule less."""
    number = request.match_info["fault"]
    if not number.isdecimal() or not engine.faults.remove(int(number)):
        raise not_found("this fault")
    return {"status": "ok"}


def _number(request: web.Request, name: str) -> int:
    value = request.query.get(name, "0")
    if not NUMBER.fullmatch(value):
        raise invalid(f"{name} must be a number")
    return int(value)


def log(engine: Engine, body: Body, request: web.Request) -> JSON | web.Response:
    """The log above `since`; filters `outcome`, `method`, `bot`, `chat_id`, `limit`. `next` is what to give
    as `since` next.
    """
    query = request.query
    since, limit = _number(request, "since"), _number(request, "limit")
    wanted: JSON = {name: query[name] for name in ("outcome", "method") if name in query}
    if "bot" in query:
        wanted["bot"] = engine.world.bot(query["bot"]).id
    if "chat_id" in query:
        wanted["chat_id"] = _number(request, "chat_id")
    last = engine.journal.last
    if not wanted and not limit:
        return reply(b'{"entries":' + engine.journal.raw(since) + b',"next":' + str(last).encode() + b"}")
    entries = engine.journal.read(since, limit, **wanted)
    complete = not limit or len(entries) < limit
    return {"entries": entries, "next": last if complete else entries[-1]["seq"]}


def clear_log(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Forget the entries in memory; numbering goes on."""
    engine.journal.clear()
    return {"next": engine.journal.last}


def push_update(engine: Engine, body: Body, request: web.Request) -> web.Response:
    """Queue an update as given: `update` (an object without or with its `update_id`), or `raw`, any text at
    all.
    """
    inbox = engine.world.inboxes[engine.world.bot(body.reference("bot")).id]
    lifetime = engine.settings.update_lifetime
    raw = body.get("raw", str, "")
    queue = body.get("queue", str, "pushed")
    if raw:
        pending = inbox.add_raw("raw", raw.encode("utf-8", "surrogatepass"), queue, lifetime)
        return reply({"update_id": pending.id}, 201)
    update: JSON = body.get("update", dict)
    kind = next((name for name in update if name != "update_id"), "unknown")
    number = update.get("update_id")
    if number is not None and not isinstance(number, int):
        raise invalid("update_id must be a number")
    if number in inbox.pending:
        raise invalid("an update of this number is waiting already")
    content = orjson.dumps({**update, "update_id": inbox.free_id() if number is None else number})
    pending = inbox.add_raw(kind, content, queue, lifetime, update_id=number)
    return reply({"update_id": pending.id}, 201)


def answers(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Every press of a button, oldest first, with what the bot answered (`answer` is null until then)."""
    shown = [
        {
            "callback_query_id": press.id,
            "bot": press.bot_id,
            "person_id": press.person_id,
            "chat_id": press.chat_id,
            "message_id": press.message_id,
            "data": press.data,
            "answer": press.answer,
        }
        for press in engine.world.callbacks.values()
    ]
    return {"answers": shown}
