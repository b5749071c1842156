"""Personal access tokens."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.base import PageQuery
from backend.http.schemas.people import IssuedToken, TokenOut, TokenRename, TokenRequest, Tokens
from backend.models import PersonalToken
from backend.services.auth import personal_tokens

bp = APIBlueprint("tokens", __name__, url_prefix="/api/tokens", tag="Personal access tokens")


@bp.get("")
@access()
@bp.input(PageQuery, location="query")
@bp.output(Tokens)
def listing(query_data: PageQuery) -> dict[str, Any]:
    """List your tokens"""
    tokens, following = personal_tokens.listing(guards.actor(), cursor=query_data.cursor, limit=query_data.limit)
    return {"tokens": tokens, "next_cursor": following}


@bp.post("")
@access(tokens=False, idempotent=True, redact=("token",))
@bp.input(TokenRequest)
@bp.output(IssuedToken, status_code=201)
def issue(json_data: TokenRequest) -> dict[str, Any]:
    """Make a token

    The secret is in `token`, this once. A token acts as you, within the scopes you give it: `read`, `write`,
    `people:act` (name other people), `notify:critical` (mark events critical), `jobs:trigger`.
    """
    token, secret = personal_tokens.issue(guards.actor(), json_data.name, json_data.scopes, json_data.expires_at)
    return {**TokenOut.model_validate(token).model_dump(), "token": secret}


@bp.get("/<int:token_id>")
@access()
@bp.output(TokenOut)
def show(token_id: int) -> PersonalToken:
    """Show one of your tokens"""
    return personal_tokens.get(guards.actor(), token_id)


@bp.patch("/<int:token_id>")
@access(tokens=False)
@bp.input(TokenRename)
@bp.output(TokenOut)
def rename(token_id: int, json_data: TokenRename) -> PersonalToken:
    """Rename a token"""
    return personal_tokens.rename(guards.actor(), token_id, json_data.name)


@bp.delete("/<int:token_id>")
@access(tokens=False)
@bp.output({}, status_code=204)
def revoke(token_id: int) -> str:
    """Revoke a token

    It stops working with the next request.
    """
    personal_tokens.revoke(guards.actor(), token_id)
    return ""
