"""The API described: the OpenAPI document, and a page that shows it without a network."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

from apiflask import APIBlueprint
from flask import Response, current_app, jsonify, render_template

from backend.core.errors import NotFound
from backend.http import compression, openapi
from backend.http.guards import public

bp = APIBlueprint("docs", __name__, url_prefix="/api", enable_openapi=False, template_folder="../templates")

_ASSETS: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
# Swagger UI sets style attributes and draws with data: images; scripts come from this server only.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@bp.get("/openapi.json")
@public("the description of the API holds nothing of anybody's")
def document() -> Response:
    """The OpenAPI document"""
    response = jsonify(openapi.document(current_app))
    response.headers["Cache-Control"] = "public, max-age=60"
    return response


@bp.get("/docs")
@public("the description of the API holds nothing of anybody's")
def page() -> Response:
    """The page that shows the document."""
    response = current_app.make_response(render_template("api_docs.html"))
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@bp.get("/docs/start.js")
@public("a part of the page")
def start() -> Response:
    """The few lines that start Swagger UI; a file of its own because the page may hold no inline script."""
    script = render_template("api_docs.js")
    return Response(script, mimetype="text/javascript", headers={"Cache-Control": "public, max-age=3600"})


@bp.get("/docs/<name>")
@public("a part of the page")
def asset(name: str) -> Response:
    """Swagger UI itself, from the library that carries it."""
    if name not in _ASSETS:
        raise NotFound()
    path = resources.files("flask_swagger_ui") / "dist" / name
    response = compression.file_response(Path(str(path)), _ASSETS[name])
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response
