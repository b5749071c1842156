"""What a campaign asks of the database does not grow with its people, and each page begins in an index."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from backend.core.database import db, system_scope, workspace_scope
from backend.services.campaigns import eligibility, ledger, lifecycle, preflight, records, sketch, trials
from backend.services.contacts import suppressions
from tests.support import factories
from tests.support.campaigns import Named, Rig
from tests.support.statements import recorded

FEW, MANY = 2, 24


def asked(rig: Rig, work: Callable[[], object]) -> int:
    """How many statements the work takes."""
    db.session.rollback()
    with workspace_scope(rig.home.id), recorded() as statements:
        work()
        db.session.commit()
    return len(statements)


def counted(rig: Rig, people: list[int]) -> list[int]:
    """How many statements each step of a campaign to these people takes."""
    made: list[Named] = []
    first = asked(rig, lambda: made.append(rig.draft(people, "Hello {first_name}", "Again")))
    campaign, known = made[0].id, list[int]()
    steps: list[Callable[[], object]] = [
        lambda: trials.preview(campaign, contact_id=None, step=1),
        lambda: known.append(preflight.make(rig.actor, campaign).id),
        lambda: lifecycle.launch(rig.actor, campaign, known[0], accept_end_date=True),
        lambda: ledger.page(records.get(campaign), "en"),
        rig.turn,
        lambda: ledger.page(records.get(campaign), "en"),
        lambda: lifecycle.cancel(rig.actor, campaign),
    ]
    return [first, *(asked(rig, step) for step in steps)]


def test_a_campaign_to_many_asks_as_often_as_one_to_few(rig: Rig) -> None:
    assert counted(rig, rig.people(FEW)) == counted(rig, rig.people(MANY, first=100))


def test_many_people_are_judged_as_few_are(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole tables are read from a number of people on; the verdicts are the same."""
    people = rig.people(5)
    with workspace_scope(rig.home.id):
        suppressions.suppress_contact(factories.by("user:1"), people[2], code="requested", source="console")
        db.session.commit()
    campaign = rig.draft([*people, people[0]], "Hello {company}")
    with workspace_scope(rig.home.id):
        made = records.get(campaign.id)
        terms = sketch.terms_of(made, preflight.account_of(rig.actor, made))
        few = eligibility.verdicts(terms, [*people, people[0]])
        monkeypatch.setattr(eligibility, "MANY", 1)
        many = eligibility.verdicts(terms, [*people, people[0]])
        with system_scope("a test"):
            setting = db.session.scalar(text("SHOW enable_nestloop"))
        db.session.rollback()
    assert few == many
    assert [verdict.reason for verdict in many] == [
        "missing_field", "missing_field", "suppressed", "missing_field", "missing_field",
    ]  # fmt: skip
    assert setting == "on"


@pytest.mark.parametrize(
    ("condition", "index"),
    [("", "ix_campaign_recipients_place"), ("AND state = 'failed'", "ix_campaign_recipients_state")],
)
def test_a_page_of_the_ledger_is_the_beginning_of_an_index(rig: Rig, condition: str, index: str) -> None:
    rig.launch(rig.draft(rig.people(FEW), "Hello"))
    query = (
        f"EXPLAIN SELECT * FROM campaign_recipients WHERE campaign_id = 1 {condition} AND place > 5"
        " ORDER BY place LIMIT 51"
    )
    with system_scope("a test"):
        db.session.execute(text("SET LOCAL enable_seqscan = off"))
        db.session.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = "\n".join(row[0] for row in db.session.execute(text(query)))
        db.session.rollback()
    assert index in plan
    assert "Sort" not in plan
