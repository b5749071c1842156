"""Calling the inbox's API as somebody of a workspace."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from backend.core.database import db, system_scope
from backend.models import Workspace
from tests.http import callers
from tests.http.callers import error_of, with_token
from tests.support import inbox

_SCOPES = ("read", "write")
"""By personal tokens, which outlive a clock that is moved."""


class Team:
    """A workspace with an admin, and as many operators and viewers as a test asks for."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self.admin = callers.member(name="Ines")
        self._admin_id = self.admin.id
        self.home: Workspace = inbox.home_of(self.admin)
        self.headers = {self.admin.id: with_token(self.admin, _SCOPES)}

    def person(self, name: str = "Kim", role: str = "operator") -> Any:
        """Another person of the workspace."""
        made = callers.member(self.home, role=role, name=name)
        self.headers[made.id] = with_token(made, _SCOPES)
        return made

    def call(self, method: str, path: str, status: int = 200, *, by: Any = None, **arguments: Any) -> Any:
        """The answer's body; of an error what it says."""
        with system_scope("a test's rows are stored before the call"):
            db.session.commit()
        headers = self.headers[self._admin_id if by is None else by.id] | arguments.pop("headers", {})
        response = self._client.open(path, method=method, headers=headers, **arguments)
        if status >= 400:
            return error_of(response, status)
        assert response.status_code == status, response.get_data(as_text=True)
        return response.get_json() if response.is_json else None

    def get(self, path: str, **arguments: Any) -> Any:
        """A GET."""
        return self.call("GET", path, **arguments)

    def post(self, path: str, json: Any = None, status: int = 200, **arguments: Any) -> Any:
        """A POST; without a body where there is none."""
        if json is not None:
            arguments["json"] = json
        return self.call("POST", path, status, **arguments)
