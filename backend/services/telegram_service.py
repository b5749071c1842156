"""The name by which host applications import `host_api`; it stays."""

from backend.services.host_api import (
    AlertResult,
    LinkStatus,
    NotificationResult,
    Sent,
    TelegramService,
    TelegramWebhook,
    answer_callback,
    build_keyboard,
    format_alert,
    send_alert,
    send_alert_templated,
    send_document,
    send_message,
    send_photo,
    send_sns_notification,
)

__all__ = [
    "AlertResult",
    "LinkStatus",
    "NotificationResult",
    "Sent",
    "TelegramService",
    "TelegramWebhook",
    "answer_callback",
    "build_keyboard",
    "format_alert",
    "send_alert",
    "send_alert_templated",
    "send_document",
    "send_message",
    "send_photo",
    "send_sns_notification",
]
