"""The verification snippet of docs/webhooks.md accepts what is sent, and nothing else."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.services.outgoing_webhooks import signing
from backend.services.outgoing_webhooks.retry_policy import BACKOFF, MAX_WAITS

PAGE = (Path(__file__).resolve().parents[3] / "docs/webhooks.md").read_text(encoding="utf-8")
BODY = '{"text":"가 😀"}'.encode()


@pytest.fixture(scope="module")
def is_genuine() -> Callable[..., bool]:
    """The page's function."""
    [snippet] = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(compile(snippet, "docs/webhooks.md", "exec"), names)
    found: Callable[..., bool] = names["is_genuine"]
    return found


def test_the_documented_check_accepts_what_is_sent(is_genuine: Callable[..., bool]) -> None:
    now = int(time.time())
    assert is_genuine("whsec_a", signing.header(["whsec_a"], now, BODY), BODY)
    rotated = signing.header(["whsec_new", "whsec_a"], now, BODY)
    assert is_genuine("whsec_a", rotated, BODY)
    assert is_genuine("whsec_new", rotated, BODY)


def test_the_documented_check_refuses_everything_else(is_genuine: Callable[..., bool]) -> None:
    now = int(time.time())
    genuine = signing.header(["whsec_a"], now, BODY)
    assert not is_genuine("whsec_b", genuine, BODY)
    assert not is_genuine("whsec_a", genuine, BODY + b" ")
    assert not is_genuine("whsec_a", signing.header(["whsec_a"], now - 400, BODY), BODY)
    assert not is_genuine("whsec_a", genuine.replace(f"t={now}", f"t={now + 1}"), BODY)
    for header in ("", "t=", "v1=00", f"t={now}", f"t=x,{genuine}", f"t={now},t={now},v1=00"):
        assert not is_genuine("whsec_a", header, BODY)


def test_the_page_says_how_long_is_tried() -> None:
    waits = [BACKOFF.seconds(tries, "a row") for tries in range(1, MAX_WAITS + 1)]
    assert 46 * 3600 < sum(waits) < 57.2 * 3600
    assert (MAX_WAITS, BACKOFF.first, BACKOFF.factor, BACKOFF.longest) == (12, 10.0, 3.0, 12 * 3600)
