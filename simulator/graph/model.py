"""What exists in the simulated Graph API. Times are Unix seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]


@dataclass(slots=True)
class Subscription:
    """Where an application has the events of one kind of object delivered (`object`: `page`, `instagram`,
    `whatsapp_business_account`), and which fields."""

    url: str
    verify_token: str
    fields: list[str]
    active: bool = True


@dataclass(slots=True)
class Application:
    """An application with its secret, by which deliveries are signed. `mode` is `live` or `development`."""

    id: str
    secret: str
    name: str
    mode: str = "live"
    subscriptions: dict[str, Subscription] = field(default_factory=dict)


@dataclass(slots=True)
class Token:
    """An access token. `expires_at` is 0 for one that lasts; `subject_id` is what `me` means; `object_ids` are the
    objects that it may reach, all of them where there are none."""

    value: str
    app_id: str
    kind: str = "SYSTEM_USER"
    scopes: list[str] = field(default_factory=list)
    subject_id: str = ""
    object_ids: list[str] = field(default_factory=list)
    expires_at: int = 0
    data_access_expires_at: int = 0
    issued_at: int = 0
    is_valid: bool = True


@dataclass(slots=True)
class Callback:
    """An application's subscription to one object: the fields, and another address than the application's."""

    fields: list[str] = field(default_factory=list)
    override_url: str = ""
    override_token: str = ""


@dataclass(slots=True)
class Node:
    """An object with an id: `kind` is `number`, `waba`, `page`, `instagram`, `media`, `template` and so on. `fields` is
    what a GET shows of it, `hidden` what the simulator keeps for itself."""

    id: str
    kind: str
    parent_id: str = ""
    fields: JSON = field(default_factory=dict)
    hidden: JSON = field(default_factory=dict)
    subscribed: dict[str, Callback] = field(default_factory=dict)


@dataclass(slots=True)
class Contact:
    """A person as one number, page or account knows them. `number` is empty for one who hides it; `other_ids` are
    further ids by their kind (`bsuid`, `parent_bsuid`)."""

    id: str
    node_id: str
    name: str
    number: str = ""
    username: str = ""
    other_ids: dict[str, str] = field(default_factory=dict)
    last_inbound: float = 0.0
    unreachable: str = ""
    """Why sends fail: `undeliverable`, `blocked`, `stopped_marketing`; empty where they arrive."""

    @property
    def key(self) -> str:
        """What the person is found by among those of all objects."""
        return f"{self.node_id}:{self.id}"


@dataclass(slots=True)
class Message:
    """A message of a conversation, in either direction. `payload` is the call's or the webhook's own object; `state` is
    the newest that was reported; `origin` says who wrote an outgoing one: `api`, `phone`, `inbox` or another
    application's id."""

    id: str
    node_id: str
    contact_id: str
    outgoing: bool
    kind: str
    text: str
    at: float
    payload: JSON = field(default_factory=dict)
    state: str = ""
    origin: str = "api"
    client_ref: str = ""
    reactions: dict[str, str] = field(default_factory=dict)
    edited: bool = False
    deleted: bool = False


@dataclass(slots=True)
class Settings:
    """The knobs; durations in seconds.

    `speed` divides every wait between deliveries and states. `batch_items` is how many items one delivery holds,
    `batch_wait` how long it waits for more. `escape` writes bodies as Meta does, every letter beyond ASCII escaped.
    `states` are reported by themselves after a send, in this order; `echo_first` reports an echo before the call that
    made it is answered. `media_lifetime` is how long an address of a file is good; `media_host` another host for them.
    """

    speed: float = 1.0
    batch_items: int = 1
    batch_wait: float = 0.0
    escape: bool = True
    states: list[str] = field(default_factory=lambda: ["sent", "delivered"])
    echo_first: bool = False
    rates: bool = False
    media_lifetime: float = 300.0
    media_host: str = ""
    unsubscribe_after: float = 3600.0
    retry_for: float = 129_600.0
    delivery_timeout: float = 10.0
