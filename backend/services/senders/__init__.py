"""Senders: what speaks to a provider, whose it is, and whether its provider still accepts it.

The environment's senders have rows of their own (`source` is `environment`), kept in step with the settings by
`ensure_environment_senders` at each start. Asking a provider something (`probe`, `register_webhook`, …) ends the
caller's transaction first: no transaction is open during a network call.
"""

from backend.services.senders import subscribers as subscribers
from backend.services.senders.access import by_id
from backend.services.senders.account_check import keep_facts, probe, recheck_refused, username_of
from backend.services.senders.catalog import (
    AccountInUse,
    AnotherAccount,
    SenderNameTaken,
    check_account,
    create,
    flush_name,
    get,
    identify,
    listing,
    own,
    replace_token,
    retire,
)
from backend.services.senders.credentials import change_settings, credentials_of, renew_token, set_token, settings_of
from backend.services.senders.environment import (
    ensure_environment_sender,
    ensure_environment_senders,
    environment_sender,
    environment_sender_of,
    is_environment_sender,
)
from backend.services.senders.members import is_chat_admin, members_of
from backend.services.senders.received_files import download_file
from backend.services.senders.recipients import OWN, Recipients
from backend.services.senders.state import LONG_PAUSE, NOT_CONFIGURED, REFUSED, disable, enable, long_pause_of
from backend.services.senders.webhook import (
    new_webhook_secret,
    register_webhook,
    settle_webhook_secret,
    unregister_webhook,
    webhook_address,
    webhook_secret_of,
    webhook_secrets_of,
    webhook_status,
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
    "LONG_PAUSE",
    "NOT_CONFIGURED",
    "OWN",
    "REFUSED",
    "AccountInUse",
    "AnotherAccount",
    "Recipients",
    "SenderNameTaken",
    "WebhookReport",
    "WebhookTarget",
    "by_id",
    "change_settings",
    "check_account",
    "create",
    "credentials_of",
    "disable",
    "download_file",
    "enable",
    "ensure_environment_sender",
    "ensure_environment_senders",
    "environment_sender",
    "environment_sender_of",
    "flush_name",
    "get",
    "identify",
    "is_chat_admin",
    "is_environment_sender",
    "is_target_known",
    "keep_facts",
    "listing",
    "long_pause_of",
    "members_of",
    "new_webhook_secret",
    "own",
    "probe",
    "recheck_refused",
    "recipients_for",
    "register_webhook",
    "remembered_target",
    "renew_token",
    "replace_token",
    "retire",
    "set_token",
    "settings_of",
    "settle_webhook_secret",
    "unregister_webhook",
    "username_of",
    "webhook_address",
    "webhook_reports",
    "webhook_secret_of",
    "webhook_secrets_of",
    "webhook_status",
    "webhook_target_of",
]
