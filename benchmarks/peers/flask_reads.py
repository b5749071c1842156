"""A plain Flask view on uvicorn, as one writes it first: flask-jwt-extended, and two rows read by Flask-SQLAlchemy's
`get`, from the product's own tables. No limits, no log, no workspaces kept apart, no revocation of tokens.

`python -m benchmarks.peers.flask_reads PORT USER`, with `DATABASE_URL`; `/token` gives a token of this user.
"""

from __future__ import annotations

import os
import sys
from typing import Any, cast

import uvicorn
from flask import Flask, Response, jsonify
from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uvicorn.middleware.wsgi import WSGIMiddleware


class Base(DeclarativeBase):
    """The base of the two tables."""


db = SQLAlchemy(model_class=Base)


class Person(Base):
    """A row of `users`."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    workspace_id: Mapped[int]
    email: Mapped[str | None]
    name: Mapped[str]
    role: Mapped[str]
    locale: Mapped[str]
    timezone: Mapped[str]


class Workspace(Base):
    """A row of `workspaces`."""

    __tablename__ = "workspaces"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def application(address: str, user_id: str) -> Flask:
    """The application over this database."""
    app = Flask(__name__)
    app.config.update(SQLALCHEMY_DATABASE_URI=address, JWT_SECRET_KEY="not-a-secret-of-anybody-0123456789")  # noqa: S106
    db.init_app(app)
    JWTManager(app)

    @app.get("/token")
    def token() -> str:
        return str(create_access_token(user_id))

    @app.get("/me")
    @jwt_required()
    def me() -> Response:
        person = db.session.get_one(Person, int(get_jwt_identity()))
        workspace = db.session.get_one(Workspace, person.workspace_id)
        fields = ("id", "email", "name", "role", "locale", "timezone")
        shown = {field: getattr(person, field) for field in fields}
        return jsonify(shown | {"workspace": {"id": workspace.id, "name": workspace.name}})

    return app


if __name__ == "__main__":
    wrapped = application(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"), sys.argv[2])
    uvicorn.run(
        cast(Any, WSGIMiddleware(cast(Any, wrapped))),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="error",
    )
