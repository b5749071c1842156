"""What a batch of rows does to the contacts: whom each row means, and how they change. Stores nothing.

The check and the run decide by this module alone, so that a check says what the run does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import select

from backend.core.database import db
from backend.core.orm import among_ids
from backend.models import Contact, ContactPoint, ContactTag, Suppression, Tag
from backend.services.contacts.identifiers import Identifier
from backend.services.contacts.imports.bulk import among_hashes
from backend.services.contacts.imports.person_rows import Issue, PersonRow
from backend.services.contacts.imports.report import Report

TEXTS: Final = ("first_name", "last_name", "company", "title", "locale", "timezone", "region", "source")
_KINDS: Final = {
    "phone": ("phone",),
    "email": ("email",),
    "telegram_username": ("username", "telegram_user"),
}
OF_CONTACTS: Final = frozenset({"contact_exists", "point_of_other_contact"})
"""Codes of what is wrong with a row because of other contacts."""


@dataclass(slots=True, eq=False)
class Target:
    """A contact as it is, or a new one, and what the rows of a batch make of it."""

    contact_id: int | None
    values: dict[str, Any]
    fields: dict[str, Any]
    hashes: set[bytes]
    tags: set[str]
    """Folded names."""
    kinds: set[str]
    """Kinds of which there is a primary point."""
    numbers: list[str] = field(default_factory=list)
    """Phone numbers that the file gives, in E.164: consent rules go by them."""
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    new_points: list[tuple[Identifier, bytes, bool]] = field(default_factory=list)
    """With its hash, and whether it becomes primary."""
    new_tags: dict[str, str] = field(default_factory=dict)
    """Names by folded name."""
    consents: list[PersonRow] = field(default_factory=list)
    suppress: bool = False
    is_suppressed: bool = False
    """Whether something of the person was suppressed before: what is new of them then is, too."""
    touched: bool = False

    @property
    def is_new(self) -> bool:
        """Whether the contact is made by the import."""
        return self.contact_id is None


@dataclass(frozen=True, slots=True)
class Options:
    """How rows meet contacts."""

    mode: str
    update_by: Sequence[str]
    overwrite: bool
    tags: Sequence[str]


@dataclass(slots=True)
class Plan:
    """What a batch of rows does: contacts that are made or changed, and what is counted."""

    targets: list[Target] = field(default_factory=list)
    loose: list[tuple[str, bytes]] = field(default_factory=list)
    """Kinds and hashes to be suppressed of rows that make no contact."""
    report: Report = field(default_factory=Report)
    seen: set[int] = field(default_factory=set)
    """Heads of the hashes of the identifiers of rows that count."""


class Planner:
    """Plans an import batch by batch; remembers whom it met in this file."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._matching = {kind for name in options.update_by for kind in _KINDS[name]}
        self._seen: set[int] = set()

    def accept(self, plan: Plan) -> None:
        """Remembers the people of a batch that was stored, or needs no storing."""
        self._seen |= plan.seen

    def plan(self, people: Sequence[PersonRow], *, lock: bool = False) -> Plan:
        """What these rows do, as things are now. `lock` locks the contacts that are there."""
        hashes = {id(person): [(given, given.hash()) for given in person.identifiers] for person in people}
        every = {value_hash for given in hashes.values() for _, value_hash in given}
        holders = _holders(every)
        known = _load(set(holders.values()), lock=lock)
        suppressed = _suppressed(every | {value for target in known.values() for value in target.hashes})
        planning = _Planning(
            self._options,
            self._matching,
            self._seen,
            {value_hash: known[contact_id] for value_hash, contact_id in holders.items()},
            suppressed,
        )
        for person in people:
            planning.add(person, hashes[id(person)])
        return planning.finish()


Given = Sequence[tuple[Identifier, bytes]]


