"""Limits on how often something may be tried, over a moving window.

A limit of 10 in 15 minutes lets ten tries through and the eleventh when the first is fifteen minutes old:
exact, with no bucket edges to exploit. Tries are counted in Redis, for all processes together. Each process
also remembers its own, so that a limit still holds (per process) while Redis is away, and when it comes back
empty.

Times are unix seconds from the clock that is passed in.
"""

from __future__ import annotations

import hashlib
import math
import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LIMIT = re.compile(r"(\d{1,7})/(\d{1,5})?([smhd])")


@dataclass(frozen=True)
class Limit:
    """At most `count` in any `seconds`."""

    count: int
    seconds: int

    def __post_init__(self) -> None:
        if self.count < 1 or self.seconds < 1:
            raise ValueError("A limit needs a count and a window of at least 1.")


DEFAULTS: Final[Mapping[str, Limit]] = {
    "login": Limit(10, 15 * 60),
    "login_address": Limit(200, 15 * 60),
    "login_account": Limit(100, 3600),
    "register": Limit(600, 60),
    "anonymous": Limit(3000, 60),
    "reset": Limit(5, 3600),
    "api": Limit(3000, 60),
    "alerts": Limit(20_000, 60),
    "workspace_api": Limit(12_000, 60),
    "workspace_alerts": Limit(60_000, 60),
}
"""Failed logins per account and network (or known device), per network, and per account from unknown places altogether;
registrations per network; points of other anonymous calls per network, by what they cost; mails of a forgotten password
per account; calls per token or person; reported alerts, which come in storms and must not be turned away when they are
needed most; and both per workspace, whatever tokens and people it has."""


