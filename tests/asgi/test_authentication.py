"""Which pages may use a cookie here."""

from __future__ import annotations

import pytest

from backend.asgi.live.authentication import Origin

HERE = "app.example.com"


@pytest.mark.parametrize(
    ("origin", "fetch_site", "websocket", "same"),
    [
        ("https://app.example.com", None, False, True),
        ("https://app.example.com", "same-origin", True, True),
        ("https://app.example.com", None, True, True),
        ("http://app.example.com", None, True, True),  # behind a router that ends TLS the scheme says nothing
        ("https://app.example.com:8443", None, False, False),
        ("https://evil.example", None, False, False),
        ("https://evil.example", "same-origin", False, False),
        ("https://app.example.com.evil.example", None, True, False),
        ("null", None, False, False),
        ("file://app.example.com", None, False, False),
        ("", None, False, False),
        (None, "same-origin", False, True),
        (None, "same-site", False, False),
        (None, "cross-site", False, False),
        (None, "none", False, False),
        (None, None, False, True),
        (None, None, True, False),
        (None, "same-origin", True, False),
    ],
)
def test_the_same_origin(origin: str | None, fetch_site: str | None, websocket: bool, same: bool) -> None:
    assert Origin(origin, fetch_site, HERE, websocket).is_same is same


def test_credentials_do_not_show_in_a_log() -> None:
    from backend.asgi.live.authentication import Credentials

    shown = repr(Credentials("Bearer hunter2", "console=hunter2", Origin(None, None, HERE, False)))
    assert "hunter2" not in shown
