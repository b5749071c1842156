"""`/control/accounts…`: who has an account on Telegram, how it behaves, and where it is logged in."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from aiohttp import web

from simulator.accounts import logins, phone
from simulator.accounts.boxes import service_message
from simulator.accounts.model import CHOICES, Account, AuthKey
from simulator.engine import Engine
from simulator.errors import invalid
from simulator.model import JSON
from simulator.web.body import NUMBER, Body, answering, reply
from simulator.web.private_chats import account_of, describe_message


def routes() -> list[web.RouteDef]:
    """Their addresses."""
    actions = {"scan": scan, "confirm": confirm, "revoke": revoke, "notice": notice, "service": service, "cut": cut}
    return [
        web.get("/control/accounts", answering(list_accounts)),
        web.post("/control/accounts", answering(add_account)),
        web.get("/control/accounts/{account}", answering(show_account)),
        web.patch("/control/accounts/{account}", answering(change_account)),
        web.get("/control/accounts/{account}/codes", answering(codes)),
        web.get("/control/accounts/{account}/logins", answering(list_logins)),
        *[web.post(f"/control/accounts/{{account}}/{name}", answering(action)) for name, action in actions.items()],
    ]


def describe(engine: Engine, account: Account) -> JSON:
    """An account as the control API shows it, password included: nothing here is secret."""
    person = engine.world.accounts.person(account.id)
    return {
        **person.user(),
        "phone": account.phone,
        "password": account.password,
        "hint": account.hint,
        "about": account.about,
        "dc": account.dc,
        "deactivated": person.deactivated,
        "pts": account.pts,
        "blocked": account.blocked,
        "contacts": list(account.contacts),
        "logins": len(engine.world.accounts.keys_of(account)),
        **asdict(account.conduct),
    }


def list_accounts(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Everybody with a phone number."""
    accounts = [account for account in engine.world.accounts.accounts.values() if account.phone]
    return {"accounts": [describe(engine, account) for account in accounts]}


def add_account(engine: Engine, body: Body, request: web.Request) -> web.Response:
    """An account: `phone`, for an existing `person` or a new one (`first_name`, `last_name`, `username`,
    `language_code`, `is_premium`), and what can be changed later.
    """
    directory = engine.world.accounts
    number = body.get("phone", str)
    reference = body.reference("person")
    directory.free_phone(number)
    _check(body)
    if reference is None:
        person = engine.world.add_person(
            body.get("first_name", str, "Sam"),
            body.get("id", int, 0),
            last_name=body.get("last_name", str, ""),
            username=body.get("username", str, ""),
            language_code=body.get("language_code", str, "en"),
            is_premium=body.get("is_premium", bool, False),
        )
    else:
        person = engine.world.person(reference)
    account = directory.add(person, number)
    _change(engine, account, body)
    return reply(describe(engine, account), 201)


def show_account(engine: Engine, body: Body, request: web.Request) -> JSON:
    """One account."""
    return describe(engine, account_of(engine, request))


def change_account(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Change `phone`, `username` (taken from whoever has it), `first_name`, `last_name`, `is_premium`, `deactivated`,
    `password`, `hint`, `about`, `dc`, and the account's conduct.
    """
    account = account_of(engine, request)
    directory = engine.world.accounts
    person = directory.person(account.id)
    _check(body)
    # Everything is read before anything is changed.
    username = body.get("username", str, person.username)
    texts = {name: body.get(name, str, getattr(person, name)) for name in ("first_name", "last_name")}
    switches = {name: body.get(name, bool, getattr(person, name)) for name in ("is_premium", "deactivated")}
    directory.check_username(username)
    if "phone" in body.values:
        directory.add(person, body.get("phone", str))
    if username != person.username:
        directory.rename(person, username)
    for name, value in {**texts, **switches}.items():
        setattr(person, name, value)
    _change(engine, account, body)
    return describe(engine, account)


TEXTS = ("password", "hint", "about")


def _check(body: Body) -> None:
    """Raises ControlError 422 for a value of conduct that does not exist, before anything is changed."""
    known = Account(0)
    for field in fields(known.conduct):
        present = getattr(known.conduct, field.name)
        value: Any = body.values.get(field.name)
        if value is None:
            continue
        if isinstance(present, float) and isinstance(value, int) and not isinstance(value, bool):
            value = body.values[field.name] = float(value)
        if type(value) is not type(present):
            raise invalid(f"{field.name} must be of type {type(present).__name__}")
        if value not in CHOICES.get(field.name, (value,)):
            raise invalid(f"{field.name} must be one of {', '.join(map(str, CHOICES[field.name]))}")
    if body.get("dc", int, 2) not in range(1, 6):
        raise invalid("dc must be 1 to 5")
    for name in TEXTS:
        body.get(name, str, "")


def _change(engine: Engine, account: Account, body: Body) -> None:
    for field in fields(account.conduct):
        if body.values.get(field.name) is not None:
            setattr(account.conduct, field.name, body.values[field.name])
    for name in TEXTS:
        setattr(account, name, body.get(name, str, getattr(account, name)))
    account.dc = body.get("dc", int, account.dc)
    engine.world.touch()


# ---- logins


def codes(engine: Engine, body: Body, request: web.Request) -> JSON:
    """The login codes of an account's number, oldest first."""
    account = account_of(engine, request)
    return {"codes": [asdict(code) for code in engine.world.accounts.codes if code.phone == account.phone]}


def _login(key: AuthKey) -> JSON:
    shown = asdict(key)
    return {name: shown[name] for name in ("unconfirmed", "device", "system", "application", "created", "active")} | {
        "hash": str(key.hash),
        "key": str(key.id),
    }


def list_logins(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Where the account is logged in."""
    keys = engine.world.accounts.keys_of(account_of(engine, request))
    return {"logins": [_login(key) for key in keys]}


def _hash(body: Body) -> int:
    value = body.get("hash", str, "0")
    if not NUMBER.fullmatch(value):
        raise invalid("hash must be a number")
    return int(value)


def revoke(engine: Engine, body: Body, request: web.Request) -> JSON:
    """End one login by `hash`, or all."""
    return {"ended": logins.revoke(engine.world.accounts, account_of(engine, request), _hash(body))}


def confirm(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Press "Yes, it's me" for one login by `hash`, or all."""
    return {"confirmed": logins.confirm(engine.world.accounts, account_of(engine, request), _hash(body))}


def scan(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Scan a QR picture: `link`, as in it."""
    key = phone.scan(engine.world.accounts, account_of(engine, request), body.get("link", str))
    if engine.mtproto is not None:
        engine.mtproto.tell_key(key, "login_token", {})
    return _login(key)


# ---- what Telegram does


def notice(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Tell the account's devices something: `message`, `type`, `popup`."""
    values = {
        "message": body.get("message", str),
        "type": body.get("type", str, "NOTICE"),
        "popup": body.get("popup", bool, True),
    }
    engine.world.accounts.notifier(account_of(engine, request), "service", values)
    return {"status": "ok"}


def service(engine: Engine, body: Body, request: web.Request) -> JSON:
    """A message from Telegram (777000): `text`."""
    return describe_message(
        engine, service_message(engine.world.accounts, account_of(engine, request), body.get("text", str))
    )


def cut(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Close the account's connections."""
    account = account_of(engine, request)
    return {"closed": engine.mtproto.cut(account) if engine.mtproto is not None else 0}
