"""Open files, and who makes room when there are more connections than they allow."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from backend.asgi.limits import open_files
from backend.asgi.limits.admission import Admission, in_lane, is_lane_url


@dataclass(eq=False)
class Client:
    """A connection that waits since some moment, or is being served."""

    waits_since: tuple[int, float] | None
    among: set[object] = field(default_factory=set)

    def evict(self) -> None:
        self.among.discard(self)


def test_those_that_never_said_anything_go_first_and_the_oldest_before_others() -> None:
    everybody: set[object] = set()
    silent = [Client((0, moment), everybody) for moment in (3.0, 1.0, 2.0)]
    kept = [Client((1, 0.0), everybody), Client(None, everybody)]
    newest = Client((0, 9.0), everybody)
    everybody.update(silent, kept, [newest, object()])
    assert Admission(6).makes_room(newest, everybody)
    assert silent[1] not in everybody
    assert len(everybody) == 6
    assert Admission(4).makes_room(newest, everybody)
    assert {*silent} & everybody == set()
    assert {*kept, newest} <= everybody
    assert Admission(3).makes_room(newest, everybody)
    assert not Admission(2).makes_room(newest, everybody), "who is served is not thrown out"
    assert kept[1] in everybody


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/health", True),
        ("/health/ready/", True),
        ("/telegram/webhook", True),
        ("/api/telegram/webhook/12", True),
        ("/api/telegram/webhook/x", False),
        ("/health/../api/files", False),
        ("/healthy", False),
        ("/api/files?/health", False),
        ("/api/files", False),
    ],
)
def test_the_lane_is_for_health_and_webhooks(path: str, expected: bool) -> None:
    assert in_lane(path) is expected
    assert is_lane_url(path.encode()) is expected
    assert is_lane_url(path.encode() + b"?a=/health") is expected


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_of_open_files_is_raised_to_the_hard_one(limits: tuple[int, int]) -> None:
    _, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    assert open_files.limit() == 512
    raised = open_files.raise_limit()
    assert 512 < raised == open_files.limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard


@pytest.mark.parametrize(
    ("files", "connections"), [(64, 19), (256, 76), (1024, 614), (20_000, 10_000), (65_536, 10_000)]
)
def test_open_files_bound_the_connections(files: int, connections: int) -> None:
    assert open_files.max_connections(files) == connections


@pytest.mark.parametrize("files", [64, 100, 128, 200, 256, 300, 410, 512, 1024, 4096, 65_536])
def test_connections_leave_open_files_for_the_work(files: int) -> None:
    """Also with those in the lane, and those that are being refused beyond it."""
    admission = Admission(open_files.max_connections(files))
    most_at_once = 2 * admission.most_with_lane - admission.most
    assert files - most_at_once >= min(36, files * 9 // 16)
    assert admission.most < admission.most_with_lane < most_at_once
