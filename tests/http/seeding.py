"""A workspace with as many rows of everything as a test asks for, each about people, bots and chats of its own.

`Seeding.add` adds one of each kind, and to the first alert, post, rule, planned message and webhook one more of what
hangs on them. So a page that asks the database once more for each row it shows is found by comparing two of its calls.
"""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from typing import Any

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import (
    Alert,
    AlertEvent,
    AlertItem,
    AlertMessage,
    AlertPolicy,
    AlertSilence,
    AlertTemplate,
    Attempt,
    AutomationRule,
    CampaignRecipient,
    Conversation,
    Delivery,
    JobRun,
    Message,
    MessageFile,
    MessageReaction,
    MessageTemplate,
    MessageVersion,
    NotificationEvent,
    NotificationType,
    OutgoingAttempt,
    OutgoingDelivery,
    OutgoingWebhook,
    Post,
    PostAttempt,
    RuleRun,
    Schedule,
    ScheduledMessage,
    ScheduleFire,
    Sender,
    SenderLease,
    User,
    Workspace,
)
from backend.services import files
from backend.services.accounts import logins as account_logins
from backend.services.auth import audit, personal_tokens
from backend.services.campaigns import preflight
from backend.services.contacts import consents, custom_fields, records, segments, settings, suppressions, tags
from backend.services.contacts.filters import ContactFilter
from backend.services.contacts.imports import administration
from backend.services.inbox import assignment_rules, canned, labels, notes
from tests.http import callers, holdings, objects_campaigns, objects_integrations
from tests.support import accounts, factories, inbox

JOB = "retention"
"""The system job whose history grows."""
_MATCHER = {"label": "service", "op": "=", "value": "db"}


