"""Integrations with WhatsApp, Messenger and Instagram: added, checked, set up, and their message templates."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from backend.http.schemas.base import Input, Instant, Output, PageQuery, SparseOutput

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
]
GraphId = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9]{1,32}$")]
Secret = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=8, max_length=1024, pattern=r"^[\x21-\x7e]+$")
]
_IDS = {"whatsapp": "phone_number_id", "messenger": "page_id", "instagram": "instagram_id"}


class IntegrationIn(Input):
    """A number, a page or an account to be connected. Each platform has an id of its own: WhatsApp `phone_number_id`,
    Messenger `page_id`, Instagram `instagram_id`, with `page_id` where it is reached by its page's token."""

    platform: Literal["whatsapp", "messenger", "instagram"] = Field(examples=["whatsapp"])
    name: Name = Field(examples=["Lettings"])
    phone_number_id: GraphId | None = Field(default=None, examples=["106540352242922"], validate_default=True)
    page_id: GraphId | None = Field(default=None, examples=["104857601234567"], validate_default=True)
    instagram_id: GraphId | None = Field(default=None, examples=["17841405822304914"], validate_default=True)
    waba_id: GraphId | None = Field(default=None, examples=["102290129340398"], description="The WhatsApp account")
    access_token: Secret = Field(examples=["EXAMPLE-not-a-real-token"])
    app_secret: Secret = Field(examples=["example-app-secret"], description="By which webhooks are signed")
    verify_token: Secret | None = Field(
        default=None, examples=["example-verify-token"], description="Of the handshake; made where it is left out"
    )
    human_agent: bool | None = Field(
        default=None,
        examples=[False],
        description="Meta allows this application that a person answers for seven days (Messenger, Instagram)",
    )

    @field_validator("phone_number_id", "page_id", "instagram_id")
    @classmethod
    def _has_its_id(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.field_name == _IDS.get(info.data.get("platform", "")):
            raise PydanticCustomError("missing_id", "This platform needs this id.")
        return value


class IntegrationCheckCounts(Output):
    """How many checks found what."""

    ok: int = Field(examples=[9])
    warning: int = Field(examples=[1])
    failed: int = Field(examples=[0])
    waiting: int = Field(examples=[0])
    unknown: int = Field(examples=[0])


class IntegrationAdded(SparseOutput):
    """An integration that was just added. `verify_token` is shown this once."""

    id: int = Field(examples=[1])
    platform: str = Field(examples=["whatsapp"])
    name: str = Field(examples=["Lettings"])
    status: str = Field(examples=["setting_up"])
    webhook_url: str = Field(examples=["https://chat.example/whatsapp/webhook/1"])
    verify_token: str = Field(examples=["example-verify-token"])
    phone_number_id: str | None = Field(default=None, examples=["106540352242922"])
    page_id: str | None = Field(default=None, examples=["104857601234567"])
    instagram_id: str | None = Field(default=None, examples=["17841405822304914"])
    waba_id: str | None = Field(default=None, examples=["102290129340398"])


class IntegrationCheck(Output):
    """A line of the checklist, in the caller's language. `action` is what mends it here: `subscribe`, `register`,
    `renew` or `change` the integration; null where only a person at Meta can."""

    check: str = Field(examples=["subscription"])
    name: str = Field(examples=["Account sends us its messages"])
    state: str = Field(examples=["ok"], description="ok, warning, failed, waiting or unknown")
    code: str = Field(examples=["subscribed"])
    text: str = Field(examples=["Its messages come here."])
    hint: str | None = Field(examples=[None], description="What to do")
    action: str | None = Field(examples=[None])
    values: dict[str, Any] = Field(examples=[{}])
    at: Instant | None = Field(description="When this was found out")


class IntegrationChecks(Output):
    """The checks of an integration. `asked`: whether Meta could be asked now; what it did not answer stands as it was
    found last."""

    ok: bool = Field(examples=[True])
    asked: bool = Field(examples=[True])
    checked_at: Instant | None
    next_at: Instant | None
    checks: list[IntegrationCheck]


class IntegrationState(Output):
    """An integration with its checks as they were found last."""

    id: int = Field(examples=[1])
    platform: str = Field(examples=["whatsapp"])
    name: str = Field(examples=["Lettings"])
    status: str = Field(examples=["connected"])
    checks: IntegrationChecks


class IntegrationStates(Output):
    """All integrations of the workspace with WhatsApp, Messenger and Instagram. `ok`: no check of any has failed."""

    ok: bool = Field(examples=[True])
    integrations: list[IntegrationState]


class SubscribeOut(IntegrationChecks):
    """The checks after subscribing. `address`: where the events go now: `own` (of this integration), `application`, or
    `refused`, where Meta did not take the integration's own address, for `reason`."""

    address: str = Field(examples=["own"])
    reason: str | None = Field(examples=[None])
    detail: str = Field(examples=[""])


class RegisterIn(Input):
    """A number's PIN of six digits: its own where it has one, else the one that it gets."""

    pin: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")] | None = Field(
        default=None, examples=["123456"], description="Left out: the environment's `WHATSAPP_PIN`"
    )


