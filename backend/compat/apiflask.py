"""APIFlask: the API's document as it is drawn, and what a view says of its body and answer."""

from __future__ import annotations

from typing import Any, cast

from apiflask import APIFlask
from flask import Flask


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of an application, drawn once and then kept."""
    spec: dict[str, Any] = cast(APIFlask, app)._get_spec("json")  # type: ignore[assignment]
    return spec


def spec_of(view: Any) -> dict[str, Any]:
    """What the decorators have noted on a view; empty where there are none."""
    spec: dict[str, Any] = getattr(view, "_spec", {})
    return spec


def missing() -> list[str]:
    """The names that this module needs and APIFlask has not."""
    app = APIFlask(__name__, spec_path=None, docs_path=None)

    @app.get("/")
    @app.output({})
    @app.doc(summary="A view")
    def view() -> str:
        return ""

    faults = [] if "response" in spec_of(view) else ["_spec on views"]
    if not callable(getattr(app, "_get_spec", None)):
        faults.append("APIFlask._get_spec")
    return faults
