"""Integrations: persons' own accounts and how one is connected; what is known of any integration."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from backend.http.schemas.base import Id, Input, Instant, Output, SparseOutput
from backend.http.schemas.integration_setup import GraphId, IntegrationCheckCounts, Name, Secret

Phone = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40)]
ApiId = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20)]
ApiHash = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)]


class Application(Input):
    """The application's id and hash at my.telegram.org; the environment's where they are left out."""

    api_id: ApiId | int | None = Field(default=None, examples=["1234567"])
    api_hash: ApiHash | None = Field(default=None, examples=["0123456789abcdef0123456789abcdef"])


class ConnectIn(Application):
    """An account to connect."""

    phone: Phone | None = Field(default=None, examples=["+12025550101"])
    resend: bool = Field(default=False, description="Have a code that is on its way sent again")


class VerifyCodeIn(Input):
    """The code that Telegram sent, and the password of an account that has one."""

    phone: Phone | None = Field(default=None, examples=["+12025550101"], description="Left out after a QR code")
    code: Annotated[str, StringConstraints(strip_whitespace=True, max_length=20)] | None = Field(
        default=None, examples=["12345"]
    )
    password: Annotated[str, StringConstraints(max_length=256)] | None = Field(default=None, examples=["correct horse"])


class ConnectOut(SparseOutput):
    """Where a login stands: what is needed next, or the account."""

    status: Literal["code_required", "connected"] = Field(examples=["code_required"])
    delivery: str | None = Field(default=None, examples=["app"], description="Where the code went: app, email or sms")
    message: str | None = Field(default=None, examples=["Telegram User API connected successfully"])
    platform: str | None = Field(default=None, examples=["telegram_user"])
    phone: str | None = Field(default=None, examples=["+12025550101"])
    id: int | None = Field(default=None, examples=[1])


class VerifyCodeOut(Output):
    """The account is connected."""

    message: str = Field(examples=["Telegram User API connected successfully"])
    platform: str = Field(examples=["telegram_user"])
    phone: str | None = Field(examples=["+12025550101"])
    id: int | None = Field(examples=[1])


class QrOut(SparseOutput):
    """A picture to scan with a device of the account. It is replaced every half a minute: ask again."""

    status: Literal["qr_waiting", "connected"] = Field(examples=["qr_waiting"])
    url: str | None = Field(default=None, examples=["tg://login?token=AQID"])
    svg: str | None = Field(default=None, examples=["<svg></svg>"])
    expires_at: Instant | None = None
    id: int | None = Field(default=None, examples=[1])


class SignalOut(Output):
    """Something that says how Telegram sees an account."""

    code: str = Field(examples=["flood_wait"])
    value: dict[str, Any] = Field(examples=[{"seconds": 30}])
    at: Instant


class RampOut(Output):
    """The day since an account's first connection, and its messages in 24 hours."""

    day: int = Field(examples=[3])
    limit: int = Field(examples=[3])


class IntegrationOut(SparseOutput):
    """An integration; what does not apply is absent."""

    id: int
    platform: str = Field(examples=["telegram_user"])
    name: str
    phone: str | None = Field(default=None, examples=["+120 ••• 01"])
    telegram_user_id: str | None = Field(default=None, examples=["•••001"])
    username: str | None = None
    is_premium: bool | None = None
    status: str = Field(examples=["connected"])
    reason: str | None = Field(default=None, examples=["peer_flood"])
    since: Instant | None = None
    until: Instant | None = None
    signals: list[SignalOut] | None = None
    appeal_url: str | None = Field(default=None, examples=["https://t.me/spambot"])
    service_notice: str | None = Field(default=None, examples=["Your account was limited."])
    ramp: RampOut | None = None
    lookups_left_today: int | None = Field(default=None, examples=[30])
    caught_up_at: Instant | None = None
    device: str | None = Field(default=None, examples=["Switchboard on example"])
    last_used: Instant | None = None
    owner_id: int | None = Field(default=None, examples=[1])
    senders: Literal["workspace"] | list[int] | None = Field(default=None, examples=[[1]])
    source: str | None = Field(default=None, examples=["database"], description="database or environment")
    phone_number_id: str | None = Field(default=None, examples=["106540352242922"])
    page_id: str | None = Field(default=None, examples=["104857601234567"])
    instagram_id: str | None = Field(default=None, examples=["17841405822304914"])
    waba_id: str | None = Field(default=None, examples=["102290129340398"])
    access_token: str | None = Field(default=None, examples=["…oken"], description="Its end only")
    app_secret: str | None = Field(default=None, examples=["…cret"], description="Its end only")
    webhook_url: str | None = Field(default=None, examples=["https://chat.example/whatsapp/webhook/1"])
    is_active: bool | None = None
    human_agent: bool | None = None
    checks: IntegrationCheckCounts | None = None
    checked_at: Instant | None = None
    token_expires_at: Instant | None = None
    last_inbound_at: Instant | None = None
    created_at: Instant | None = None


class Integrations(SparseOutput):
    """The workspace's integrations, oldest first."""

    integrations: list[IntegrationOut]


class IntegrationChange(Input):
    """Of a person's account who besides the owner starts campaigns from it; of the others everything else."""

    senders: Literal["workspace"] | Annotated[list[Id], Field(max_length=1000)] | None = Field(
        default=None, examples=["workspace"]
    )
    name: Name | None = Field(default=None, examples=["Lettings"])
    access_token: Secret | None = Field(default=None, examples=["EXAMPLE-not-a-real-token"])
    app_secret: Secret | None = Field(default=None, examples=["example-app-secret"])
    verify_token: Secret | None = Field(default=None, examples=["example-verify-token"])
    waba_id: GraphId | None = Field(default=None, examples=["102290129340398"])
    is_active: bool | None = Field(default=None, examples=[True], description="Off: it sends nothing")
    human_agent: bool | None = Field(
        default=None, examples=[False], description="A person may answer for seven days (Messenger, Instagram)"
    )


class RemoveQuery(Input):
    """What becomes of what campaigns still have to send from the account."""

    pending: Literal["pause", "cancel", "move"] | None = Field(default=None, examples=["cancel"])
    to: Id | None = Field(default=None, description="The account to move to")
