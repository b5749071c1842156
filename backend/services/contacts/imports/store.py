"""Storing what a batch of an import makes of the contacts, and what undoing it needs, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from psycopg.types.json import Jsonb
from sqlalchemy import insert as plain_insert
from sqlalchemy import select, update

from backend.core.database import db, next_ids, system_scope
from backend.core.encrypted_columns import keyring
from backend.models import Consent, Contact, ContactImport, ContactPoint, Tag
from backend.services.auth.attribution import Attribution
from backend.services.contacts import consent_rules, records, suppressions, tags
from backend.services.contacts.imports.bulk import copy_rows
from backend.services.contacts.imports.planning import TEXTS, Target

CHANNEL: Final = "telegram"
PURPOSE: Final = consent_rules.PURPOSE
_WHY: Final = "a batch of an import is changed by its keys, all of one workspace"


def author_of(job: ContactImport) -> Attribution:
    """Who began an import: what it stores and ends is theirs."""
    return Attribution("api", job.actor, job.user_id)


class Batch:
    """One batch of one import. The workspace is in scope."""

    def __init__(self, job: ContactImport, rules: str, now: datetime) -> None:
        self._job = job
        self._rules = rules
        self._now = now
        self._source = f"import:{job.id}"

    def store(self, targets: Sequence[Target], loose: Iterable[tuple[str, bytes]]) -> dict[str, Any]:
        """Stores contacts, points, tags, consents and suppressions. Raises Overtaken, Conflict.

        Returns what is counted up: `suppressions`, `consents`, and `new_tag_ids`.
        """
        fresh = [target for target in targets if target.is_new]
        known = [target for target in targets if not target.is_new]
        if fresh:
            records.require_room(len(fresh))
        for target, contact_id in zip(fresh, next_ids("contacts", len(fresh)), strict=True):
            target.contact_id = contact_id
        self._insert_contacts(fresh)
        self._update_contacts([target for target in known if target.after])
        primaries = self._demote(known)
        point_ids = self._insert_points(targets)
        tag_ids, new_tag_ids = self._insert_tags(targets)
        consents = self._insert_consents(targets)
        self._insert_changes(targets, set(map(id, fresh)), point_ids, primaries, tag_ids)
        suppressed = suppressions.add([*loose, *self._to_suppress(targets)], author_of(self._job), "imported", "import")
        inheriting = {_id(target) for target in targets if target.is_suppressed}
        suppressed += suppressions.inherit(inheriting, author_of(self._job))
        return {"suppressions": suppressed, "consents": consents, "new_tag_ids": new_tag_ids}

    def _insert_contacts(self, fresh: Sequence[Target]) -> None:
        columns = ("id", "workspace_id", *TEXTS, "fields", "created_at", "updated_at")
        rows = []
        for target in fresh:
            target.values["source"] = target.values.get("source") or "import"
            texts = (target.values.get(name) for name in TEXTS)
            fields = Jsonb(target.fields)
            rows.append((target.contact_id, self._job.workspace_id, *texts, fields, self._now, self._now))
        if rows:
            copy_rows("contacts", columns, rows)

    def _update_contacts(self, changed: Sequence[Target]) -> None:
        rows = []
        for target in changed:
            target.before["updated_at"] = target.values["updated_at"].isoformat()
            target.after["updated_at"] = self._now.isoformat()
            values = {name: target.values.get(name) for name in TEXTS}
            rows.append({"id": target.contact_id, "fields": target.fields, "updated_at": self._now} | values)
        if rows:
            with system_scope(_WHY):
                db.session.execute(update(Contact), rows)

    def _demote(self, known: Sequence[Target]) -> dict[int, dict[str, int]]:
        """Makes room for new primary points; by contact and kind, which point was primary."""
        wanted = {
            (_id(target), point.kind) for target in known for point, _, is_primary in target.new_points if is_primary
        }
        if not wanted:
            return {}
        query = select(ContactPoint.id, ContactPoint.contact_id, ContactPoint.kind).where(
            ContactPoint.contact_id.in_({contact_id for contact_id, _ in wanted}), ContactPoint.is_primary
        )
        before: dict[int, dict[str, int]] = {}
        for point_id, contact_id, kind in db.session.execute(query):
            if (contact_id, kind) in wanted:
                before.setdefault(contact_id, {})[kind] = point_id
        ids = [point_id for kinds in before.values() for point_id in kinds.values()]
        if ids:
            db.session.execute(
                update(ContactPoint)
                .where(ContactPoint.id.in_(ids))
                .values(is_primary=False)
                .execution_options(synchronize_session=False)
            )
        return before

    def _insert_points(self, targets: Sequence[Target]) -> dict[int, list[int]]:
        pending = [(target, *point) for target in targets for point in target.new_points]
        if not pending:
            return {}
        ring, rows = keyring(), []
        by_contact: dict[int, list[int]] = {}
        ids = next_ids("contact_points", len(pending))
        for point_id, (target, identifier, value_hash, is_primary) in zip(ids, pending, strict=True):
            by_contact.setdefault(_id(target), []).append(point_id)
            encrypted = ring.encrypt(
                identifier.value, table="contact_points", column="value_encrypted", row=str(point_id)
            )
            own = (point_id, self._job.workspace_id, target.contact_id, identifier.kind, encrypted, value_hash)
            rows.append((*own, is_primary, identifier.validity, self._source, self._now))
        columns = (
            "id", "workspace_id", "contact_id", "kind", "value_encrypted", "value_hash", "is_primary", "validity",
            "source", "created_at",
        )  # fmt: skip
        copy_rows("contact_points", columns, rows)
        return by_contact

    def _insert_tags(self, targets: Sequence[Target]) -> tuple[dict[int, list[int]], list[int]]:
        """Which tags each contact got, and which of them are new to the workspace."""
        names = {folded: name for target in targets for folded, name in target.new_tags.items()}
        if not names:
            return {}, []
        known = set(db.session.scalars(select(Tag.name_folded).where(Tag.name_folded.in_(list(names)))))
        ensured = tags.ensure(names.values())
        by_contact = {
            _id(target): [ensured[folded].id for folded in target.new_tags] for target in targets if target.new_tags
        }
        rows = [
            (self._job.workspace_id, contact_id, tag_id)
            for contact_id, tag_ids in by_contact.items()
            for tag_id in tag_ids
        ]
        copy_rows("contact_tags", ("workspace_id", "contact_id", "tag_id"), rows)
        return by_contact, [tag.id for folded, tag in ensured.items() if folded not in known]

    def _insert_consents(self, targets: Sequence[Target]) -> int:
        """Adds the consents that are not recorded yet; returns how many."""
        having = {_id(target): target for target in targets if target.consents}
        if not having:
            return 0
        query = select(Consent.contact_id, Consent.obtained_at, Consent.source_detail).where(
            Consent.contact_id.in_(having), Consent.channel == CHANNEL, Consent.purpose == PURPOSE
        )
        recorded = {tuple(row) for row in db.session.execute(query)}
        rows = []
        for contact_id, target in having.items():
            rules = consent_rules.applying(self._rules, target.numbers, target.values.get("region"))
            for person in target.consents:
                key = (contact_id, person.consent_at, person.consent_source)
                if key in recorded or person.consent_at is None:
                    continue
                recorded.add(key)
                rows.append(
                    {
                        "workspace_id": self._job.workspace_id,
                        "contact_id": contact_id,
                        "channel": CHANNEL,
                        "purpose": PURPOSE,
                        "basis": "consent",
                        "state": "given",
                        "source": "import",
                        "source_detail": person.consent_source,
                        "night_ok": False,
                        "obtained_at": person.consent_at,
                        "recorded_at": self._now,
                        "recorded_by": self._job.actor,
                        "expires_at": consent_rules.expiry(rules, PURPOSE, person.consent_at),
                        "import_id": self._job.id,
                    }
                )
        if rows:
            db.session.execute(plain_insert(Consent), rows)
        return len(rows)

    def _insert_changes(
        self,
        targets: Sequence[Target],
        fresh: set[int],
        point_ids: dict[int, list[int]],
        primaries: dict[int, dict[str, int]],
        tag_ids: dict[int, list[int]],
    ) -> None:
        rows = []
        for target in targets:
            contact_id, created = _id(target), id(target) in fresh
            added = point_ids.get(contact_id, [])
            tagged = tag_ids.get(contact_id, [])
            if not (created or target.after or added or tagged):
                continue
            if created:
                after = {name: target.values.get(name) for name in TEXTS} | {"fields": target.fields}
                before: dict[str, Any] = {}
            else:
                before, after = target.before, target.after
            own = (self._job.workspace_id, self._job.id, contact_id, created, Jsonb(before), Jsonb(after))
            kinds = Jsonb(primaries.get(contact_id, {}))
            rows.append((*own, Jsonb(added), kinds, Jsonb(tagged), self._now))
        columns = (
            "workspace_id", "import_id", "contact_id", "created", "before", "after", "point_ids", "primaries",
            "tag_ids", "created_at",
        )  # fmt: skip
        if rows:
            copy_rows("contact_import_changes", columns, rows)

    def _to_suppress(self, targets: Sequence[Target]) -> list[tuple[str, bytes]]:
        refusing = [_id(target) for target in targets if target.suppress]
        if not refusing:
            return []
        query = select(ContactPoint.kind, ContactPoint.value_hash).where(ContactPoint.contact_id.in_(refusing))
        return [(kind, bytes(value_hash)) for kind, value_hash in db.session.execute(query)]


def _id(target: Target) -> int:
    assert target.contact_id is not None, "a target has its contact's id before anything points to it"
    return target.contact_id
