"""Limits hold over a moving window, with Redis, without it, and when it comes and goes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from redis.exceptions import ConnectionError as RedisAway

from backend.core.ratelimit import DEFAULTS, Limit, RateLimiter, parse
from tests.support.servers import EmbeddedValkey

THREE_A_MINUTE = Limit(3, 60)


class Clock:
    """Unix seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def moment() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"), persist=False)
    valkey.start()
    yield valkey
    valkey.stop()


@pytest.fixture
def shared(server: EmbeddedValkey) -> Iterator[redis.Redis]:
    server.flush()
    with redis.Redis.from_url(server.url) as client:
        yield client


@pytest.fixture(params=["redis", "memory"])
def limiter(request: pytest.FixtureRequest, moment: Clock) -> RateLimiter:
    if request.param == "redis":
        limiter = RateLimiter(request.getfixturevalue("shared"), clock=moment)
        limiter._memory._size = 0  # so that Redis alone decides
        return limiter
    return RateLimiter(None, clock=moment)


def test_the_window_moves_with_each_try(limiter: RateLimiter, moment: Clock) -> None:
    for second in (0, 20, 40):
        moment.now = 1_700_000_000.25 + second
        assert limiter.hit("a", THREE_A_MINUTE) == (True, 0)
    moment.now += 1
    assert limiter.hit("a", THREE_A_MINUTE) == (False, 19)
    moment.now += 18.5
    assert limiter.hit("a", THREE_A_MINUTE) == (False, 1)
    moment.now += 0.5
    assert limiter.hit("a", THREE_A_MINUTE).allowed
    assert limiter.hit("a", THREE_A_MINUTE) == (False, 20)


def test_a_refused_try_does_not_prolong_the_wait(limiter: RateLimiter, moment: Clock) -> None:
    for _ in range(3):
        limiter.hit("a", THREE_A_MINUTE)
    for _ in range(59):
        moment.now += 1
        assert not limiter.hit("a", THREE_A_MINUTE).allowed
    moment.now += 1
    assert limiter.hit("a", THREE_A_MINUTE).allowed


@pytest.mark.parametrize("other", ["b", "A", "a ", "ä" * 500, "\ud800", ""])
def test_keys_are_counted_apart(limiter: RateLimiter, other: str) -> None:
    for _ in range(3):
        limiter.hit("a", THREE_A_MINUTE)
    assert limiter.hit(other, THREE_A_MINUTE).allowed
    assert not limiter.hit("a", THREE_A_MINUTE).allowed


def test_checking_does_not_count(limiter: RateLimiter) -> None:
    for _ in range(5):
        assert limiter.check("a", THREE_A_MINUTE).allowed
    for _ in range(3):
        assert limiter.hit("a", THREE_A_MINUTE).allowed
    assert limiter.check("a", THREE_A_MINUTE) == (False, 60)


def test_a_try_taken_back_leaves_room_for_one_and_clearing_for_all(limiter: RateLimiter) -> None:
    for _ in range(3):
        limiter.hit("a", THREE_A_MINUTE)
    limiter.take_back("a")
    assert limiter.hit("a", THREE_A_MINUTE).allowed
    assert not limiter.hit("a", THREE_A_MINUTE).allowed
    limiter.clear("a")
    for _ in range(3):
        assert limiter.hit("a", THREE_A_MINUTE).allowed
    limiter.take_back("unknown")
    limiter.clear("unknown")


def test_a_clock_set_back_blocks_for_one_window_at_most(limiter: RateLimiter, moment: Clock) -> None:
    for _ in range(3):
        limiter.hit("a", THREE_A_MINUTE)
    moment.now -= 86_400
    assert limiter.hit("a", THREE_A_MINUTE) == (False, 60)


def test_a_limit_may_change_between_tries(limiter: RateLimiter) -> None:
    for _ in range(3):
        limiter.hit("a", THREE_A_MINUTE)
    assert limiter.hit("a", Limit(4, 60)).allowed
    assert not limiter.hit("a", Limit(4, 60)).allowed
    assert not limiter.hit("a", Limit(1, 60)).allowed


def test_simultaneous_tries_never_exceed_the_limit(limiter: RateLimiter) -> None:
    with ThreadPoolExecutor(8) as threads:
        decisions = list(threads.map(lambda _: limiter.hit("a", Limit(5, 60)), range(64)))
    assert sum(decision.allowed for decision in decisions) == 5


