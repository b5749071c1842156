"""The inbox asks the database as often for fifty rows as for one."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import event

from backend.core.database import db
from tests.http.api.inbox_api import Team
from tests.support import inbox


def test_the_number_of_statements_is_constant(client: FlaskClient) -> None:
    team, counted = Team(client), list[str]()

    def add(count: int) -> int:
        for number in range(count):
            chat = inbox.conversation(team.home, name=f"Ada {number}")
            inbox.contact(chat, first_name=f"Ada {number}")
            asked = inbox.receive(chat, "Is the flat free?")
            inbox.say(chat, "Yes", author_user_id=team.admin.id, reply_to=asked.external_id)
        long = inbox.conversation(team.home, name="Ada")
        for _ in range(count):
            asked = inbox.receive(long, "Hello")
            inbox.say(long, "Good morning", author_user_id=team.admin.id, reply_to=asked.external_id)
        return long.id

    def statements(path: str, rows: int) -> int:
        team.get(path)
        counted.clear()
        (shown, *_) = [value for value in team.get(path).values() if isinstance(value, list)]
        assert len(shown) == rows, path
        return len(counted)

    def measured(long: int, rows: int) -> list[int]:
        return [
            statements(f"/api/conversations?q=flat&limit={rows}", rows),
            statements(f"/api/conversations?limit={rows}", rows),
            statements(f"/api/conversations/{long}/messages?limit={2 * rows}", 2 * rows),
            statements("/api/search?q=flat&in=messages&limit=200", rows if rows == 1 else rows + 1),
        ]

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        counted.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        few = measured(add(1), 1)
        many = measured(add(50), 50)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert few == many