class RenewOut(Output):
    """Whether the token was renewed, or `kept` because another one has come meanwhile."""

    outcome: str = Field(examples=["renewed"])
    token_expires_at: Instant | None


class MessageTemplateQuery(PageQuery):
    """Which templates."""

    state: str | None = Field(default=None, max_length=40, examples=["approved"])


class MessageTemplateOut(Output):
    """A message template. `variables` are the keys of the values that it needs, in their order: `1` or `name` in its
    text, `header.1`, `button.0`, or `header` for the address of the header's file."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["viewing_reminder"])
    language: str = Field(examples=["en"])
    category: str = Field(examples=["utility"])
    state: str = Field(examples=["approved"])
    quality: str | None = Field(examples=["green"])
    reason: str | None = Field(examples=[None], description="Why Meta refused or stopped it")
    header: str = Field(examples=["Tomorrow"])
    body: str = Field(examples=["Hello {{1}}, we meet at {{2}}."])
    footer: str = Field(examples=[""])
    buttons: list[str] = Field(examples=[["Confirm"]])
    media: str | None = Field(examples=[None], description="image, video or document")
    variables: list[str] = Field(examples=[["1", "2"]])
    changed_at: Instant


class MessageTemplates(Output):
    """The templates of an integration. `refreshed_at` is when they were read from Meta."""

    templates: list[MessageTemplateOut]
    refreshed_at: Instant | None
    next_cursor: str | None = Field(examples=[None])


class TemplatesRefreshed(Output):
    """How many templates there are now."""

    count: int = Field(examples=[12])


class MessageTemplatePreviewIn(Input):
    """Values for a template's variables: by their keys, or a list in their order."""

    variables: (
        dict[Annotated[str, Field(max_length=80)], Annotated[str, Field(max_length=4096)]]
        | list[Annotated[str, Field(max_length=4096)]]
    ) = Field(default_factory=list, max_length=100, examples=[["Mina", "3 pm"]])


class MessageTemplatePreviewOut(Output):
    """The template with these values. `missing` are the variables without one."""

    text: str = Field(examples=["Tomorrow\n\nHello Mina, we meet at 3 pm."])
    header: str = Field(examples=["Tomorrow"])
    body: str = Field(examples=["Hello Mina, we meet at 3 pm."])
    footer: str = Field(examples=[""])
    buttons: list[str] = Field(examples=[["Confirm"]])
    media: str | None = Field(examples=[None])
    missing: list[str] = Field(examples=[[]])


class SignedRequestForm(Input):
    """A request that Meta signed, on behalf of a person."""

    model_config = ConfigDict(extra="ignore")

    signed_request: str = Field(default="", examples=["c2lnbmF0dXJl.eyJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiJ9"])


class DeletionOut(Output):
    """Where the person sees how their request stands."""

    url: str = Field(examples=["https://chat.example/privacy/deletion/0f3a"])
    confirmation_code: str = Field(examples=["0f3a"])


class RequestTaken(Output):
    """The request was taken."""

    ok: bool = Field(examples=[True])
