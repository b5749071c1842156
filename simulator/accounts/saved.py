"""Saving the accounts, so that a restarted simulator still knows who is logged in and what was written."""

from __future__ import annotations

import base64
from dataclasses import asdict, fields
from typing import Any

from simulator.accounts.directory import Directory
from simulator.accounts.model import Account, AuthKey, Code, Conduct, Document, Event, Message

MAX_FILE = 2 * 1024 * 1024
"""Larger files are not saved: after a restart they can no longer be downloaded."""
_BUILT_AGAIN = ("chats", "numbers", "in_work", "looked_up_at")


def dump(directory: Directory) -> dict[str, Any]:
    """Everything worth keeping as JSON values: no tokens of QR pictures, no settings, faults and log."""
    return {
        "server_key": directory.server_key,
        "secret": directory.secret,
        "last_uid": directory.last_uid,
        "accounts": [_dump_account(account) for account in directory.accounts.values()],
        "keys": [asdict(key) for key in directory.keys.values()],
        "codes": [asdict(code) for code in directory.codes],
        "documents": [
            {**asdict(document), "data": base64.b64encode(document.data).decode()}
            for document in directory.documents.values()
            if len(document.data) <= MAX_FILE
        ],
    }


def _dump_account(account: Account) -> dict[str, Any]:
    saved = {each.name: getattr(account, each.name) for each in fields(account) if each.name not in _BUILT_AGAIN}
    saved["messages"] = [asdict(message) for message in account.messages.values()]
    saved["events"] = [asdict(event) for event in account.events]
    saved["conduct"] = asdict(account.conduct)
    return saved


def load(directory: Directory, saved: dict[str, Any]) -> None:
    """Put what was saved into a directory whose people are there already."""
    for name in ("server_key", "secret", "last_uid"):
        setattr(directory, name, saved[name])
    for values in saved["accounts"]:
        account = _loaded_account(values)
        directory.accounts[account.id] = account
        if account.phone:
            directory.by_phone[account.phone] = account.id
    directory.keys = {values["id"]: AuthKey(**values) for values in saved["keys"]}
    directory.codes = [Code(**values) for values in saved["codes"]]
    for values in saved["documents"]:
        document = Document(**{**values, "data": base64.b64decode(values["data"])})
        directory.documents[document.id] = document


def _loaded_account(values: dict[str, Any]) -> Account:
    plain = {name: value for name, value in values.items() if name not in ("messages", "events", "conduct")}
    for name in ("sent", "contacts", "read_inbox", "read_outbox"):
        plain[name] = {int(key): value for key, value in plain[name].items()}
    plain["sent"] = {key: (number, at) for key, (number, at) in plain["sent"].items()}
    plain["contacts"] = {key: (first, last) for key, (first, last) in plain["contacts"].items()}
    account = Account(**plain, conduct=Conduct(**values["conduct"]))
    account.events = [Event(**event) for event in values["events"]]
    for message in values["messages"]:
        reactions = {int(who): emoji for who, emoji in message["reactions"].items()}
        account.add(Message(**{**message, "reactions": reactions}))
    return account
