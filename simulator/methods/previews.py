"""link_preview_options: what a call asks for, and what the message shows of it."""

from __future__ import annotations

from typing import Any

from simulator.errors import bad_request
from simulator.model import JSON
from simulator.parameters import Call

FLAGS = ("prefer_small_media", "prefer_large_media", "show_above_text")


def preview_options(call: Call) -> JSON:
    """The options of a call, also the older disable_web_page_preview. Raises ApiError 400."""
    given: Any = call.structure("link_preview_options", "link preview options")
    if given is None:
        return {"is_disabled": True} if call.boolean("disable_web_page_preview") else {}
    if not isinstance(given, dict):
        raise bad_request("object expected as link preview options")
    options: JSON = {name: True for name in ("is_disabled", *FLAGS) if given.get(name) is True}
    if isinstance(given.get("url"), str) and given["url"]:
        options["url"] = given["url"]
    return options


def stands_alone(options: JSON) -> bool:
    """True when the preview may go without a text."""
    return "url" in options and "is_disabled" not in options


def shown_options(options: JSON, entities: list[JSON]) -> JSON:
    """`{"link_preview_options": …}` as the message carries it, {} where they are as they always are: with a
    preview switched off that there would have been, or an address chosen.
    """
    if "is_disabled" in options:
        linked = any(entity["type"] in ("url", "text_link") for entity in entities)
        return {"link_preview_options": {"is_disabled": True}} if linked else {}
    return {"link_preview_options": options} if "url" in options else {}
