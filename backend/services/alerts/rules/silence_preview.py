"""What matchers would silence now, before anybody makes a silence. Bounded in rows and in what patterns cost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.core.errors import Invalid, Unavailable
from backend.models import Alert, AlertItem
from backend.services.alerts.rules import matchers as matching
from backend.services.alerts.rules import validation
from backend.services.alerts.rules.item_labels import ITEM_COLUMNS, labels_of
from backend.services.alerts.rules.matchers import Meter

MAX_OPEN: Final = 5_000
MAX_PAST: Final = 10_000
"""Things of the last seven days that are tested, the newest."""
MAX_STEPS: Final = 200_000_000
_SHOWN: Final = 50
_SLICE: Final = 200
"""Rows that are read at a time: their labels may be large, and several may ask at once."""
_PAST: Final = timedelta(days=7)
PATIENCE_SECONDS: Final = 10.0
TURN: Final = threading.Lock()
"""Previews of a process take turns: several at once would share one core with everybody else's requests."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Alerts that would fall silent as a whole, things, and what is left untouched.

    `complete` is False where there was more than is tested: the counts are those of the newest things then.
    """

    alerts: list[Alert]
    alert_count: int
    item_count: int
    untouched_count: int
    last_week_count: int
    complete: bool


def preview(matchers: Sequence[Mapping[str, str]]) -> Preview:
    """What these matchers would silence now, and how much of the last seven days. Changes nothing.

    Raises Invalid, and Unavailable where too many ask at once.
    """
    faults = validation.matcher_faults(matchers)
    if faults:
        raise Invalid.of_fields(faults)
    if not TURN.acquire(timeout=PATIENCE_SECONDS):
        raise Unavailable("too_busy", "Others preview silences at this moment; try again shortly.", retry_after=2)
    try:
        return _look(matchers)
    finally:
        TURN.release()


def _look(matchers: Sequence[Mapping[str, str]]) -> Preview:
    rules, meter = matching.read(matchers), Meter(MAX_STEPS)
    firing: Counter[int] = Counter()
    hit: Counter[int] = Counter()
    newest = _Newest(MAX_OPEN, AlertItem.resolved_at.is_(None), Alert.resolved_at.is_(None))
    for row in newest:
        matched = matching.matches(rules, labels_of(row), meter)
        if meter.exhausted:
            break
        firing[row.alert_id] += 1
        hit[row.alert_id] += matched
    whole = [alert_id for alert_id, count in hit.items() if count == firing[alert_id]]
    past = _Newest(MAX_PAST, AlertItem.last_seen_at > clock.now() - _PAST)
    week = sum(matching.matches(rules, labels_of(row), meter) for row in past)
    query = select(Alert).where(Alert.id.in_(sorted(whole, reverse=True)[:_SHOWN])).order_by(Alert.id.desc())
    return Preview(
        alerts=list(db.session.scalars(query)),
        alert_count=len(whole),
        item_count=hit.total(),
        untouched_count=firing.total() - hit.total(),
        last_week_count=week,
        complete=not (meter.exhausted or newest.more or past.more),
    )


class _Newest:
    """The newest of some items, of which a few hundred are in memory at a time.

    `more` says afterwards whether there were more than `most`.
    """

    def __init__(self, most: int, *which: Any) -> None:
        self._most = most
        self._which = which
        self.more = False

    def __iter__(self) -> Iterator[Any]:
        query = select(*ITEM_COLUMNS).join(Alert, Alert.id == AlertItem.alert_id).where(*self._which)
        query = query.order_by(AlertItem.id.desc()).limit(self._most + 1)
        with closing(db.session.execute(query.execution_options(yield_per=_SLICE))) as rows:
            for number, row in enumerate(rows):
                if number == self._most:
                    self.more = True
                    return
                yield row
