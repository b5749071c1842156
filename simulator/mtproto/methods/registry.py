"""Which function carries out which request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from telethon.tl import functions

Method = Callable[[Any, Any], Any]

METHODS: dict[type, Method] = {}
WITHOUT_LOGIN: set[type] = set()
"""What may be called before anybody logged in."""
FROZEN_ALLOWED: set[type] = set()
"""What a frozen account may still do: look, and log out."""
LONG_VECTORS = frozenset({functions.photos.DeletePhotosRequest, functions.messages.ReceivedQueueRequest})
"""Results that are bare numbers of 64 bits; other bare numbers have 32."""


def method(*requests: type, login: bool = True, frozen: bool = True) -> Callable[[Method], Method]:
    """The function carries out these requests. `login`: only for somebody; `frozen`: also for a frozen account.

    It takes the call and the request, and returns an object of the protocol, a bool or a list. It raises Refusal.
    """

    def register(function: Method) -> Method:
        for request in requests:
            METHODS[request] = function
            if not login:
                WITHOUT_LOGIN.add(request)
            if frozen:
                FROZEN_ALLOWED.add(request)
        return function

    return register
