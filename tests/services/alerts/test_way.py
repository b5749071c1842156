"""The way of an alert, from the API's view to its stored messages: few stops, straight down, in short functions."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import pytest
from flask.testing import FlaskClient

from backend.channels.base import Content
from backend.core.database import db
from backend.http.schemas.alerts import AlertIn
from backend.models import Alert
from backend.services.alerts.ingest.api_input import AlertInput
from backend.services.alerts.ingest.reports import Group, Report
from backend.services.alerts.state.locked_alert import LockedAlert
from backend.services.alerts.state.view import View
from tests.http import callers, holdings
from tests.support import factories
from tests.support.fake_channel import FakeChannel
from tests.test_developer_docs import contract

FORMS: Final = (AlertIn, AlertInput, Report, Group, LockedAlert, Alert, View, Content)
"""What an alert is on its way, from the request's body to the content of a message."""
MAX_STOPS: Final = 11
MAX_RETURNS: Final = 7
MAX_LINES: Final = 40
ENTRY: Final = ("backend.http.api.alerts", "raise_alert")
MAP: Final = Path(__file__).resolve().parents[3] / "docs/developing/map.md"


@dataclass
class Walk:
    """What was called while an alert was raised, but not the hooks that a library calls."""

    handed_on: list[tuple[str, str]] = field(default_factory=list)
    """The module's functions that were handed the alert in one of its forms: module and name, in order."""
    calls: set[tuple[str, str]] = field(default_factory=set)
    """Which module of the services called which."""
    entered: set[CodeType] = field(default_factory=set)
    """The code of everything in the services that was entered, methods too."""

    @property
    def stops(self) -> list[str]:
        """The modules that the alert passes, each as often as it comes there from another."""
        modules = [module for module, _ in self.handed_on]
        return [module for place, module in enumerate(modules) if place == 0 or modules[place - 1] != module]

    @property
    def returns(self) -> int:
        """How many of the stops are modules where it has been before."""
        return len(self.stops) - len(set(self.stops))


@contextmanager
def walked() -> Iterator[Walk]:
    """Records the calls from `ENTRY` on until it returns."""
    walk, on_way = Walk(), set()

    def follow(frame: FrameType, event: str, _: Any) -> None:
        module, code = frame.f_globals.get("__name__", ""), frame.f_code
        if event == "return":
            on_way.discard(frame)
        if event != "call" or not module.startswith("backend."):
            return
        if frame.f_back not in on_way and (module, code.co_name) != ENTRY:
            return
        caller = frame.f_back.f_globals.get("__name__", "") if frame.f_back is not None else ""
        on_way.add(frame)
        if module.startswith("backend.services."):
            walk.entered.add(code)
            if caller.startswith("backend.services."):
                walk.calls.add((caller, module))
        if code.co_qualname == code.co_name and any(isinstance(one, FORMS) for one in given(frame)):
            walk.handed_on.append((module, code.co_name))

    sys.setprofile(follow)
    try:
        yield walk
    finally:
        sys.setprofile(None)


def given(frame: FrameType) -> list[Any]:
    """The arguments that a frame begins with."""
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return [frame.f_locals[name] for name in names if name in frame.f_locals]


@pytest.fixture
def raise_alert(app, client: FlaskClient) -> Callable[..., Walk]:
    """Raises an alert over HTTP for a bot with two chats, a policy, a template and a subscriber."""
    FakeChannel(part_chars=4096).install()
    person = callers.member(role="operator", name="Ada")
    holdings.default_bot(person)
    factories.bot(holdings.home(person), name="alerts").chat_ids = ("-2001", "-2002")
    callers.commit()
    headers = callers.signed_in(person)

    def send(**fields: Any) -> Walk:
        with walked() as walk:
            answer = client.post(
                "/api/alerts", json={"title": "Disk full", "message": "84 %"} | fields, headers=headers
            )
        assert answer.get_json()["decision"] == "sent", answer.get_json()
        assert len(answer.get_json()["message_ids"]) == 2
        db.session.rollback()
        return walk

    return send


EVERYTHING: Final = {
    "severity": "page",
    "throttle_key": "disk",
    "labels": {"host": "db-1", "mount": "/var"},
    "template": "{host} is <b>full</b> at <a href='https://example.com/{mount}'>its disk</a>",
    "buttons": [{"text": "Runbook", "url": "https://example.com/disk"}],
    "bot_name": "alerts",
}

each_alert = pytest.mark.parametrize("fields", [{}, EVERYTHING], ids=["plain", "everything"])


@each_alert
def test_an_alert_makes_few_stops_and_seldom_returns(raise_alert, fields):
    walk = raise_alert(**fields)
    stops = [stop.removeprefix("backend.") for stop in walk.stops]
    assert len(stops) <= MAX_STOPS, stops
    assert walk.returns <= MAX_RETURNS, stops
    assert (stops[0], "services.delivery.outbox" in stops) == ("http.api.alerts", True)


@each_alert
def test_the_map_names_the_stops_in_their_order(raise_alert, fields):
    guide = MAP.read_text(encoding="utf-8").partition("## The way of an alert")[2].partition("\n## ")[0]
    named = [name.rpartition(".")[0] for name in re.findall(r"^\d+\. `((?:\w+\.)+\w+)`", guide, re.MULTILINE)]
    assert named == [stop.removeprefix("backend.") for stop in raise_alert(**fields).stops]


@each_alert
def test_no_call_on_the_way_runs_upwards(raise_alert, fields):
    places = {
        name.strip(): place
        for place, layer in enumerate(contract("services import only services below them"))
        for name in layer.split("|")
    }
    upwards = []
    for caller, callee in raise_alert(**fields).calls:
        above, below = (places[module.split(".")[2]] for module in (caller, callee))
        upwards += [(caller, callee)] if below < above else []
    assert upwards == []


@each_alert
def test_every_function_on_the_way_is_short(raise_alert, fields):
    written = [code for code in raise_alert(**fields).entered if Path(code.co_filename).is_file()]
    lengths = {code.co_qualname: len(inspect.getsourcelines(code)[0]) for code in written}
    assert len(lengths) > 50
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


@pytest.mark.parametrize(
    ("modules", "stops", "returns"), [([], 0, 0), (["a", "a", "b"], 2, 0), (["a", "b", "a", "a", "b", "c"], 5, 2)]
)
def test_stops_and_returns_are_counted(modules: Sequence[str], stops: int, returns: int) -> None:
    walk = Walk([(module, "named") for module in modules])
    assert (len(walk.stops), walk.returns) == (stops, returns)
