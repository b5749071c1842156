"""Files: uploads with their limits, addresses that are good for five minutes, and downloads with a token."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time

from aiohttp import web

from simulator.graph.edges import GraphCall, edge
from simulator.graph.errors import GraphError, bad_parameter
from simulator.graph.graph import Graph
from simulator.graph.model import JSON, Node

MB = 1024 * 1024
KINDS = ("image", "video", "audio", "document", "sticker")
_LIMITS = {"image": 5 * MB, "video": 16 * MB, "audio": 16 * MB, "sticker": 500 * 1024}
_DOCUMENT = 100 * MB
_TYPES = {
    "image/jpeg": "image",
    "image/png": "image",
    "image/webp": "sticker",
    "video/mp4": "video",
    "video/3gpp": "video",
    "audio/aac": "audio",
    "audio/amr": "audio",
    "audio/mpeg": "audio",
    "audio/mp4": "audio",
    "audio/ogg": "audio",
}


def store(graph: Graph, number: Node, name: str, mime: str, data: bytes) -> Node:
    """Keeps a file as an object with an id."""
    media = Node(graph.new_id(16), "media", number.id)
    media.fields = {
        "messaging_product": "whatsapp",
        "mime_type": mime,
        "sha256": hashlib.sha256(data).hexdigest(),
        "file_size": len(data),
    }
    media.hidden = {"name": name, "data": data, "addresses": {}}
    graph.nodes[media.id] = media
    return media


def address_of(graph: Graph, media: Node, base_url: str) -> str:
    """A fresh address of a file; the ones before stay good until their time is over."""
    key = secrets.token_urlsafe(16)
    media.hidden["addresses"][key] = time.monotonic() + graph.settings.media_lifetime
    host = graph.settings.media_host or base_url
    return f"{host}/graph-media/{media.id}/{key}"


@edge("POST", "number", "media")
def upload(call: GraphCall) -> JSON:
    """Takes a file for later sends."""
    file = call.files.get("file")
    if file is None or call.params.get("messaging_product") != "whatsapp":
        raise bad_parameter("The parameters file and messaging_product are required.")
    mime = (call.text("type") or file.mime_type).lower()
    plain = mime.partition(";")[0].strip()
    kind = _TYPES.get(plain, "document")
    if plain == "application/octet-stream" or (plain.startswith(("audio/", "video/", "image/")) and kind == "document"):
        raise bad_parameter(f"Param file must be a file with one of the known types - got {plain}")
    if plain == "audio/ogg" and "opus" not in mime:
        raise bad_parameter("Param file must be a file with one of the known types - got audio/ogg without opus")
    if len(file.data) > _LIMITS.get(kind, _DOCUMENT):
        raise GraphError(400, 131053, "Media upload error", details=f"The {kind} is too large")
    media = store(call.graph, call.node, file.name, mime, file.data)
    call.accepted_id = media.id
    return {"id": media.id}


@edge("GET", "media")
def describe(call: GraphCall) -> JSON:
    """A file's facts, with an address that is good for five minutes."""
    wanted = call.text("phone_number_id")
    if wanted and wanted != call.node.parent_id:
        raise GraphError(400, 100, "Invalid parameter", details="The media belongs to another number")
    return {"id": call.node.id, "url": address_of(call.graph, call.node, call.base_url)} | call.node.fields


@edge("DELETE", "media")
def remove(call: GraphCall) -> JSON:
    """Forgets a file."""
    call.graph.nodes.pop(call.node.id, None)
    return {"success": True}


async def download(request: web.Request, graph: Graph) -> web.StreamResponse:
    """A file's bytes, for whoever names a token. Each try is in the log, with the host that was asked."""
    media = graph.nodes.get(request.match_info["media"])
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    entry: JSON = {"call": "GET file", "node": request.match_info["media"], "host": request.host}
    entry["has_token"] = bool(bearer)
    fault = graph.faults.strike("GET file", request.match_info["media"], "") if graph.faults.rules else None
    status = 200
    if bearer not in graph.tokens:
        status = 401
    elif media is None or media.hidden["addresses"].get(request.match_info["key"], 0.0) <= time.monotonic():
        status = 404
    elif fault is not None and fault.kind == "error":
        status = fault.status
    graph.journal.append(entry | {"outcome": "accepted" if status == 200 else "rejected", "status": status})
    if status != 200 or media is None:
        headers = {"Location": fault.details} if fault is not None and 300 <= status < 400 else {}
        return web.Response(status=status, text="", headers=headers)
    if fault is not None and fault.kind == "latency":
        await asyncio.sleep(fault.seconds)
    return web.Response(body=media.hidden["data"], content_type=media.fields["mime_type"].partition(";")[0])
