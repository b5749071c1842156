"""Providers that answer, for whoever calls many operations of the API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.http.objects_integrations import SECRET
from tests.support import channel_stand_ins
from tests.support.bot_api import bot_api
from tests.support.graph_api import ANY, graph_api


@contextmanager
def answering() -> Iterator[None]:
    """A Telegram and a Meta that answer: some operations ask them before they store anything."""
    with bot_api(), channel_stand_ins.added(), graph_api(meta_app_secret=SECRET) as graph:
        graph.answers |= ANY
        yield