class _Planning:
    """The planning of one batch."""

    def __init__(
        self,
        options: Options,
        matching: set[str],
        seen: set[int],
        targets: dict[bytes, Target],
        suppressed: set[bytes],
    ) -> None:
        self._options = options
        self._matching = matching
        self._seen = seen
        self._targets = targets
        self._suppressed = suppressed
        self._plan = Plan()
        self._chosen: dict[int, Target] = {}

    def add(self, person: PersonRow, given: Given) -> None:
        """Plans a row."""
        report = self._plan.report
        report.count("rows")
        target = self._place(person, given)
        hashes = {value for _, value in given} | (target.hashes if target is not None else set())
        known = bool(hashes & self._suppressed)
        if person.do_not_contact or known:
            report.count("suppressed")
        if target is not None:
            self._chosen[id(target)] = target
            target.is_suppressed = target.is_suppressed or known
        elif person.do_not_contact:
            self._plan.loose += [(identifier.kind, value) for identifier, value in given]
        report.add_issues(person.issues)

    def finish(self) -> Plan:
        """The plan, with the contacts for which there is something to do."""
        self._plan.targets = [target for target in self._chosen.values() if target.touched]
        return self._plan

    def _place(self, person: PersonRow, given: Given) -> Target | None:
        """Finds whom a row means, counts the row, and applies it. None where no contact is made or known."""
        if not given:
            self._reject(None)
            return None
        met = any(self._was_seen(value) for _, value in _of_kinds(given, self._matching))
        target = self._match(given)
        free = [(identifier, value) for identifier, value in given if self._is_free(value, target)]
        if target is None and met:
            # Only a check comes here: the earlier row was not stored.
            self._plan.seen.update(_head(value) for _, value in free)
            self._plan.report.count("same_person")
            return None
        if target is None:
            if self._options.mode == "update":
                self._plan.report.count("skipped")
                return None
            if not free:
                self._reject(person)
                return None
            target = Target(None, {}, {}, set(), set(), set())
        self._plan.seen.update(_head(value) for _, value in free)
        for _, value in free:
            self._targets[value] = target
        _note_taken(person, given, {value for _, value in free})
        self._apply(target, person, free, met)
        return target

    def _apply(self, target: Target, person: PersonRow, free: Given, met: bool) -> None:
        """Counts a row about a contact, and applies it as far as the mode lets it."""
        if met or target.touched:
            outcome, may_change = "same_person", self._options.mode != "create"
        elif target.is_new:
            outcome, may_change = "create", True
        elif self._options.mode == "create":
            outcome, may_change = "skipped", False
        else:
            outcome, may_change = "update", True
        changes = may_change and apply(target, person, free, self._options)
        if outcome == "update" and not changes:
            outcome = "unchanged"
        self._plan.report.count(outcome)
        # Whom a row says not to contact is suppressed, whatever the mode.
        target.suppress = target.suppress or person.do_not_contact
        target.touched = target.touched or changes or outcome == "create" or person.do_not_contact

    def _match(self, given: Given) -> Target | None:
        for name in self._options.update_by:
            for _, value in _of_kinds(given, _KINDS[name]):
                if value in self._targets:
                    return self._targets[value]
        return None

    def _was_seen(self, value: bytes) -> bool:
        head = _head(value)
        return head in self._seen or head in self._plan.seen

    def _is_free(self, value: bytes, target: Target | None) -> bool:
        """Whether an identifier is nobody else's: neither stored, nor given by an earlier row about another person."""
        holder = self._targets.get(value)
        return not self._was_seen(value) if holder is None else holder is target

    def _reject(self, person: PersonRow | None) -> None:
        """Counts a row without an identifier of its own; says so where others have what it gives."""
        if person is not None:
            hint = "Another contact has everything that identifies this person; update by that instead."
            person.issues.append(Issue(person.line, None, "contact_exists", "", hint))
        self._plan.report.count("rejected")


def _note_taken(person: PersonRow, given: Given, free: set[bytes]) -> None:
    for identifier, value in given:
        if value not in free:
            hint = "Another contact has this already; it was left out."
            shown = identifier.value[:80]
            person.issues.append(Issue(person.line, None, "point_of_other_contact", shown, hint, is_error=False))