def parse(setting: str, defaults: Mapping[str, Limit] = DEFAULTS) -> dict[str, Limit]:
    """Reads `RATE_LIMITS` (`login=10/15m,register=600/m,api=1200/m`); a name left out keeps its default.

    Units are s, m, h and d. Raises ValueError naming the variable for what cannot be read and for unknown
    names.
    """
    limits = dict(defaults)
    for part in filter(None, (piece.strip() for piece in setting.split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        match = _LIMIT.fullmatch(value)
        if name not in defaults:
            raise ValueError(f"RATE_LIMITS: there is no limit {name!r}; known are {', '.join(defaults)}.")
        if not match or not int(match[1]) or (match[2] and not int(match[2])):
            raise ValueError(f"RATE_LIMITS: {name} is not of the form 10/15m.")
        limits[name] = Limit(int(match[1]), int(match[2] or 1) * _UNITS[match[3]])
    return limits


class Decision(NamedTuple):
    """Whether it may happen; if not, after how many whole seconds it may (at least 1)."""

    allowed: bool
    retry_after: int


_ALLOWED: Final = Decision(True, 0)

# The newest try stands first. Tries from the future (a clock that was set back) must not block for longer
# than one window, which is why the age is bounded below by zero. KEYS: logs. ARGV: now, record (0 or 1), cost,
# how many earlier tries were let pass and are recorded in any case, then count and seconds of each log. What one of
# them refuses is recorded in none.
_HIT_SCRIPT: Final = """
local now, cost, earlier = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
local function push(key, at, times)
  for _ = 1, times do redis.call('LPUSH', key, ARGV[1]) end
  redis.call('LTRIM', key, 0, tonumber(ARGV[3 + 2 * at]) - 1)
  redis.call('EXPIRE', key, ARGV[4 + 2 * at])
end
local longest = 0
for at, key in ipairs(KEYS) do
  local count, window = tonumber(ARGV[3 + 2 * at]), tonumber(ARGV[4 + 2 * at])
  if earlier > 0 then push(key, at, earlier) end
  local oldest = redis.call('LINDEX', key, count - cost)
  if oldest then
    local age = math.max(now - tonumber(oldest), 0)
    if age < window then longest = math.max(longest, window - age) end
  end
end
if longest > 0 then return tostring(longest) end
if ARGV[2] == '1' then
  for at, key in ipairs(KEYS) do push(key, at, cost) end
end
return '0'
"""

Wanted = Sequence[tuple[str, Limit]]
"""Keys that a try is counted under, with their limits."""

_BATCH_SECONDS: Final = 1.0
_MAX_BATCH: Final = 50


class RateLimiter:
    """Counts tries under keys; thread-safe. Keys are hashed before they leave the process."""

    def __init__(
        self,
        redis: Redis | None,
        *,
        clock: Callable[[], float] = time.time,
        namespace: str = "limit",
        retry_redis_after: float = 2.0,
        remembered_keys: int = 20_000,
    ) -> None:
        """`clock` gives unix seconds; after a failure Redis is left alone for `retry_redis_after` seconds."""
        self._redis = redis
        self._script = redis.register_script(_HIT_SCRIPT) if redis is not None else None
        self._clock = clock
        self._namespace = namespace
        self._pause = retry_redis_after
        self._away_until = -math.inf
        self._memory = _Memory(remembered_keys)
        self._batches = _Batches(remembered_keys)

    @classmethod
    def from_url(cls, redis_url: str, *, clock: Callable[[], float] = time.time) -> RateLimiter:
        """A limiter whose Redis calls give up after a quarter second: a login must not hang on Redis."""
        client: Redis = Redis.from_url(
            redis_url, socket_timeout=0.25, socket_connect_timeout=0.25, retry=Retry(NoBackoff(), 0)
        )
        return cls(client, clock=clock)

    def hit(self, key: str, limit: Limit, cost: int = 1) -> Decision:
        """Counts a try if it is allowed; a refused one is not counted. Never raises because of Redis.

        One of `cost` counts like so many; what costs more than the whole limit counts as the whole.
        """
        return self._decide([(key, limit)], min(cost, limit.count), record=True)

    def hit_all(self, wanted: Wanted) -> Decision:
        """Counts a call under all of these keys if each of them allows it, else under none.

        Redis is told of calls in batches, of a hundredth of the smallest limit and once a second at least: a limit of
        less than two hundred is exact, and of a larger one each process may let so many more pass. A refusal of Redis
        ends batching until Redis allows a call again.
        """
        return self._decide(wanted, 1, record=True, batch=True)

    def check(self, key: str, limit: Limit) -> Decision:
        """What `hit` would answer, without counting."""
        return self._decide([(key, limit)], 1, record=False)

    def take_back(self, key: str) -> None:
        """Uncounts the newest try, for tries that turn out not to count (a login that succeeds)."""
        self._memory.take_back(key)
        self._ask_redis(lambda redis: redis.lpop(self._name(key)))

    def clear(self, key: str) -> None:
        """Forgets every try under the key."""
        self._memory.clear(key)
        self._ask_redis(lambda redis: redis.delete(self._name(key)))

    def _decide(self, wanted: Wanted, cost: int, *, record: bool, batch: bool = False) -> Decision:
        now = self._clock()
        wait = self._memory.decide(wanted, now, cost, record=record)
        earlier = self._batches.add(wanted, now) if batch and wait <= 0 else 0
        if wait <= 0 and earlier is not None:
            answer = self._ask_redis(lambda redis: self._run_script(redis, wanted, now, cost, record, earlier))
            wait = float(answer or 0)
            if batch:
                self._batches.restart(wanted, now, refused=wait > 0)
            if wait > 0 and record:
                for key, _ in wanted:
                    self._memory.take_back(key, cost)
        if wait > 0:
            return Decision(False, max(1, math.ceil(wait)))
        return _ALLOWED

    def _run_script(self, redis: Redis, wanted: Wanted, now: float, cost: int, record: bool, earlier: int) -> Any:
        if self._script is None:
            return None
        arguments: list[str | int] = [repr(now), int(record), cost, earlier]
        for _, limit in wanted:
            arguments += (limit.count, limit.seconds)
        return self._script(keys=[self._name(key) for key, _ in wanted], args=arguments, client=redis)

    def _ask_redis(self, question: Callable[[Redis], Any]) -> Any:
        moment = time.monotonic()
        if self._redis is None or moment < self._away_until:
            return None
        try:
            return question(self._redis)
        except RedisError:
            # The memory of this process decides alone until Redis is asked again.
            self._away_until = moment + self._pause
            return None

    def _name(self, key: str) -> str:
        # Hashed: keys hold addresses and account names, which Redis has no need to know, of any length.
        return f"{self._namespace}:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


class _Memory:
    """The tries of this process; the keys longest untouched are forgotten first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def decide(self, wanted: Wanted, now: float, cost: int, *, record: bool) -> float:
        """Seconds until a try is allowed under every key; 0 when it is, and then it is recorded if asked."""
        with self._lock:
            wait = max(self._wait(key, limit, now, cost) for key, limit in wanted)
            if wait <= 0 and record:
                for key, limit in wanted:
                    self._record(key, limit, now, cost)
            return wait

    def _wait(self, key: str, limit: Limit, now: float, cost: int) -> float:
        tries = self._tries.get(key)
        place = limit.count - cost + 1
        if tries is None or len(tries) < place:
            return 0.0
        return max(limit.seconds - max(now - tries[-place], 0.0), 0.0)

    def _record(self, key: str, limit: Limit, now: float, cost: int) -> None:
        tries = self._tries.get(key)
        if tries is None or tries.maxlen != limit.count:
            tries = self._tries[key] = deque(tries or (), maxlen=limit.count)
        tries.extend([now] * cost)
        self._tries.move_to_end(key)
        while len(self._tries) > self._size:
            self._tries.popitem(last=False)

    def take_back(self, key: str, cost: int = 1) -> None:
        with self._lock:
            tries = self._tries.get(key)
            for _ in range(min(cost, len(tries or ()))):
                assert tries is not None
                tries.pop()

    def clear(self, key: str) -> None:
        with self._lock:
            self._tries.pop(key, None)


class _Batches:
    """Calls that Redis has not been told of, by the first of their keys; the longest untouched are forgotten first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._untold: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def add(self, wanted: Wanted, now: float) -> int | None:
        """Adds a call; None while it waits for more, else how many before it Redis is told of with it."""
        key = wanted[0][0]
        enough = min(_MAX_BATCH, min(limit.count for _, limit in wanted) // 100)
        with self._lock:
            known = self._untold.pop(key, None)
            if known is None:
                return 0
            earlier, since = known
            if earlier + 1 >= enough or abs(now - since) >= _BATCH_SECONDS:
                return earlier
            self._untold[key] = (earlier + 1, since)
            return None

    def restart(self, wanted: Wanted, now: float, *, refused: bool) -> None:
        """Begins a new batch; after a refusal the next call asks at once."""
        if refused:
            return
        with self._lock:
            self._untold.setdefault(wanted[0][0], (0, now))
            while len(self._untold) > self._size:
                self._untold.popitem(last=False)
