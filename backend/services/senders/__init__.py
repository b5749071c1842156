"""Senders: what speaks to a provider, whose it is, and whether its provider still accepts it.

The environment's senders have rows of their own (`source` is `environment`), kept in step with the settings by
`ensure_environment_senders` at each start. Asking a provider something (`probe`, `register_webhook`, …) ends the
caller's transaction first: no transaction is open during a network call.
"""

from backend.services.senders import subscribers as subscribers
from backend.services.senders.access import CHANNEL, by_id, find, named
from backend.services.senders.account_check import keep_facts, probe, recheck_refused, username_of
from backend.services.senders.credentials import bot_id_of, change_settings, credentials_of, set_token, settings_of
from backend.services.senders.environment import (
    IS_DEFAULT_BOT,
    default_bot,
    default_bot_of,
    ensure_environment_bot,
    ensure_environment_senders,
)
from backend.services.senders.members import is_chat_admin
from backend.services.senders.received_files import download_file
from backend.services.senders.recipients import OWN, Recipients
from backend.services.senders.state import LONG_PAUSE, NOT_CONFIGURED, REFUSED, disable, enable, long_pause_of
from backend.services.senders.webhook import (
    BotCommandText,
    new_webhook_secret,
    register_commands,
    register_webhook,
    settle_webhook_secret,
    webhook_address,
    webhook_info,
    webhook_secret_of,
    webhook_secrets_of,
)
from backend.services.senders.webhook_reports import WebhookReport, webhook_reports
from backend.services.senders.webhook_verifier import (
    WebhookTarget,
    is_target_known,
    recipients_for,
    remembered_target,
    webhook_target_of,
)

__all__ = [
    "CHANNEL",
    "IS_DEFAULT_BOT",
    "LONG_PAUSE",
    "NOT_CONFIGURED",
    "OWN",
    "REFUSED",
    "BotCommandText",
    "Recipients",
    "WebhookReport",
    "WebhookTarget",
    "bot_id_of",
    "by_id",
    "change_settings",
    "credentials_of",
    "default_bot",
    "default_bot_of",
    "disable",
    "download_file",
    "enable",
    "ensure_environment_bot",
    "ensure_environment_senders",
    "find",
    "is_chat_admin",
    "is_target_known",
    "keep_facts",
    "long_pause_of",
    "named",
    "new_webhook_secret",
    "probe",
    "recheck_refused",
    "recipients_for",
    "register_commands",
    "register_webhook",
    "remembered_target",
    "set_token",
    "settings_of",
    "settle_webhook_secret",
    "username_of",
    "webhook_address",
    "webhook_info",
    "webhook_reports",
    "webhook_secret_of",
    "webhook_secrets_of",
    "webhook_target_of",
]
