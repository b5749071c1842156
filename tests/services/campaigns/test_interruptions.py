"""A process that dies at a failpoint of a campaign: what it began is rolled back, and nobody gets a step twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.core import clock, failpoints
from backend.core.database import db, workspace_scope
from backend.models import Campaign
from backend.services.campaigns import lifecycle, preflight
from tests.support.campaigns import Named, Rig

DEATHS = 10


class Died(BaseException):
    """Stands for SIGKILL: nothing after it runs, and the transaction is lost."""


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Deaths that are still to come, by failpoint."""
    left: dict[str, int] = {}

    def hit(name: str) -> None:
        if left.get(name, 0) > 0:
            left[name] -= 1
            raise Died(name)

    monkeypatch.setattr(failpoints, "hit", hit)
    yield left
    assert not any(left.values()), "a failpoint was never reached"


def launch(rig: Rig, campaign: Named, preflight_id: int) -> bool:
    """Whether a process that launches it lives on."""
    with workspace_scope(rig.home.id):
        try:
            lifecycle.launch(rig.actor, campaign.id, preflight_id)
            db.session.commit()
        except Died:
            db.session.rollback()
            return False
    return True


def test_a_launch_that_dies_is_repeated_with_the_same_preflight(rig: Rig, dying: dict[str, int]) -> None:
    campaign = rig.draft(rig.people(3), "Hello {first_name}")
    with workspace_scope(rig.home.id):
        found = preflight.make(rig.actor, campaign.id).id
        db.session.commit()
    dying["campaign.launched_not_committed"] = DEATHS
    for _ in range(DEATHS):
        assert not launch(rig, campaign, found)
        assert rig.recipients(campaign) == []
    assert launch(rig, campaign, found)
    assert launch(rig, campaign, found)
    assert [row.place for row in rig.recipients(campaign)] == [0, 1, 2]


@pytest.mark.parametrize("failpoint", ["campaign.released_not_committed", "campaign.released"])
def test_a_release_that_dies_gives_each_message_once(rig: Rig, dying: dict[str, int], failpoint: str) -> None:
    campaign = rig.draft(rig.people(3), "Hello {first_name}")
    rig.launch(campaign)
    dying[failpoint] = DEATHS
    for _ in range(DEATHS):
        with pytest.raises(Died):
            rig.turn()
        db.session.rollback()
        clock.move(61)
    rig.run()
    assert sorted(rig.channel.texts()) == ["Hello Person1", "Hello Person2", "Hello Person3"]
    assert set(rig.states(campaign)) == {("sent", "accepted")}
    with workspace_scope(rig.home.id):
        assert db.session.get_one(Campaign, campaign.id, populate_existing=True).state == "finished"
