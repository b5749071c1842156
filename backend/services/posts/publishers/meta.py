"""What the two publishers through Meta's Graph API share: whose token it is, and the client that carries it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select

from backend.channels.errors import SenderDisabled
from backend.channels.meta_pages import Account, GraphClient, accounts
from backend.core import config
from backend.core.database import db, system_scope
from backend.models import Workspace

_clients: dict[tuple[str, str, str], GraphClient] = {}
MAX_PICTURES: Final = 10


def has_token(workspace_id: int) -> bool:
    """Whether the environment's token serves this workspace: it is the first workspace's alone."""
    if not config.get().meta_page_access_token:
        return False
    with system_scope("which workspace is the instance's first"):
        return bool(db.session.execute(select(func.min(Workspace.id))).scalar() == workspace_id)


def client() -> GraphClient:
    """The client with the environment's token. Raises SenderDisabled where there is none."""
    settings = config.get()
    if not settings.meta_page_access_token:
        raise SenderDisabled("no_token")
    named = (settings.meta_graph_url, settings.meta_api_version, settings.meta_page_access_token)
    if named not in _clients:
        _clients.clear()
        _clients[named] = GraphClient(*named)
    return _clients[named]


def account(graph: GraphClient) -> Account:
    """Whom the token speaks for. Raises ChannelError."""
    return accounts(graph)