class Seeding:
    """What a workspace holds; `ids` has the first of each kind by its table."""

    def __init__(self, person: User) -> None:
        self.person = person
        self.home = holdings.home(person)
        self.link = holdings.linked(person)
        self.count = 0
        self.ids: dict[str, int] = {}

    def add(self, count: int) -> None:
        """Adds so many of each kind, and stores them."""
        with workspace_scope(self.person.workspace_id):
            for _ in range(count):
                self._add_one(self.count)
                self.count += 1
        callers.commit()

    def _store(self, row: Any) -> int:
        if hasattr(row, "workspace_id") and row.workspace_id is None:
            row.workspace_id = self.person.workspace_id
        with system_scope("a test's rows"):
            db.session.add(row)
            db.session.flush()
        return int(row.id)

    def _first(self, name: str, row_id: int) -> int:
        return self.ids.setdefault(name, row_id)

    def _add_one(self, number: int) -> None:
        member = factories.user(self.home, role="viewer")
        self._first("users", member.id)
        bot = factories.bot(self.home, name=f"bot {number:03}", chat_ids=(str(-2_000_000 - number),))
        self._first("senders", bot.id)
        chat = factories.conversation(self.home, bot, str(-2_000_000 - number))
        with system_scope("a test's rows"):
            until = clock.now() + timedelta(minutes=5)
            # Telegram is asked about the first bot, so that one is not paused.
            paused = {"paused_until": until, "pause_reason": "rate_limited"} if number else {}
            db.session.add(SenderLease(sender_id=bot.id, owner="somebody", epoch=1, until=until, **paused))
            db.session.flush()
        factories.link(member, self._default_bot(), str(8_000_000 + member.id))
        waiting = self._message(member, bot, chat, "queued")
        for state in ("sent", "failed"):
            self._message(member, bot, chat, state)
        self._notifications(member, waiting, number)
        self._alerts(member, waiting, chat, number)
        self._posts(member, number)
        self._planned(bot, waiting, number)
        self._webhooks(number)
        self._contacts(member, number)
        self._inbox(member, number)
        self._campaigns()
        self._integrations(number)
        self._first("personal_tokens", personal_tokens.issue(callers.acting(self.person), f"{number}", ["read"])[0].id)
        by = factories.by("user:1", self.person.id)
        self._first("files", files.upload(by, "notes.txt", io.BytesIO(b"some text")).id)
        audit.record(factories.by(f"user:{member.id}"), "person.renamed", f"user:{member.id}")
        self._store(JobRun(job=JOB, state="succeeded", started_at=clock.now(), finished_at=clock.now()))

    def _integrations(self, number: int) -> None:
        """A WhatsApp number, and a template of the first one."""
        first = self._first("integrations", objects_integrations.integration(self.person))
        body = ({"type": "BODY", "text": f"Hello {number}"},)
        row = {"external_id": str(number), "name": f"template {number}", "language": "en", "category": "utility"}
        now = clock.now()
        times = {"changed_at": now, "created_at": now}
        template = MessageTemplate(sender_id=first, state="approved", components=list(body), **row, **times)
        self._first("message_templates", self._store(template))

    def _campaigns(self) -> None:
        """A campaign, and a recipient of the first one."""
        made = objects_campaigns.campaign(self.person)
        first = self._first("campaigns", made.id)
        with workspace_scope(self.person.workspace_id):
            self._first("campaign_preflights", preflight.make(callers.acting(self.person), first).id)
            db.session.commit()
        now = clock.now()
        contact_id = objects_campaigns.person(self.person)
        self._store(
            CampaignRecipient(
                campaign_id=first, contact_id=contact_id, place=self.count, due_at=now, updated_at=now, hours_key="UTC"
            )
        )

    def _default_bot(self) -> Sender:
        with system_scope("a test's rows"):
            found = db.session.get(Sender, self.link.sender_id)
        assert found is not None
        return found

    def _message(self, member: User, bot: Sender, chat: Conversation, state: str) -> Message:
        now = clock.now()
        message = Message(
            conversation_id=chat.id,
            sender_id=bot.id,
            direction="out",
            kind="notification",
            state=state,
            error="blocked" if state == "failed" else None,
            body={"parts": [{"text": "Hello", "format": "plain"}]},
            user_id=member.id,
            created_at=now,
        )
        self._first("messages", self._store(message))
        attempt = {"sender_id": bot.id, "chat_key": chat.chat_key, "message_id": message.id, "delivery_id": message.id}
        self._store(Attempt(**attempt, part=0, operation="send", phase="started", epoch=1, at=now))
        if state == "queued":
            due = {"chat_key": chat.chat_key, "due_at": now, "expires_at": now + timedelta(hours=1), "lane": 1}
            about = {"sender_id": bot.id, "conversation_id": chat.id, "message_id": message.id}
            self._store(Delivery(**about, **due, operation="send", attempts=1, reason="network"))
        return message

    def _notifications(self, member: User, message: Message, number: int) -> None:
        now = clock.now()
        made = {"name": f"order_{number}", "title": f"Order {number}", "templates": {"en": "Order {id}"}}
        self._first("notification_types", self._store(NotificationType(**made, created_at=now, updated_at=now)))
        told = {"type": f"order_{number}", "user_id": member.id, "data": {"id": number}, "message_id": message.id}
        event = NotificationEvent(**told, decision="queued", actor="user:1", created_at=now)
        self._first("notification_events", self._store(event))

    def _alerts(self, member: User, message: Message, chat: Conversation, number: int) -> None:
        now = clock.now()
        times = {"created_at": now, "updated_at": now}
        policy = AlertPolicy(
            name=f"Policy {number}",
            position=number + 1,
            matchers=[_MATCHER],
            group_wait=30,
            group_interval=300,
            escalate_user_ids=[member.id],
            escalate_bot_name=f"bot {number:03}",
            escalate_after=600,
            **times,
        )
        self._first("alert_policies", self._store(policy))
        silence = {"matchers": [_MATCHER], "starts_at": now, "ends_at": now + timedelta(hours=1)}
        silence_id = self._store(AlertSilence(**silence, by_user_id=member.id, **times))
        self._first("alert_silences", silence_id)
        self._first("alert_templates", self._store(AlertTemplate(name=f"down_{number}", body="{host}", **times)))
        said = {"source": "api", "bot_name": f"bot {number:03}", "severity": "error", "title": f"Disk {number}"}
        key = hashlib.sha256(f"{self.home.id}:{number}".encode()).digest()
        alert_id = self._store(
            Alert(**said, group_key=key, policy_id=policy.id, opened_at=now, last_seen_at=now, by_user_id=member.id)
        )
        first = self._first("alerts", alert_id)
        for parent in {first, alert_id}:
            item = {"key": key, "severity": "error", "title": f"Disk {number}", "labels": {"service": "db"}}
            seen = {"first_seen_at": now, "last_seen_at": now, "silence_id": silence_id}
            self._store(AlertItem(alert_id=parent, **item, **seen))
            about = {"conversation_id": chat.id, "message_id": self._alert_message(member, chat).id, "locale": "en"}
            self._store(AlertMessage(alert_id=parent, **about, role="route", user_id=member.id, created_at=now))
            self._store(AlertEvent(alert_id=parent, what="joined", via="api", user_id=member.id, name="Kim", at=now))

    def _alert_message(self, member: User, chat: Conversation) -> Message:
        with system_scope("a test's rows"):
            bot = db.session.get(Sender, chat.sender_id)
        assert bot is not None
        return self._message(member, bot, chat, "queued")

    def _posts(self, member: User, number: int) -> None:
        now = clock.now()
        times = {"created_at": now, "updated_at": now}
        rule = AutomationRule(user_id=member.id, name=f"Rule {number}", platforms=["x"], content="Hello", **times)
        first_rule = self._first("automation_rules", self._store(rule))
        self._schedule("automation_rule", rule.id)
        for parent in {first_rule, rule.id}:
            run = {"rule_id": parent, "rule_name": "Rule", "user_id": member.id, "fire_at": now, "created_at": now}
            run_id = self._store(RuleRun(**run))
            post = Post(user_id=member.id, platform="x", content="Hello", state="unknown", rule_run_id=run_id, **times)
            first = self._first("posts", self._store(post))
            self._store(PostAttempt(post_id=first, number=number + 1, phase="started", at=now))

    def _schedule(self, job: str, subject_id: int) -> int:
        cron = {"kind": "cron", "cron": "0 9 * * *", "next_fire_at": clock.now() + timedelta(hours=1)}
        return self._store(Schedule(job=job, subject_id=subject_id, created_at=clock.now(), **cron))

    def _planned(self, bot: Sender, message: Message, number: int) -> None:
        now = clock.now()
        planned = ScheduledMessage(bot_name=bot.name, message="Good morning", created_at=now, updated_at=now)
        self._first("scheduled_messages", self._store(planned))
        schedule_id = self._schedule("scheduled_message", planned.id)
        first = self._first("schedules", schedule_id)
        fire = {"fire_at": now + timedelta(seconds=number), "fired_at": now, "result": {"message_ids": [message.id]}}
        self._store(ScheduleFire(schedule_id=first, state="done", **fire))

    def _webhooks(self, number: int) -> None:
        now = clock.now()
        times = {"created_at": now, "updated_at": now}
        webhook = OutgoingWebhook(url=f"https://93.184.216.34/hooks/{number}", events=["*"], **times)
        webhook.secret = "whsec_visibly-fake"
        webhook_id = self._first("outgoing_webhooks", self._store(webhook))
        sent = {"event_id": f"evt_{self.home.id}_{number}", "type": "test", "body": "{}", "state": "failed"}
        delivery_id = self._store(OutgoingDelivery(webhook_id=webhook_id, **sent, due_at=now, created_at=now))
        first = self._first("outgoing_deliveries", delivery_id)
        self._store(OutgoingAttempt(delivery_id=first, at=now, status=500, code="bad_status", duration_ms=7))

    def _inbox(self, member: User, number: int) -> None:
        """A conversation with all that belongs to one, and one more of what hangs on the first."""
        by = factories.by("user:1", self.person.id)
        operator = factories.user(self.home, role="operator", password_hash="x")
        label = labels.create(by, f"label {number}")
        self._first("labels", label.id)
        reply = canned.create(by, {"name": f"Reply {number}", "text": "Hello {contact.name}"})
        self._first("canned_replies", reply.id)
        rule = assignment_rules.create(by, {"name": f"Rule {number}", "user_ids": [operator.id]})
        self._first("assignment_rules", rule.id)
        chat = inbox.conversation(self.home, name=f"Ada {number}", assignee_id=operator.id)
        inbox.contact(chat, first_name=f"Ada {number}")
        labels.put(by, chat.id, [label.id])
        first = db.session.get_one(Conversation, self._first("conversations", chat.id))
        for parent in {first, chat}:
            asked = inbox.receive(parent, "Is the flat free?" if parent is chat else "Hello")
            said = inbox.say(parent, "Yes", author_user_id=operator.id, reply_to=asked.external_id)
            now = clock.now()
            place = {"message_id": said.id, "workspace_id": self.home.id}
            was = {"parts": [{"text": "No", "format": "plain"}]}
            self._store_plain(MessageVersion(**place, version=1, body=was, edited_at=now))
            self._store_plain(MessageReaction(**place, author="us", reaction="👍", at=now))
            file_id = files.upload(by, f"plan {number}.txt", io.BytesIO(b"a plan")).id
            about = {"message_id": asked.id, "kind": "document", "file_id": file_id, "state": "stored"}
            self._store(MessageFile(**about, created_at=now))
            notes.add(by, parent.id, f"Note {number}", [operator.id])
            self._first("thread_messages", said.id)

    def _store_plain(self, row: Any) -> None:
        with system_scope("a test's rows"):
            db.session.add(row)
            db.session.flush()

    def _contacts(self, member: User, number: int) -> None:
        settings.change(factories.by("user:1"), {"opt_in_wording": "You may write to me about new flats."})
        given = {"first_name": "Ada", "phone": f"+4477009{number:05}", "tags": [f"tag {number}"], "owner_id": member.id}
        contact = records.create(factories.by("user:1"), given | {"email": f"ada{number}@example.com"})
        first = records.get(self._first("contacts", contact.id))
        consent = {"channel": "telegram", "purpose": "marketing", "source": "form", "source_detail": f"form {number}"}
        for parent in {first, contact}:
            consents.record(factories.by("user:1"), parent, consent)
        suppressions.suppress_contact(factories.by("user:1"), contact.id, code="requested", source="api")
        self._first("suppressions", suppressions.listing()[0][-1].id)
        self._first("tags", tags.listing()[0][-1].id)
        self._first(
            "contact_fields",
            custom_fields.create(factories.by("user:1"), f"field_{number}", f"Field {number}", "text").id,
        )
        stream = io.BytesIO(b"Name,Phone\nAda,+44 7700 900123\n")
        taken = administration.create(factories.by("user:1", member.id), filename=f"people {number}.csv", stream=stream)
        self._first("contact_imports", taken.id)
        session = f"{accounts.SESSION[:-6]}{number:06x}"
        home = db.session.get_one(Workspace, member.workspace_id)
        self._first("accounts", accounts.account(home, member, 770000 + number, session).sender_id)
        login = account_logins.begin(home.id, self.person.id, {"api_id": "1", "api_hash": "0"}, "+12025550101", "start")
        self._first("account_logins", login.id)
        wanted = ContactFilter(tag=(f"tag {number}",))
        self._first("segments", segments.create(factories.by("user:1"), f"Segment {number}", wanted).id)