def apply(target: Target, person: PersonRow, given: Given, options: Options) -> bool:
    """Applies a row to a contact; whether anything changes. A filled field stays unless `overwrite` is chosen."""
    changes = False
    for name, value in person.values.items():
        if value != target.values.get(name) and (options.overwrite or not target.values.get(name)):
            target.before.setdefault(name, target.values.get(name))
            target.values[name] = target.after[name] = value
            changes = True
    for key, value in person.fields.items():
        if value != target.fields.get(key) and (options.overwrite or target.fields.get(key) is None):
            target.before.setdefault(f"fields.{key}", target.fields.get(key))
            target.fields[key] = target.after[f"fields.{key}"] = value
            changes = True
    replaced: set[str] = set()
    for identifier, value_hash in given:
        if identifier.kind == "phone":
            target.numbers.append(identifier.value)
        if value_hash in target.hashes:
            continue
        primary = identifier.kind not in target.kinds or (options.overwrite and identifier.kind not in replaced)
        if primary:
            replaced.add(identifier.kind)
            target.kinds.add(identifier.kind)
            target.new_points = [
                (point, known, is_primary and point.kind != identifier.kind)
                for point, known, is_primary in target.new_points
            ]
        target.new_points.append((identifier, value_hash, primary))
        target.hashes.add(value_hash)
        changes = True
    for name in (*person.tags, *options.tags):
        if name.casefold() not in target.tags:
            target.tags.add(name.casefold())
            target.new_tags[name.casefold()] = name
            changes = True
    if person.consent_at is not None and person.consent_source is not None:
        target.consents.append(person)
        changes = True
    return changes


def _head(value: bytes) -> int:
    return int.from_bytes(value[:8], "big")


def _of_kinds(given: Iterable[tuple[Identifier, bytes]], kinds: Collection[str]) -> list[tuple[Identifier, bytes]]:
    return [(identifier, value) for identifier, value in given if identifier.kind in kinds]


def _holders(hashes: Collection[bytes]) -> dict[bytes, int]:
    if not hashes:
        return {}
    query = select(ContactPoint.value_hash, ContactPoint.contact_id).where(
        among_hashes(ContactPoint.value_hash, hashes)
    )
    return {bytes(value_hash): contact_id for value_hash, contact_id in db.session.execute(query)}


def _suppressed(hashes: Collection[bytes]) -> set[bytes]:
    if not hashes:
        return set()
    query = select(Suppression.external_hash).where(among_hashes(Suppression.external_hash, hashes))
    return {bytes(value_hash) for value_hash in db.session.scalars(query)}


def _load(contact_ids: Collection[int], *, lock: bool) -> dict[int, Target]:
    """The contacts of these ids as targets, in the order of their ids so that two imports do not block each other."""
    if not contact_ids:
        return {}
    columns = [getattr(Contact, name) for name in TEXTS]
    query = select(Contact.id, Contact.fields, Contact.updated_at, *columns)
    query = query.where(among_ids(Contact.id, contact_ids)).order_by(Contact.id)
    if lock:
        query = query.with_for_update()
    targets: dict[int, Target] = {}
    for row in db.session.execute(query):
        values = {name: getattr(row, name) for name in TEXTS} | {"updated_at": row.updated_at}
        targets[row.id] = Target(row.id, values, dict(row.fields), set(), set(), set())
    points = select(ContactPoint.contact_id, ContactPoint.kind, ContactPoint.value_hash, ContactPoint.is_primary).where(
        among_ids(ContactPoint.contact_id, contact_ids)
    )
    for contact_id, kind, value_hash, is_primary in db.session.execute(points):
        targets[contact_id].hashes.add(bytes(value_hash))
        if is_primary:
            targets[contact_id].kinds.add(kind)
    tagged = (
        select(ContactTag.contact_id, Tag.name_folded)
        .join(Tag, Tag.id == ContactTag.tag_id)
        .where(among_ids(ContactTag.contact_id, contact_ids))
    )
    for contact_id, folded in db.session.execute(tagged):
        targets[contact_id].tags.add(folded)
    return targets
