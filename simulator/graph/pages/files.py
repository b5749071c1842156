"""Files of Messenger and Instagram: uploads by the application, and addresses that expire and want no token."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from aiohttp import web

from simulator.graph.edges import GraphCall, edge
from simulator.graph.errors import GraphError, bad_parameter
from simulator.graph.graph import Graph
from simulator.graph.model import JSON, Node

MB = 1024 * 1024
TYPES = ("image", "video", "audio", "file")
_EXPIRED = 403


def store(graph: Graph, owner: Node, kind: str, name: str, mime: str, data: bytes) -> Node:
    """Keeps a file as an object with an id."""
    node = Node(graph.new_id(16), "attachment", owner.id)
    node.fields = {"mime_type": mime, "name": name, "size": len(data)}
    node.hidden = {"type": kind, "data": data, "addresses": {}}
    graph.nodes[node.id] = node
    return node


def address_of(graph: Graph, file: Node, base_url: str) -> str:
    """A fresh address of a file, good for as long as the settings say."""
    key = secrets.token_urlsafe(16)
    file.hidden["addresses"][key] = time.monotonic() + graph.settings.media_lifetime
    return f"{graph.settings.media_host or base_url}/graph-cdn/{file.id}/{key}"


@edge("POST", "page instagram", "message_attachments")
def upload(call: GraphCall) -> JSON:
    """Takes a file for later sends: `filedata`, with the message that says its type."""
    message = call.params.get("message")
    attachment = read_object(message).get("attachment")
    kind = read_object(attachment).get("type")
    file = call.files.get("filedata")
    if kind not in TYPES or file is None:
        raise bad_parameter("The parameters message and filedata are required.")
    most = 8 * MB if kind == "image" and call.text("platform") == "instagram" else 25 * MB
    if len(file.data) > most:
        raise GraphError(400, 100, "Upload attachment failure", subcode=2018047)
    node = store(call.graph, call.node, str(kind), file.name, file.mime_type, file.data)
    call.accepted_id = node.id
    return {"attachment_id": node.id}


@edge("GET", "sent_message")
def describe(call: GraphCall) -> JSON:
    """A message with its files, each with an address that is good again."""
    data = []
    for file_id in call.node.hidden["files"]:
        file = call.graph.nodes.get(file_id)
        if file is None:
            continue
        url, kind = address_of(call.graph, file, call.base_url), file.hidden["type"]
        holder = {"image": "image_data", "video": "video_data"}.get(kind)
        shown: JSON = {"id": file.id, **file.fields}
        data.append(shown | ({holder: {"url": url}} if holder else {"file_url": url}))
    return {"id": call.node.id} | ({"attachments": {"data": data}} if data else {})


async def download(request: web.Request, graph: Graph) -> web.StreamResponse:
    """A file's bytes, for whoever has the address; each try is in the log, with whether a token came along."""
    file_id = request.match_info["file"]
    file = graph.nodes.get(file_id)
    good = file is not None and file.hidden.get("addresses", {}).get(request.match_info["key"], 0.0) > time.monotonic()
    entry: JSON = {"call": "GET cdn", "node": file_id, "host": request.host, "status": 200 if good else _EXPIRED}
    entry["has_token"] = "Authorization" in request.headers or "access_token" in request.query
    graph.journal.append(entry | {"outcome": "accepted" if good else "rejected"})
    if file is None or not good:
        return web.Response(status=_EXPIRED, text="<html>URL signature expired</html>", content_type="text/html")
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
    mime = str(file.fields["mime_type"]).partition(";")[0] or "application/octet-stream"
    return web.Response(body=file.hidden["data"], content_type=mime, headers=headers)


def read_object(value: Any) -> JSON:
    """An object, given as one or as its JSON; empty for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}
