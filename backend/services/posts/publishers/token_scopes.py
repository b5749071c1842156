"""What the environment's token may do. A token for messages must not begin to publish posts, so its scopes decide.

They are asked for by a work of their own and kept in a row, so that a request never waits for Meta.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, exists, literal, select
from sqlalchemy.dialects.postgresql import insert

from backend.channels.errors import ChannelError, Rejected
from backend.channels.graph import GraphClient
from backend.channels.graph import setup as graph
from backend.channels.transport import Timeouts
from backend.core import clock, config
from backend.core.database import db, system_scope
from backend.core.logging import get_logger
from backend.core.work import Turn, Waiting, Work, register
from backend.models import PublishingToken
from backend.services.senders.credentials import token_hash

log = get_logger(__name__)

GOOD_FOR: Final = timedelta(hours=24)
AGAIN: Final = timedelta(minutes=5)
_PATIENCE: Final = Timeouts(connect=3.0, read=5.0, total=8.0)
_WHY: Final = "a token of the environment is the instance's"


def scopes_of(token: str) -> frozenset[str] | None:
    """What the token may do; None where the provider has not told. In the caller's system scope."""
    query = select(PublishingToken.scopes).where(PublishingToken.token_hash == token_hash(token))
    scopes = db.session.execute(query).scalar()
    return None if scopes is None else frozenset(scopes)


def waiting() -> Waiting:
    """The environment's token, while what it may do is not known or has not been asked for a day."""
    token = config.get().meta_page_access_token
    if not token:
        return ()
    known = exists().where(PublishingToken.token_hash == token_hash(token), PublishingToken.ask_at > clock.now())
    return (select(literal(1)).where(~known),)


def ask(turn: Turn) -> int:
    """Asks Meta what the token may do, and keeps the answer; returns how many tokens were asked about. Commits."""
    settings = config.get()
    token = settings.meta_page_access_token
    if not token:
        return 0
    scopes: list[str] | None = None
    again = GOOD_FOR
    try:
        by = f"{settings.meta_app_id}|{settings.meta_app_secret}" if _names_application(settings) else token
        client = GraphClient(settings.meta_graph_url, settings.meta_api_version, by, pool_size=1, timeouts=_PATIENCE)
        facts = graph.token_facts(client, token)
        # Of one that is not valid any more nothing new is known: publishing with it says so.
        scopes = sorted(facts.scopes) if facts.is_valid else None
    except Rejected as error:
        log.info("token_scopes_not_told", code=error.code)
    except ChannelError as error:
        log.info("token_scopes_not_told", code=error.code)
        again = AGAIN
    with system_scope(_WHY):
        _keep(token_hash(token), scopes, again)
        db.session.commit()
    return 1


def _names_application(settings: config.Settings) -> bool:
    return bool(settings.meta_app_id and settings.meta_app_secret)


def _keep(hashed: bytes, scopes: list[str] | None, again: timedelta) -> None:
    row = {"token_hash": hashed, "scopes": scopes, "ask_at": clock.now() + again}
    changed = {"ask_at": row["ask_at"]} | ({} if scopes is None else {"scopes": scopes})
    statement = insert(PublishingToken).values(row)
    db.session.execute(statement.on_conflict_do_update(index_elements=["token_hash"], set_=changed))
    # Of a token that was replaced nothing has to be known.
    db.session.execute(delete(PublishingToken).where(PublishingToken.token_hash != hashed))


WORK: Final = register(Work("publishing_tokens", "background", waiting, ask))
