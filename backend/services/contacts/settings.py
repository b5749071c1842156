"""What holds for all contacts of a workspace: region, time zone, consent rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from backend.core import clock
from backend.core.database import current_workspace_id, db
from backend.models import ContactSettings
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.contacts import phones
from backend.services.contacts.faults import invalid

RULES: Final = ("by_number", "kr", "none")


def get() -> ContactSettings:
    """The settings of the workspace in scope; defaults, which are not stored, where nobody changed any."""
    stored: ContactSettings | None = db.session.scalar(select(ContactSettings))
    if stored is not None:
        return stored
    return ContactSettings(
        workspace_id=current_workspace_id(),
        region=None,
        timezone=None,
        rules="by_number",
        opt_in_wording=None,
        opt_out_words=[],
        quiet_days=7,
        updated_at=clock.now(),
    )


def change(by: Attribution, changes: Mapping[str, Any]) -> ContactSettings:
    """Changes the settings that are named. Raises Invalid: region_unknown, timezone_unknown."""
    check_region(changes.get("region"))
    check_timezone(changes.get("timezone"))
    workspace_id, now = current_workspace_id(), clock.now()
    values = {"workspace_id": workspace_id, "updated_at": now, **changes}
    db.session.execute(
        insert(ContactSettings)
        .values(values)
        .on_conflict_do_update(index_elements=["workspace_id"], set_={"updated_at": now, **changes})
    )
    audit.record(by, "contact_settings.changed", fields=sorted(changes))
    return db.session.scalars(select(ContactSettings).execution_options(populate_existing=True)).one()


def check_region(region: str | None, field: str = "region") -> None:
    """Raises Invalid (region_unknown) for letters that are no country with phone numbers."""
    if region is not None and not phones.is_region(region):
        raise invalid(field, "region_unknown", "A region has two letters, such as KR or DE.")


def check_timezone(name: str | None, field: str = "timezone") -> None:
    """Raises Invalid (timezone_unknown)."""
    if name is not None and not is_timezone(name):
        raise invalid(field, "timezone_unknown", "There is no such time zone; an example is Asia/Seoul.")


def is_timezone(name: str) -> bool:
    """Whether there is a time zone of this name."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # not found, or no name of a zone at all
        return False
    return True
