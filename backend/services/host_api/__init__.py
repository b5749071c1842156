"""Telegram from Python: for host applications that run in the same process.

Inside an app context of the product (`create_app().app_context()`), each call is a transaction of its own: it neither
sees nor commits what the caller has open. Nothing waits for Telegram, unless a function says so: messages are stored,
and delivered by the workers.

    from backend.services.telegram_service import send_message, send_sns_notification

    sent = send_sns_notification(user.id, "post_success", {"platform": "instagram", "content": "…", "likes": 12})
    if not sent:
        log.info("not notified: %s", sent.reason)

    send_message("Release 4.2 is out", bot_name="deploy", key="release-4.2")
"""

from backend.services.host_api.alerting import AlertResult, format_alert, send_alert, send_alert_templated
from backend.services.host_api.messages import (
    Sent,
    answer_callback,
    build_keyboard,
    send_document,
    send_message,
    send_photo,
)
from backend.services.host_api.notifying import LinkStatus, NotificationResult, TelegramService, send_sns_notification
from backend.services.host_api.webhook import TelegramWebhook

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
