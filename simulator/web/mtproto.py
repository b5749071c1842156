"""`/control/mtproto…`: the server of people's accounts: its address and key, settings, faults, the log."""

from __future__ import annotations

from aiohttp import web

from simulator.engine import Engine
from simulator.errors import invalid, not_found
from simulator.model import JSON
from simulator.web.body import NUMBER, Body, answering, reply
from simulator.web.bot_api import ENGINE

KEY_PATH = "/control/mtproto/key.pem"


def routes() -> list[web.RouteDef]:
    """Their addresses."""
    return [
        web.get("/control/mtproto", answering(describe_server)),
        web.get(KEY_PATH, public_key),
        web.post("/control/mtproto/cut", answering(cut)),
        web.get("/control/mtproto/settings", answering(show_settings)),
        web.patch("/control/mtproto/settings", answering(set_settings)),
        web.get("/control/mtproto/faults", answering(list_faults)),
        web.post("/control/mtproto/faults", answering(add_fault)),
        web.delete("/control/mtproto/faults", answering(clear_faults)),
        web.delete("/control/mtproto/faults/{fault}", answering(remove_fault)),
        web.get("/control/mtproto/log", answering(log)),
        web.delete("/control/mtproto/log", answering(clear_log)),
    ]


def describe_server(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Where accounts connect: `server` is what a client is told in one value."""
    if engine.mtproto is None:
        raise not_found("the port for accounts")
    host, port = engine.mtproto.address
    http = f"http://{request.host}"
    return {
        "server": f"tcp://{host}:{port}?key={http}{KEY_PATH}",
        "host": host,
        "port": port,
        "dc": 2,
        "public_key": engine.mtproto.key.public_pem,
        "fingerprint": str(engine.mtproto.key.fingerprint),
        "connections": len(engine.mtproto.connections),
    }


async def public_key(request: web.Request) -> web.Response:
    """The public half of the server's key, PKCS#1 in PEM."""
    server = request.app[ENGINE].mtproto
    if server is None:
        raise web.HTTPNotFound
    return web.Response(text=server.key.public_pem, content_type="application/x-pem-file")


def cut(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Close every connection."""
    return {"closed": engine.mtproto.cut() if engine.mtproto is not None else 0}


def show_settings(engine: Engine, body: Body, request: web.Request) -> JSON:
    """What is turned how."""
    return engine.account_settings.describe()


def set_settings(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Change some settings."""
    engine.account_settings.change(body.values)
    return engine.account_settings.describe()


def list_faults(engine: Engine, body: Body, request: web.Request) -> JSON:
    """The rules, with how often each struck."""
    return {"faults": [rule.describe() for rule in engine.account_faults.rules]}


def add_fault(engine: Engine, body: Body, request: web.Request) -> web.Response:
    """A rule; `account` and `peer` may be a username or +phone."""
    values = dict(body.values)
    for name in ("account", "peer"):
        reference = body.reference(name)
        if reference is not None:
            values[name] = engine.world.accounts.named(reference).id
    return reply(engine.account_faults.add(values).describe(), 201)


def clear_faults(engine: Engine, body: Body, request: web.Request) -> JSON:
    """No faults any more."""
    engine.account_faults.clear()
    return {"status": "ok"}


def remove_fault(engine: Engine, body: Body, request: web.Request) -> JSON:
    """One rule less."""
    number = request.match_info["fault"]
    if not number.isdecimal() or not engine.account_faults.remove(int(number)):
        raise not_found("this fault")
    return {"status": "ok"}


def log(engine: Engine, body: Body, request: web.Request) -> JSON:
    """The log above `since`; filters `outcome`, `method`, `account`, `peer`, `random_id`, `limit`."""
    query = request.query
    wanted: JSON = {name: query[name] for name in ("outcome", "method", "random_id") if name in query}
    for name in ("account", "peer"):
        if name in query:
            wanted[name] = engine.world.accounts.named(query[name]).id
    numbers = {name: query.get(name, "0") for name in ("since", "limit")}
    if not all(NUMBER.fullmatch(value) for value in numbers.values()):
        raise invalid("since and limit must be numbers")
    since, limit = int(numbers["since"]), int(numbers["limit"])
    entries = engine.account_journal.read(since, limit, **wanted)
    complete = not limit or len(entries) < limit
    return {"entries": entries, "next": engine.account_journal.last if complete else entries[-1]["seq"]}


def clear_log(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Forget the entries in memory; numbering goes on."""
    engine.account_journal.clear()
    return {"next": engine.account_journal.last}
