"""The tables, one module per aggregate. Importing the package registers all of them."""

from backend.models.account import (
    Account,
    AccountFirstConnection,
    AccountLogin,
    AccountLookup,
    AccountPeer,
    AccountSignal,
)
from backend.models.alert import (
    Alert,
    AlertEvent,
    AlertFailure,
    AlertItem,
    AlertMessage,
    AlertPolicy,
    AlertSilence,
    AlertTemplate,
)
from backend.models.audit import AuditEntry
from backend.models.automation_rule import AutomationRule, RuleRun
from backend.models.campaign import Campaign, CampaignMessage, CampaignPreflight, CampaignRecipient, CampaignStep
from backend.models.channel_setup import ChannelSetup, MessageTemplate, MetaRequest
from backend.models.consent import Consent
from backend.models.contact import (
    Contact,
    ContactField,
    ContactPoint,
    ContactSettings,
    ContactTag,
    Segment,
    Tag,
)
from backend.models.contact_import import ContactImport, ContactImportChange
from backend.models.conversation import (
    Conversation,
    ConversationShare,
    Identity,
    IdentityId,
    IdentityMerge,
    Suppression,
)
from backend.models.daily_summary import DailySummary
from backend.models.delivery import Attempt, Delivery
from backend.models.file import FileFetch, StoredFile
from backend.models.idempotency import IdempotencyKey
from backend.models.inbox import (
    AssignmentRule,
    CannedReply,
    ConversationDraft,
    ConversationLabel,
    ConversationNote,
    InboxSettings,
    Label,
)
from backend.models.inbox_work import InboxAvailability, UndoStep
from backend.models.job import Heartbeat, JobRun, SystemJobState, WriteProbe
from backend.models.link import LinkConfirmation, LinkToken, TelegramLink
from backend.models.live import LiveEvent, LiveMark
from backend.models.mail import Mail
from backend.models.message import (
    SENT_STATES,
    Message,
    MessageFile,
    MessageKey,
    MessagePart,
    MessageReaction,
    MessageVersion,
    MessageWords,
    PendingReceipt,
)
from backend.models.notification import (
    NotificationEvent,
    NotificationSettings,
    NotificationSubject,
    NotificationType,
)
from backend.models.outgoing_webhook import OutgoingAttempt, OutgoingDelivery, OutgoingWebhook
from backend.models.post import Post, PostAttempt, PublishingToken
from backend.models.schedule import Schedule, ScheduleFire
from backend.models.scheduled_message import ScheduledFetch, ScheduledMessage
from backend.models.sender import Sender, SenderLease
from backend.models.user import PasswordReset, PersonalToken, ResetRequest, SignIn, User, Workspace
from backend.models.webhook_event import UnknownRecipient, WebhookEvent, WebhookEventKey

__all__ = [
    "SENT_STATES",
    "Account",
    "AccountFirstConnection",
    "AccountLogin",
    "AccountLookup",
    "AccountPeer",
    "AccountSignal",
    "Alert",
    "AlertEvent",
    "AlertFailure",
    "AlertItem",
    "AlertMessage",
    "AlertPolicy",
    "AlertSilence",
    "AlertTemplate",
    "AssignmentRule",
    "Attempt",
    "AuditEntry",
    "AutomationRule",
    "Campaign",
    "CampaignMessage",
    "CampaignPreflight",
    "CampaignRecipient",
    "CampaignStep",
    "CannedReply",
    "ChannelSetup",
    "Consent",
    "Contact",
    "ContactField",
    "ContactImport",
    "ContactImportChange",
    "ContactPoint",
    "ContactSettings",
    "ContactTag",
    "Conversation",
    "ConversationDraft",
    "ConversationLabel",
    "ConversationNote",
    "ConversationShare",
    "DailySummary",
    "Delivery",
    "FileFetch",
    "Heartbeat",
    "IdempotencyKey",
    "Identity",
    "IdentityId",
    "IdentityMerge",
    "InboxAvailability",
    "InboxSettings",
    "JobRun",
    "Label",
    "LinkConfirmation",
    "LinkToken",
    "LiveEvent",
    "LiveMark",
    "Mail",
    "Message",
    "MessageFile",
    "MessageKey",
    "MessagePart",
    "MessageReaction",
    "MessageTemplate",
    "MessageVersion",
    "MessageWords",
    "MetaRequest",
    "NotificationEvent",
    "NotificationSettings",
    "NotificationSubject",
    "NotificationType",
    "OutgoingAttempt",
    "OutgoingDelivery",
    "OutgoingWebhook",
    "PasswordReset",
    "PendingReceipt",
    "PersonalToken",
    "Post",
    "PostAttempt",
    "PublishingToken",
    "ResetRequest",
    "RuleRun",
    "Schedule",
    "ScheduleFire",
    "ScheduledFetch",
    "ScheduledMessage",
    "Segment",
    "Sender",
    "SenderLease",
    "SignIn",
    "StoredFile",
    "Suppression",
    "SystemJobState",
    "Tag",
    "TelegramLink",
    "UndoStep",
    "UnknownRecipient",
    "User",
    "WebhookEvent",
    "WebhookEventKey",
    "Workspace",
    "WriteProbe",
]
