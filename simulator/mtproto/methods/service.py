"""help.…: where the server is, and what it tells applications."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from telethon.tl import functions, types

from simulator.accounts.refusals import is_frozen
from simulator.mtproto.methods.registry import method
from simulator.mtproto.views import now

if TYPE_CHECKING:
    from simulator.mtproto.calls import Call

DATACENTERS = (1, 2, 3, 4, 5)
READ_DATE_EXPIRES = 604_800


@method(functions.help.GetConfigRequest, login=False)
def get_config(call: Call, request: Any) -> Any:
    """All data centers stand at this one port."""
    host, port = call.server.address
    return types.Config(
        date=now(),
        expires=now() + timedelta(hours=1),
        test_mode=False,
        this_dc=call.key.dc,
        dc_options=[types.DcOption(id=dc, ip_address=host, port=port, static=True) for dc in DATACENTERS],
        dc_txt_domain_name="localhost",
        chat_size_max=200,
        megagroup_size_max=200_000,
        forwarded_count_max=100,
        online_update_period_ms=210_000,
        offline_blur_timeout_ms=5_000,
        offline_idle_timeout_ms=30_000,
        online_cloud_timeout_ms=300_000,
        notify_cloud_delay_ms=30_000,
        notify_default_delay_ms=1_500,
        push_chat_period_ms=60_000,
        push_chat_limit=2,
        edit_time_limit=172_800,
        revoke_time_limit=2_147_483_647,
        revoke_pm_time_limit=2_147_483_647,
        rating_e_decay=2_419_200,
        stickers_recent_limit=200,
        channels_read_media_period=604_800,
        call_receive_timeout_ms=20_000,
        call_ring_timeout_ms=90_000,
        call_connect_timeout_ms=30_000,
        call_packet_timeout_ms=10_000,
        me_url_prefix="https://t.me/",
        caption_length_max=1_024,
        message_length_max=4_096,
        webfile_dc_id=4,
    )


@method(functions.help.GetAppConfigRequest, login=False)
def get_app_config(call: Call, request: Any) -> Any:
    """What applications are told; a frozen account by three keys."""
    values: dict[str, float | str] = {"pm_read_date_expire_period": READ_DATE_EXPIRES}
    if call.account is not None and is_frozen(call.account):
        conduct = call.account.conduct
        values["freeze_since_date"] = conduct.frozen_since
        values["freeze_until_date"] = conduct.frozen_until
        values["freeze_appeal_url"] = conduct.appeal_url
    listed = [
        types.JsonObjectValue(name, types.JsonString(value) if isinstance(value, str) else types.JsonNumber(value))
        for name, value in values.items()
    ]
    return types.help.AppConfig(hash=0, config=types.JsonObject(listed))


@method(functions.help.GetNearestDcRequest, login=False)
def get_nearest_dc(call: Call, request: Any) -> Any:
    """The data center of the connection is as near as any."""
    return types.NearestDc("XX", call.key.dc, call.key.dc)
