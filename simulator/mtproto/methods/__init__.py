"""The methods that clients may call, a module for each part of the protocol."""

from __future__ import annotations

from simulator.mtproto.methods import (
    chats,
    contacts,
    devices,
    files,
    login,
    messages,
    password,
    qr_login,
    service,
    updates,
    users,
)
from simulator.mtproto.methods.registry import FROZEN_ALLOWED, LONG_VECTORS, METHODS, WITHOUT_LOGIN

PARTS = (chats, contacts, devices, files, login, messages, password, qr_login, service, updates, users)

__all__ = ["FROZEN_ALLOWED", "LONG_VECTORS", "METHODS", "PARTS", "WITHOUT_LOGIN"]
