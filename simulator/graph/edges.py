"""The calls of the Graph API: each is a verb, a kind of object and an edge, with a function that carries it out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.graph.errors import bad_parameter
from simulator.graph.model import JSON, Node, Token
from simulator.parameters import Upload

if TYPE_CHECKING:
    from simulator.graph.graph import Graph

ROOT = "root"
"""The kind that stands for calls without an object: `debug_token`, `oauth/access_token`."""


@dataclass(slots=True)
class GraphCall:
    """One call: who makes it, on what, with which parameters (those of the address and of the body)."""

    graph: Graph
    token: Token
    node: Node
    verb: str
    edge: str
    params: JSON
    files: dict[str, Upload] = field(default_factory=dict)
    now: float = 0.0
    base_url: str = ""
    """Where the simulator is reached, for addresses in answers."""
    late_failure: int = 0
    late_failure_after: float = 0.0
    accepted_id: str = ""
    """The id of what the call made, for the log."""

    @property
    def name(self) -> str:
        """The call as faults and the log name it."""
        return f"{self.verb} {self.edge or self.node.kind}"

    def text(self, name: str, default: str = "") -> str:
        """A parameter that is a text. Raises GraphError for another kind."""
        value = self.params.get(name, default)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise bad_parameter(f"Param {name} must be a string.")
        return str(value)

    def need(self, name: str) -> str:
        """The same for one that must be there."""
        value = self.text(name)
        if not value:
            raise bad_parameter(f"The parameter {name} is required.")
        return value


Handler = Callable[[GraphCall], JSON | Awaitable[JSON]]
EDGES: dict[tuple[str, str, str], Handler] = {}


def edge(verb: str, kinds: str, name: str = "") -> Callable[[Handler], Handler]:
    """Registers a call for objects of these kinds, separated by spaces; an empty name is the object itself."""

    def register(handler: Handler) -> Handler:
        for kind in kinds.split():
            EDGES[(verb, kind, name)] = handler
        return handler

    return register


def shown(node: Node, fields: str, more: dict[str, Any] | None = None) -> JSON:
    """What a GET answers of an object: its id and the fields asked for, or all that it has."""
    known = node.fields | (more or {})
    names = [name.partition("{")[0].strip() for name in fields.split(",") if name.strip()]
    return {"id": node.id} | {name: known[name] for name in (names or list(known)) if name in known}