def test_processes_count_together(shared: redis.Redis, moment: Clock) -> None:
    one, two = RateLimiter(shared, clock=moment), RateLimiter(shared, clock=moment)
    assert [limiter.hit("a", THREE_A_MINUTE).allowed for limiter in (one, two, one, two)] == [
        True,
        True,
        True,
        False,
    ]


def test_a_try_that_redis_refused_is_not_remembered_either(shared: redis.Redis, moment: Clock) -> None:
    one, two = RateLimiter(shared, clock=moment), RateLimiter(shared, clock=moment)
    for _ in range(3):
        one.hit("a", THREE_A_MINUTE)
    moment.now += 59
    for _ in range(3):
        assert not two.hit("a", THREE_A_MINUTE).allowed
    moment.now += 1
    assert two.hit("a", THREE_A_MINUTE).allowed


def test_redis_sees_neither_names_nor_more_than_the_window(shared: redis.Redis, moment: Clock) -> None:
    limiter = RateLimiter(shared, clock=moment)
    for _ in range(10):
        limiter.hit("login:person@example.com", THREE_A_MINUTE)
    (name,) = shared.keys("*")
    assert b"person" not in name
    assert shared.llen(name) == 3
    assert 0 < shared.ttl(name) <= 60


class Absent:
    """A Redis whose every call fails while it is away."""

    def __init__(self, real: redis.Redis) -> None:
        self.real = real
        self.away = False
        self.calls = 0

    def register_script(self, text: str) -> Any:
        script = self.real.register_script(text)

        def run(keys: list[str], args: list[Any], client: Any) -> Any:
            self.calls += 1
            if self.away:
                raise RedisAway("refused")
            return script(keys=keys, args=args, client=self.real)

        return run


def test_the_limit_holds_while_redis_is_away_and_when_it_comes_back_empty(shared: redis.Redis, moment: Clock) -> None:
    link = Absent(shared)
    limiter = RateLimiter(link, clock=moment, retry_redis_after=0)  # type: ignore[arg-type]
    assert limiter.hit("a", THREE_A_MINUTE).allowed
    link.away = True
    assert limiter.hit("a", THREE_A_MINUTE).allowed
    assert limiter.hit("a", THREE_A_MINUTE).allowed
    assert limiter.hit("a", THREE_A_MINUTE) == (False, 60)
    link.away = False
    shared.flushall()
    assert not limiter.hit("a", THREE_A_MINUTE).allowed
    moment.now += 60
    assert limiter.hit("a", THREE_A_MINUTE).allowed
    assert shared.dbsize() == 1


def test_after_a_failure_redis_is_left_alone_for_a_while(shared: redis.Redis, moment: Clock) -> None:
    link = Absent(shared)
    link.away = True
    limiter = RateLimiter(link, clock=moment, retry_redis_after=3600)  # type: ignore[arg-type]
    for _ in range(3):
        assert limiter.hit("a", THREE_A_MINUTE).allowed
    assert not limiter.hit("a", THREE_A_MINUTE).allowed
    assert link.calls == 1


def test_without_any_server_the_limit_still_holds(moment: Clock) -> None:
    limiter = RateLimiter.from_url("redis://127.0.0.1:1/0", clock=moment)
    assert [limiter.hit("a", THREE_A_MINUTE).allowed for _ in range(4)] == [True, True, True, False]
    limiter.take_back("a")
    limiter.clear("b")
    assert limiter.hit("a", THREE_A_MINUTE).allowed


def test_from_url_counts_in_the_named_server(shared: redis.Redis, server: EmbeddedValkey, moment: Clock) -> None:
    assert RateLimiter.from_url(server.url, clock=moment).hit("a", THREE_A_MINUTE).allowed
    assert shared.dbsize() == 1


def test_the_memory_of_a_process_is_bounded(moment: Clock) -> None:
    limiter = RateLimiter(None, clock=moment, remembered_keys=10)
    for number in range(100):
        limiter.hit(str(number), THREE_A_MINUTE)
    assert list(limiter._memory._tries) == [str(number) for number in range(90, 100)]


