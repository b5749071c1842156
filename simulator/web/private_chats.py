"""`/control/accounts/{account}/…`: what the owner of an account does on the phone, in private chats with people."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from simulator.accounts import phone
from simulator.accounts.boxes import Draft, read
from simulator.accounts.model import Account, Message
from simulator.engine import Engine
from simulator.errors import invalid
from simulator.model import JSON
from simulator.web.body import Body, answering


def routes() -> list[web.RouteDef]:
    """Their addresses."""
    actions = {
        "say": write,
        "file": send_file,
        "call": phone_call,
        "read": read_chat,
        "react": react,
        "edit": edit,
        "delete": delete,
        "delete-chat": delete_chat,
        "block": lambda engine, body, request: block(engine, body, request, blocked=True),
        "unblock": lambda engine, body, request: block(engine, body, request, blocked=False),
        "typing": typing,
    }
    return [
        web.get("/control/accounts/{account}/chats", answering(chats)),
        web.get("/control/accounts/{account}/chats/{peer}", answering(transcript)),
        *[web.post(f"/control/accounts/{{account}}/{name}", answering(action)) for name, action in actions.items()],
    ]


def account_of(engine: Engine, request: web.Request) -> Account:
    """The account that the address names. Raises ControlError 404."""
    return engine.world.accounts.named(request.match_info["account"])


def _other(engine: Engine, body: Body, name: str = "chat") -> Account:
    reference = body.reference(name)
    if reference is None:
        raise invalid(f"{name} is required")
    return engine.world.accounts.named(reference)


def describe_message(engine: Engine, message: Message) -> JSON:
    """A message as the control API shows it."""
    shown = asdict(message)
    del shown["entities"]
    stored = engine.world.accounts.documents.get(message.file)
    if stored is not None and stored.kind == "photo":
        shown["photo"] = [{"file_id": str(stored.id), "width": stored.width, "height": stored.height}]
    elif stored is not None:
        shown["document"] = {"file_id": str(stored.id), "file_name": stored.name, "file_size": len(stored.data)}
    return shown


def chats(engine: Engine, body: Body, request: web.Request) -> JSON:
    """The account's private chats with people, the last written first."""
    account = account_of(engine, request)
    listed = []
    for peer, numbers in account.chats.items():
        if numbers:
            last = account.messages[numbers[-1]]
            listed.append(
                {
                    "peer": engine.world.accounts.person(peer).user(),
                    "last_message": describe_message(engine, last),
                    "unread": account.unread(peer),
                    "blocked": peer in account.blocked,
                }
            )
    return {"chats": sorted(listed, key=lambda each: -int(str(each["last_message"]["uid"])))}


def transcript(engine: Engine, body: Body, request: web.Request) -> JSON:
    """A private chat as it stands in the account's box."""
    account = account_of(engine, request)
    peer = engine.world.accounts.named(request.match_info["peer"])
    numbers = account.chats.get(peer.id, [])
    return {
        "peer": engine.world.accounts.person(peer.id).user(),
        "blocked": peer.id in account.blocked,
        "read_inbox": account.read_inbox.get(peer.id, 0),
        "read_outbox": account.read_outbox.get(peer.id, 0),
        "messages": [describe_message(engine, account.messages[number]) for number in numbers],
    }


def write(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Write to `chat`: `text`, perhaps `reply_to`, `offline` and `business_bot` as an away message has them."""
    draft = Draft(
        body.get("text", str),
        reply_to=body.get("reply_to", int, 0),
        offline=body.get("offline", bool, False),
        business_bot=body.get("business_bot", int, 0),
    )
    account = account_of(engine, request)
    return describe_message(engine, phone.write(engine.world.accounts, account, _other(engine, body), draft))


def send_file(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Send a file to `chat`: part `file`, or `content` in base64 with `file_name` and `mime_type`; `caption`; `kind`:
    document, photo, voice, audio or video.
    """
    account, other = account_of(engine, request), _other(engine, body)
    kind, caption = body.get("kind", str, "document"), body.get("caption", str, "")
    sent = phone.send_file(engine.world.accounts, account, other, body.upload(), kind, caption)
    return describe_message(engine, sent)


def phone_call(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Call `chat`, who does not answer."""
    account, other = account_of(engine, request), _other(engine, body)
    return describe_message(engine, phone.write(engine.world.accounts, account, other, Draft("", call=True)))


def read_chat(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Read `chat`, up to the message `up_to` (all)."""
    account, other = account_of(engine, request), _other(engine, body)
    event = read(engine.world.accounts, account, other, body.get("up_to", int, 0))
    return {"read": event.max_id if event is not None else None}


def react(engine: Engine, body: Body, request: web.Request) -> JSON:
    """React to `message_id` with `emoji` ("" takes it away)."""
    account = account_of(engine, request)
    return describe_message(
        engine, phone.react(engine.world.accounts, account, body.get("message_id", int), body.get("emoji", str))
    )


def edit(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Change the own message `message_id` to `text`."""
    account = account_of(engine, request)
    return describe_message(
        engine, phone.edit(engine.world.accounts, account, body.get("message_id", int), body.get("text", str))
    )


def delete(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Delete `message_ids`, for both sides unless `everywhere` is false."""
    numbers = body.get("message_ids", list)
    if not all(isinstance(number, int) for number in numbers):
        raise invalid("message_ids must be numbers")
    everywhere = body.get("everywhere", bool, True)
    phone.delete(engine.world.accounts, account_of(engine, request), numbers, everywhere=everywhere)
    return {"status": "ok"}


def delete_chat(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Delete `chat`, for both sides unless `everywhere` is false."""
    account, other = account_of(engine, request), _other(engine, body)
    everywhere = body.get("everywhere", bool, True)
    return {"deleted": phone.delete_chat(engine.world.accounts, account, other, everywhere=everywhere)}


def block(engine: Engine, body: Body, request: web.Request, *, blocked: bool) -> JSON:
    """Block or unblock `chat`."""
    phone.block(engine.world.accounts, account_of(engine, request), _other(engine, body), blocked=blocked)
    return {"blocked": blocked}


def typing(engine: Engine, body: Body, request: web.Request) -> JSON:
    """Show `chat` that the account is typing."""
    account, other = account_of(engine, request), _other(engine, body)
    engine.world.accounts.notifier(other, "typing", {"person": account.id})
    return {"status": "ok"}
