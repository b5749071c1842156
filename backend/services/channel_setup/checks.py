"""The checks of one integration: asked at the provider, judged, kept, and told where something is wrong.

A failed check stops nothing: whether a sender works is decided by what sending and receiving meet.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from backend.channels.base import Credentials
from backend.channels.errors import RetryLater, SenderDisabled
from backend.core import clock, config
from backend.core.database import db, system_scope
from backend.models import Attempt, ChannelSetup, Sender, UnknownRecipient, WebhookEvent
from backend.services import senders
from backend.services.channel_setup import asking, results, states
from backend.services.channel_setup.asking import Answers, Asked, Connection
from backend.services.channel_setup.judging import Known, judge
from backend.services.channel_setup.platforms import Rules, rules_of
from backend.services.channel_setup.results import Result
from backend.services.senders import webhook

_WHY = "what is known of a sender stands in no workspace's tables"
_RECENTLY = timedelta(days=3)
_LOOKED_AT = 2_000


@dataclass(frozen=True, slots=True)
class Checklist:
    """The checks of an integration. `checked_at` is when the provider was last asked, None before; `asked` says whether
    it could be this time."""

    results: Sequence[Result]
    checked_at: datetime | None
    next_at: datetime | None
    asked: bool = True


def kept(sender: Sender) -> Checklist:
    """What was found last, without asking anybody."""
    setup = states.of(sender)
    return Checklist(results.read(setup.results), setup.checked_at, setup.check_at)


def check(sender: Sender, *, only: Collection[str] = ()) -> Checklist:
    """Makes the checks of an integration now and keeps what they find, in a transaction of the caller's. Commits before
    the network calls. With `only` just these of the checks are kept."""
    known, connection = _known(sender), connection_of(sender)
    db.session.commit()
    answers = asking.everything(connection) if connection is not None else _without_token()
    findings = judge(known, answers, clock.now())
    with system_scope(_WHY):
        setup = states.of(sender, lock=True)
        if answers.token.value is not None:
            states.note_token_owner(setup, answers.token.value.user_id)
            setup.token_expires_at = answers.token.value.expires_at
    errors = answers.errors
    was_asked = len(errors) < _put(answers) or any(isinstance(asked, SenderDisabled) for asked in errors)
    if only:
        findings = [result for result in findings if result.check in only]
    wait = max((error.seconds for error in errors if isinstance(error, RetryLater)), default=None)
    listed = states.keep(sender, findings, asked=was_asked, wait=wait, partly=bool(only))
    setup = states.of(sender)
    return Checklist(listed, setup.checked_at, setup.check_at, was_asked)


def connection_of(sender: Sender) -> Connection | None:
    """What asks the provider for this integration; None where there is no token to ask with."""
    if not sender.credentials:
        return None
    credentials = senders.credentials_of(sender)
    return Connection(
        rules_of(sender.channel, credentials.token),
        Credentials(credentials.token, credentials.external_id, credentials.settings),
    )


def rules_for(sender: Sender) -> Rules:
    """How this integration is set up."""
    return rules_of(sender.channel, sender.credentials)


def _known(sender: Sender) -> Known:
    setup = states.of(sender)
    dropped, parked, development_at = _counts(sender)
    return Known(
        rules=rules_for(sender),
        external_id=sender.external_id or "",
        webhook_url=senders.webhook_address(sender),
        has_secret=bool(senders.webhook_secrets_of(sender)),
        has_verify_token=bool(webhook.handshake_tokens_of(sender)),
        from_environment=sender.source == "environment",
        api_version=config.get().meta_api_version,
        last_inbound_at=sender.last_inbound_at,
        dropped=dropped,
        parked=parked,
        development_at=development_at,
        token_expires_at=setup.token_expires_at,
        renew_at=setup.renew_at,
        renew_failures=setup.renew_failures,
        renew_error=setup.renew_error,
    )


def _counts(sender: Sender) -> tuple[int, int, datetime | None]:
    """What came to the sender's address for nobody here, what could not be read, and when sending last met an
    application in development."""
    now = clock.now()
    recent = (
        select(Attempt.code, Attempt.at)
        .where(Attempt.sender_id == sender.id, Attempt.at > now - _RECENTLY)
        .order_by(Attempt.at.desc())
        .limit(_LOOKED_AT)
        .subquery()
    )
    with system_scope(_WHY):
        dropped = db.session.execute(
            select(func.coalesce(func.sum(UnknownRecipient.count), 0)).where(UnknownRecipient.sender_id == sender.id)
        ).scalar_one()
        parked = db.session.execute(
            select(func.count())
            .select_from(WebhookEvent)
            .where(WebhookEvent.sender_id == sender.id, WebhookEvent.state == "parked")
        ).scalar_one()
        development_at = db.session.execute(
            select(func.max(recent.c.at)).where(recent.c.code == "development_mode")
        ).scalar_one()
    return int(dropped), int(parked), development_at


def _without_token() -> Answers:
    refusal: Asked[None] = Asked(error=SenderDisabled("token_missing"))
    return Answers(refusal, refusal, refusal, refusal)  # type: ignore[arg-type]


def _put(answers: Answers) -> int:
    """How many questions were put."""
    every = (answers.token, answers.account, answers.number, answers.subscriptions, answers.app)
    return sum(asked.value is not None or asked.error is not None for asked in every)


def counts_of(setup: ChannelSetup | None) -> dict[str, int]:
    """How many of an integration's checks have found what, for lists."""
    findings = results.read(setup.results) if setup is not None else []
    return {state: sum(result.state == state for result in findings) for state in results.STATES}