@pytest.mark.parametrize(
    ("setting", "changed"),
    [
        ("", {}),
        (" , ", {}),
        ("login=5/30s", {"login": Limit(5, 30)}),
        ("api=1200/m", {"api": Limit(1200, 60)}),
        (" register = 30/h , login=10/15m ", {"register": Limit(30, 3600), "login": Limit(10, 900)}),
        ("api=9/2d", {"api": Limit(9, 172_800)}),
    ],
)
def test_the_setting_changes_what_it_names(setting: str, changed: dict[str, Limit]) -> None:
    assert parse(setting) == {**DEFAULTS, **changed}


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("logn=10/m", "logn"),
        ("login", "login"),
        ("login=", "login"),
        ("login=10", "login"),
        ("login=0/m", "login"),
        ("login=10/0m", "login"),
        ("login=10/15", "login"),
        ("login=-1/m", "login"),
        ("login=1.5/m", "login"),
        ("login=10/15m;api=1/m", "login"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(setting: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^RATE_LIMITS: .*{complaint}"):
        parse(setting)


def test_the_defaults_never_stand_in_the_way_of_a_few_hundred_calls_a_minute() -> None:
    for name in ("register", "api"):
        assert DEFAULTS[name].count * 60 / DEFAULTS[name].seconds >= 500


@pytest.mark.parametrize(("count", "seconds"), [(0, 60), (1, 0), (-1, 60)])
def test_a_limit_of_nothing_cannot_be_made(count: int, seconds: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Limit(count, seconds)


# --- several keys at once, told in batches ---------------------------------------------------------------


def test_what_one_of_several_keys_refuses_counts_under_none(limiter: RateLimiter) -> None:
    person, workspace = ("person", Limit(5, 60)), ("workspace", Limit(2, 60))
    assert limiter.hit_all([person, workspace]).allowed
    assert limiter.hit_all([("another", Limit(5, 60)), workspace]).allowed
    for _ in range(10):
        assert not limiter.hit_all([person, workspace]).allowed
    for _ in range(4):
        assert limiter.hit_all([person]).allowed
    assert not limiter.hit_all([person]).allowed


class Counted:
    """A Redis that counts how often it is asked."""

    def __init__(self, shared: redis.Redis) -> None:
        self.shared = shared
        self.asked = 0

    def register_script(self, script: str) -> Any:
        registered = self.shared.register_script(script)

        def run(**arguments: Any) -> Any:
            self.asked += 1
            return registered(keys=arguments["keys"], args=arguments["args"], client=self.shared)

        return run


def test_redis_is_told_of_calls_in_batches_and_of_all_of_them(shared: redis.Redis, moment: Clock) -> None:
    link = Counted(shared)
    limiter = RateLimiter(link, clock=moment)  # type: ignore[arg-type]
    for _ in range(101):
        assert limiter.hit_all([("person", Limit(1000, 60))]).allowed
    assert link.asked == 11  # the first at once, then each ten
    other = RateLimiter(shared, clock=moment)
    assert other.check("person", Limit(102, 60)).allowed
    assert not other.check("person", Limit(101, 60)).allowed


def test_calls_that_wait_to_be_told_do_so_for_a_second_at_most(shared: redis.Redis, moment: Clock) -> None:
    limiter = RateLimiter(shared, clock=moment)
    for second in range(4):
        moment.now = 1_700_000_000.25 + second
        limiter.hit_all([("person", Limit(1000, 60))])
    assert not RateLimiter(shared, clock=moment).check("person", Limit(4, 60)).allowed


def test_after_a_refusal_each_call_asks_until_one_is_allowed(shared: redis.Redis, moment: Clock) -> None:
    wanted = [("person", Limit(1000, 60))]
    one, two = RateLimiter(shared, clock=moment), RateLimiter(shared, clock=moment)
    for _ in range(1000):
        one.hit(*wanted[0])
    refused = [two.hit_all(wanted) for _ in range(50)]
    assert not any(decision.allowed for decision in refused)
    moment.now += 61
    assert two.hit_all(wanted).allowed


def test_a_small_limit_is_exact_between_processes(shared: redis.Redis, moment: Clock) -> None:
    both = [RateLimiter(shared, clock=moment) for _ in range(2)]
    allowed = sum(both[number % 2].hit_all([("person", Limit(150, 60))]).allowed for number in range(400))
    assert allowed == 150


def test_a_larger_limit_lets_a_hundredth_more_pass_for_each_process(shared: redis.Redis, moment: Clock) -> None:
    both = [RateLimiter(shared, clock=moment) for _ in range(2)]
    allowed = sum(both[number % 2].hit_all([("person", Limit(1000, 60))]).allowed for number in range(3000))
    assert 1000 <= allowed <= 1020
