"""What the two publishers through Meta's Graph API share: whose token it is, and the client that carries it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select

from backend.channels.errors import SenderDisabled
from backend.channels.meta_pages import Account, GraphClient, accounts
from backend.core import config
from backend.core.database import db, system_scope
from backend.models import Workspace
from backend.services.posts.publishers import token_scopes

_clients: dict[tuple[str, str, str], GraphClient] = {}
MAX_PICTURES: Final = 10


FACEBOOK_SCOPES: Final = frozenset({"pages_manage_posts"})
INSTAGRAM_SCOPES: Final = frozenset({"instagram_content_publish", "instagram_business_content_publish"})


def may_publish(workspace_id: int, scopes: frozenset[str]) -> bool:
    """Whether the environment's token publishes for this workspace: it is the first workspace's alone, and has to have
    one of these scopes. While they are not known it does where nothing says that it is for messages."""
    settings = config.get()
    token = settings.meta_page_access_token
    if not token:
        return False
    with system_scope("which workspace is the instance's first, and what its token may do"):
        if db.session.execute(select(func.min(Workspace.id))).scalar() != workspace_id:
            return False
        known = token_scopes.scopes_of(token)
    if known is not None:
        return not known.isdisjoint(scopes)
    return not (settings.meta_app_secret or settings.verify_token or settings.meta_page_id)


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
