"""Asking Telegram for updates, for instances that it cannot reach.

An update is confirmed (by the next question's offset) only after it was stored and committed: whatever happens in
between, it comes again, and is known then.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import DBAPIError

from backend.channels.base import Credentials
from backend.channels.errors import ChannelError, Rejected, RetryLater, SenderDisabled
from backend.channels.telegram_bot import NAME as CHANNEL
from backend.core.backoff import Backoff
from backend.core.database import db, system_scope
from backend.core.egress.answers import whole_number
from backend.core.logging import get_logger
from backend.models import Sender
from backend.services import senders
from backend.services.bots import bot_api
from backend.services.intake.event_store import store
from backend.services.senders import provider

log = get_logger(__name__)

WAIT_SECONDS: Final = 25
BACKOFF: Final = Backoff(1.0, 30.0)


class PollingStopped(Exception):
    """Polling cannot go on until a person acts. The text says why and holds no token."""


class Poller:
    """Polls for one bot until `stop`. `report` gets lines for whoever watches."""

    def __init__(self, sender_id: int, report: Callable[[str], None], *, wait: int = WAIT_SECONDS) -> None:
        self._sender_id = sender_id
        self._report = report
        self._wait = wait
        self._offset: int | None = None
        self._failures = 0
        self._has_webhook = False
        """Whether Telegram has refused to be polled because of a webhook, whatever it says of webhooks itself."""
        self._stop = threading.Event()
        self.asking = False
        """Whether a question is open now: nothing is lost by giving it up."""

    def stop(self) -> None:
        """Has `run` end after what it is doing; safe in a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Polls; rests and goes on while Telegram or the database is away. Raises PollingStopped."""
        started = False
        while not self._stop.is_set():
            try:
                if not started:
                    self._take_over()
                    started = True
                self.turn()
                self._failures, self._has_webhook = 0, False
            except SenderDisabled as error:
                self._refused(error)
            except Rejected as error:
                if error.code != "webhook_is_set":
                    raise PollingStopped(f"Telegram refuses to be polled: {error}") from None
                if self._has_webhook:
                    # It was deleted, and is there again: somebody else sets it.
                    self._rest(error.code)
                started, self._has_webhook = False, True
            except RetryLater as error:
                if error.code == "other_poller":
                    self._report("Another process polls for this bot; only one of them can.")
                self._rest(error.code, error.seconds)
            except ChannelError as error:
                self._rest(error.code)
            except DBAPIError as error:
                db.session.rollback()
                self._rest(type(error).__name__)
            except PollingStopped:
                raise
            except Exception as error:
                db.session.rollback()
                log.exception("polling_defect", sender_id=self._sender_id, error=type(error).__name__)
                self._rest(type(error).__name__)

    def turn(self) -> int:
        """One question and its answer, stored; returns how many updates were new. Raises a channel error, or what the
        database raises: then nothing is confirmed."""
        credentials = self._credentials()
        self.asking = True
        try:
            updates = bot_api.poll(credentials, offset=self._offset, timeout=self._wait)
        finally:
            self.asking = False
        if not updates:
            return 0
        with system_scope("an update's workspace is found out by processing it"):
            sender = self._sender()
            new = sum(store(sender, json.dumps(update).encode()) for update in updates)
            db.session.commit()
        numbers = (whole_number(update.get("update_id"), most=2**62) for update in updates)
        ids = [number for number in numbers if number is not None]
        # Telegram hands them out in order; what has no id of its own goes with its neighbours.
        self._offset = max(ids) + 1 if ids else self._offset
        return new

    def _take_over(self) -> None:
        """Finds out the bot's name, which its groups address it by, and deletes the webhook, which would make polling
        impossible; says so first."""
        with system_scope("a sender may serve several workspaces"):
            senders.probe(self._sender())
        credentials = self._credentials()
        address = self._webhook(credentials)
        if address or self._has_webhook:
            self._report(
                f"Deleting the webhook {address or '(which one, this server does not say)'}:"
                " a bot is either polled or has one."
            )
            provider.patient(CHANNEL).unregister_webhook(credentials)
        self._report("Polling.")

    def _webhook(self, credentials: Credentials) -> str:
        """The webhook's address. Empty also where the server does not tell, as one of somebody's own may lack the
        method: should there be a webhook all the same, it refuses to be polled, and says so."""
        try:
            return provider.patient(CHANNEL).webhook_status(credentials).url
        except SenderDisabled:
            raise
        except RetryLater as error:
            if error.code != "gateway_refused":
                raise
            failure: ChannelError = error
        except ChannelError as error:
            failure = error
        self._report(f"This server does not answer getWebhookInfo ({failure.code}); polling without it.")
        return ""

    def _credentials(self) -> Credentials:
        with system_scope("an update's workspace is found out by processing it"):
            credentials = senders.credentials_of(self._sender())
            db.session.rollback()
        return credentials

    def _sender(self) -> Sender:
        sender = db.session.get(Sender, self._sender_id, populate_existing=True)
        if sender is None:
            raise PollingStopped("The bot has been deleted.")
        return sender

    def _refused(self, error: SenderDisabled) -> None:
        with system_scope("a sender may serve several workspaces"):
            senders.disable(self._sender(), error.code)
            db.session.commit()
        raise PollingStopped(f"Telegram refuses the bot's token ({error.code}).") from None

    def _rest(self, code: str, seconds: float = 0.0) -> None:
        self._failures += 1
        pause = max(seconds, BACKOFF.seconds(self._failures))
        log.warning("polling_rests", sender_id=self._sender_id, code=code, seconds=pause)
        self._stop.wait(pause)
