"""The fixtures of posts, and rules on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backend.core.database import db
from backend.core.work import Turn
from backend.models import AutomationRule, User
from backend.services import automation_rules, scheduling
from backend.services.scheduling import Timing
from tests.services.posts.conftest import author, channel, home, host, link, meta, news, person
from tests.support import factories

__all__ = ["author", "channel", "home", "host", "link", "meta", "news", "person"]

Make = Callable[..., AutomationRule]
DAILY = Timing("cron", cron="0 9 * * *", timezone="Asia/Seoul")


@pytest.fixture
def rule(person: User) -> Make:
    """Adds rules of the person."""

    def make(*platforms: str, timing: Timing = DAILY, enabled: bool = True, **fields: Any) -> AutomationRule:
        given = {"platforms": platforms or ("x",), "content": "Hello"} | fields
        made = automation_rules.create(factories.by("user:1"), person, given, timing, enabled=enabled)
        db.session.commit()
        return made

    return make


def fire() -> int:
    """Lets the scheduler run once."""
    db.session.commit()
    return scheduling.drain(Turn(60.0))
