"""What people write as phone numbers, addresses, user names and dates, and what it means."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest
from flask import Flask

from backend.services.contacts import consent_rules, dates, identifiers, phones
from backend.services.contacts.faults import ValueFault
from backend.services.contacts.identifiers import Identifier


@pytest.mark.parametrize(
    ("written", "region", "e164", "validity"),
    [
        ("+1 212-555-0143", None, "+12125550143", "valid"),
        ("(212) 555-0143 ext. 12", "US", "+12125550143", "valid"),
        ("1020000002", "KR", "+821020000002", "valid"),  # a spreadsheet took the leading zero
        ("010.2000.0003", "KR", "+821020000003", "valid"),
        ("821020000002", "KR", "+821020000002", "valid"),
        ("00491713920005", None, "+491713920005", "valid"),
        ("00 49 171 3920005", "KR", "+491713920005", "valid"),
        ("+33 (0)6 39 98 00 01", "FR", "+33639980001", "possible"),
        ("+44 7700 900123", None, "+447700900123", "possible"),
        ("'+971 50 000 0001", None, "+971500000001", "valid"),
        ("\u202a+49 171 3920008\u202c", None, "+491713920008", "valid"),
        ("＋８２ １０－２０００－０００１", None, "+821020000001", "valid"),
        ("821020000001.0", "KR", "+821020000001", "valid"),
        ("8.21020000001E+11", "KR", "+821020000001", "valid"),  # every digit is there
        ("tel:+33-6-39-98-00-02", None, "+33639980002", "possible"),
    ],
)
def test_a_phone_number_in_any_notation(written: str, region: str | None, e164: str, validity: str) -> None:
    assert phones.parse(written, region) == phones.Phone(e164, validity)


@pytest.mark.parametrize(
    ("written", "region", "code"),
    [
        ("8.21012E+11", "KR", "excel_number"),
        ("8,21012E+11", "KR", "excel_number"),
        ("8.2E11", None, "excel_number"),
        ("010-2000-0001", None, "phone_invalid"),
        ("12", "KR", "phone_invalid"),
        ("555-0143", "US", "phone_invalid"),  # possible only within its area
        ("call me", "KR", "phone_invalid"),
        ("", "KR", "phone_invalid"),
        ("+999 1234567", None, "phone_invalid"),
        ("1" * 61, "KR", "too_long"),
    ],
)
def test_what_is_no_phone_number_says_why(written: str, region: str | None, code: str) -> None:
    with pytest.raises(ValueFault) as refused:
        phones.parse(written, region)
    assert refused.value.code == code
    assert refused.value.hint
    if code == "excel_number":
        assert "Excel" in refused.value.hint


def test_a_national_number_without_a_region_says_what_is_missing() -> None:
    with pytest.raises(ValueFault, match="region"):
        phones.parse("010-2000-0001")


def test_the_zones_of_a_number_are_a_set() -> None:
    assert phones.zones_of("+821020000001") == ("Asia/Seoul",)
    assert len(phones.zones_of("+79120000001")) > 1  # Russian mobiles say no more than the country
    assert phones.zones_of("+447700900123") == ()


def test_numbers_are_grouped_for_spreadsheets() -> None:
    assert phones.spaced("+821020000001") == "+82 10 2000 0001"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("@ada_sample", ("username", "ada_sample")),
        ("Ada_Sample", ("username", "ada_sample")),
        ("https://t.me/ada_sample", ("username", "ada_sample")),
        ("t.me/ada_sample?start=1", ("username", "ada_sample")),
        ("tg://resolve?domain=ada_sample", ("username", "ada_sample")),
        ("tg:ada_sample", ("username", "ada_sample")),
        ("ada_sample.t.me", ("username", "ada_sample")),
        ("123456789", ("telegram_user", "123456789")),
        ("https://t.me/+491713920008", ("phone", "+491713920008")),
    ],
)
def test_a_telegram_name_in_any_notation(written: str, expected: tuple[str, str]) -> None:
    found = identifiers.telegram(written)
    assert (found.kind, found.value) == expected


@pytest.mark.parametrize(
    "written", ["", "@", "a b", "https://www.linkedin.com/in/x", "t.me/joinchat", "@1ada", "t.me/+Abc"]
)
def test_what_is_no_telegram_name_is_refused(written: str) -> None:
    with pytest.raises(ValueFault):
        identifiers.telegram(written)


def test_letter_case_of_an_address_does_not_count() -> None:
    assert identifiers.email(" EMMA@Example.com ") == Identifier("email", "emma@example.com")
    assert identifiers.email("john@doe.invalid").value == "john@doe.invalid"
    assert (
        identifiers.email("mailto:j.o+x@bücher.example").value == identifiers.email("J.O+x@xn--bcher-kva.example").value
    )


@pytest.mark.parametrize("written", ["/o=ExchangeLabs/ou=x", "a@", "@b.com", "a b@c.com", "a..b@c.com", "x" * 300])
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ValueFault):
        identifiers.email(written)


def test_a_hash_says_the_kind_and_a_telegram_user_has_that_of_the_identity(app: Flask) -> None:
    from backend.services import conversations

    assert identifiers.hash_of("phone", "123") != identifiers.hash_of("email", "123")
    assert identifiers.hash_of("telegram_user", "123456") == conversations.identity_hash("telegram_user", "123456")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-01-15 10:00", datetime(2026, 1, 15, 10, tzinfo=UTC)),
        ("2026-01-15T10:00:00+09:00", datetime(2026, 1, 15, 1, tzinfo=UTC)),
        ("3/15/2026 2:30 PM", datetime(2026, 3, 15, 14, 30, tzinfo=UTC)),
        ("15/3/2026", datetime(2026, 3, 15, tzinfo=UTC)),
        ("5/5/2026", datetime(2026, 5, 5, tzinfo=UTC)),
        ("4.3.2026", datetime(2026, 3, 4, tzinfo=UTC)),
        ("2026. 3. 4.", datetime(2026, 3, 4, tzinfo=UTC)),
        ("2026년 3월 4일", datetime(2026, 3, 4, tzinfo=UTC)),
        ("12 Mar 2026", datetime(2026, 3, 12, tzinfo=UTC)),
        ("March 12, 2026", datetime(2026, 3, 12, tzinfo=UTC)),
    ],
)
def test_a_date_as_people_write_it(written: str, expected: datetime) -> None:
    assert dates.parse(written) == expected


@pytest.mark.parametrize(
    "written", ["03/04/2026", "3-4-2026", "0/0/00", "2026-13-01", "2026-02-30", "soon", "", "45352"]
)
def test_a_date_that_is_none_or_two_is_refused(written: str) -> None:
    with pytest.raises(ValueFault) as refused:
        dates.parse(written)
    assert refused.value.code == "bad_date"


def test_the_rules_of_korea_hold_for_its_numbers_its_region_and_where_they_are_chosen() -> None:
    assert consent_rules.applying("by_number", ["+821020000001"], None) is consent_rules.KOREA
    assert consent_rules.applying("by_number", [], "KR") is consent_rules.KOREA
    assert consent_rules.applying("by_number", ["+491713920008"], "DE") is None
    assert consent_rules.applying("kr", [], None) is consent_rules.KOREA
    assert consent_rules.applying("none", ["+821020000001"], "KR") is None


def test_night_begins_at_nine_and_ends_at_eight() -> None:
    rules = consent_rules.KOREA
    nights = {time(21), time(23, 59), time(0), time(7, 59)}
    for moment in (*nights, time(8), time(20, 59)):
        assert consent_rules.is_night(rules, moment) is (moment in nights)


def test_a_consent_of_korea_ends_after_two_years_also_on_a_leap_day() -> None:
    leap = datetime(2024, 2, 29, tzinfo=UTC)
    assert consent_rules.expiry(consent_rules.KOREA, "marketing", leap) == datetime(2026, 3, 1, tzinfo=UTC)
    assert consent_rules.expiry(consent_rules.KOREA, "service", leap) is None
    assert consent_rules.expiry(None, "marketing", leap) is None
