"""What the three channels differ in where they are set up: names of ids, permissions, fields of a subscription."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from backend.core import config

Platform = Literal["whatsapp", "messenger", "instagram"]
APP_SECRET: Final = "app_secret"  # noqa: S105 - the name of a setting
VERIFY_TOKEN: Final = "verify_token"  # noqa: S105 - the name of a setting
WABA_ID: Final = "waba_id"
PAGE_ID: Final = "page_id"


@dataclass(frozen=True, slots=True)
class Rules:
    """One way of being set up.

    `object_setting` is the setting with the id of what is subscribed, None where that is the sender's own id;
    `own_object` says that the token's own object is meant where there is no such setting.
    `required` are the fields of a subscription without which messages do not come, `wanted` those for everything else;
    `in_subscription` says whether they are told with it, or only with the application. `can_debug` says whether the
    platform tells what a token may do.
    """

    platform: Platform
    id_name: str
    scopes: tuple[str, ...]
    required: tuple[str, ...]
    wanted: tuple[str, ...]
    object_kind: str
    object_setting: str | None = None
    own_object: bool = False
    in_subscription: bool = True
    can_debug: bool = True
    renews: bool = False
    own_login: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that a subscription should have."""
        return self.required + self.wanted


_INSTAGRAM_FIELDS: Final = (
    "message_edit",
    "message_reactions",
    "messaging_seen",
    "messaging_postbacks",
    "messaging_referral",
    "messaging_handover",
    "standby",
)
WHATSAPP: Final = Rules(
    platform="whatsapp",
    id_name="phone_number_id",
    scopes=("whatsapp_business_messaging", "whatsapp_business_management"),
    required=("messages",),
    wanted=(
        "account_update",
        "message_template_quality_update",
        "message_template_status_update",
        "phone_number_quality_update",
        "template_category_update",
        "user_preferences",
    ),
    object_kind="whatsapp_business_account",
    object_setting=WABA_ID,
    in_subscription=False,
)
MESSENGER: Final = Rules(
    platform="messenger",
    id_name="page_id",
    scopes=("pages_manage_metadata", "pages_messaging"),
    required=("messages",),
    wanted=(
        "message_echoes",
        "message_edits",
        "message_reactions",
        "message_deliveries",
        "message_reads",
        "messaging_postbacks",
        "messaging_referrals",
        "messaging_handovers",
        "standby",
    ),
    object_kind="page",
)
INSTAGRAM_BY_PAGE: Final = Rules(
    platform="instagram",
    id_name="instagram_id",
    scopes=("instagram_basic", "instagram_manage_messages", "pages_manage_metadata"),
    required=("messages",),
    wanted=_INSTAGRAM_FIELDS,
    object_kind="instagram",
    object_setting=PAGE_ID,
    own_object=True,
    in_subscription=False,
)
INSTAGRAM_BY_LOGIN: Final = Rules(
    platform="instagram",
    id_name="instagram_id",
    scopes=("instagram_business_basic", "instagram_business_manage_messages"),
    required=("messages",),
    wanted=_INSTAGRAM_FIELDS,
    object_kind="instagram",
    can_debug=False,
    renews=True,
    own_login=True,
)
PLATFORMS: Final[tuple[Platform, ...]] = ("whatsapp", "messenger", "instagram")


def rules_of(channel: str, token: str | None) -> Rules:
    """How a sender of this channel with this token is set up. Raises KeyError for another channel.

    Tokens of Instagram's own login begin with IG, those of pages with EA; any other is what the settings say.
    """
    if channel == "instagram":
        given = token or ""
        by_login = given.startswith("IG") or (bool(config.get().instagram_graph_url) and not given.startswith("EA"))
        return INSTAGRAM_BY_LOGIN if by_login else INSTAGRAM_BY_PAGE
    return {"whatsapp": WHATSAPP, "messenger": MESSENGER}[channel]
