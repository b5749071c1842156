"""An account's session as text."""

from __future__ import annotations

import pytest

from backend.channels.telegram_user import session_text
from backend.channels.telegram_user.session_text import SessionData


@pytest.mark.parametrize("key", [None, b"\x01" * 256, b"\x01" * 255], ids=["none", "whole", "without its first zero"])
def test_a_session_is_read_as_it_was_written(key: bytes | None) -> None:
    session = SessionData(2, "127.0.0.1", 443, key)
    assert session_text.load(session_text.dump(session)) == session


@pytest.mark.parametrize("text", ["", "2|127.0.0.1|443", "2|127.0.0.1|443|0102", "2|h|443|xx", "2|h|443|" + "01" * 257])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"unpack|length|hexadecimal"):
        session_text.load(text)
