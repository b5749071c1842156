"""The tables, one module per aggregate. Importing the package registers all of them."""

from backend.models.access import (
    AuditEntry,
    IdempotencyKey,
    PasswordReset,
    PersonalToken,
    SignIn,
    User,
    Workspace,
)
from backend.models.conversation import Conversation, Identity, Suppression
from backend.models.delivery import Attempt, Delivery
from backend.models.file import StoredFile
from backend.models.intake import WebhookEvent, WebhookEventKey
from backend.models.job import Heartbeat, JobRun
from backend.models.link import LinkConfirmation, LinkToken, TelegramLink
from backend.models.live import LiveEvent, LiveMark
from backend.models.mail import Mail
from backend.models.message import Message, MessageKey, MessagePart
from backend.models.notification import (
    NotificationEvent,
    NotificationSettings,
    NotificationSubject,
    NotificationType,
)
from backend.models.sender import Sender, SenderLease

__all__ = [
    "Attempt",
    "AuditEntry",
    "Conversation",
    "Delivery",
    "Heartbeat",
    "IdempotencyKey",
    "Identity",
    "JobRun",
    "LinkConfirmation",
    "LinkToken",
    "LiveEvent",
    "LiveMark",
    "Mail",
    "Message",
    "MessageKey",
    "MessagePart",
    "NotificationEvent",
    "NotificationSettings",
    "NotificationSubject",
    "NotificationType",
    "PasswordReset",
    "PersonalToken",
    "Sender",
    "SenderLease",
    "SignIn",
    "StoredFile",
    "Suppression",
    "TelegramLink",
    "User",
    "WebhookEvent",
    "WebhookEventKey",
    "Workspace",
]
