"""Sample files mutated: other delimiters, encodings, quotes, line ends mean the same; what means nothing is refused."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import openpyxl
import pytest

from backend.core.database import db
from backend.core.errors import Invalid
from backend.models import ContactImport
from backend.services.contacts.imports import reading
from backend.services.contacts.imports.faults import Unreadable
from tests.services.contacts.conftest import FILES, Imports

Contacts = Callable[[], list[dict[str, Any]]]
_SAMPLES = {
    "01-google-2024.csv": ("utf-8", ","),
    "03-outlook-cp1252.csv": ("cp1252", ","),
    "04-naver-cp949.csv": ("cp949", ","),
    "06-hubspot.csv": ("utf-8", ","),
    "08-pipedrive.csv": ("utf-8", ","),
    "09-apollo.csv": ("utf-8", ","),
    "10-linkedin-connections.csv": ("utf-8-sig", ","),
    "13-thunderbird-semicolon.csv": ("utf-8", ";"),
}


def rows_of(name: str) -> list[list[str]]:
    encoding, delimiter = _SAMPLES[name]
    text = (FILES / name).read_bytes().decode(encoding)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def written(rows: list[list[str]], delimiter: str = ",", quoting: Any = csv.QUOTE_MINIMAL, end: str = "\r\n") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(rows)
    return text.getvalue()


def outcome(imports: Imports, content: bytes, filename: str = "file.csv") -> Any:
    """What a file says of people, and what is wrong with it, without its line numbers."""
    job = imports.begin(content, filename, region="KR")
    assert (job.state, job.error) == ("checked", None), job.report
    assert job.report is not None
    counts = {key: value for key, value in job.report.items() if isinstance(value, int)}
    return counts, [(issue["column"], issue["code"], issue["value"]) for issue in job.report["errors"]]


@pytest.mark.parametrize("name", _SAMPLES)
def test_the_same_table_in_another_notation_means_the_same(imports: Imports, name: str) -> None:
    rows = rows_of(name)
    expected = outcome(imports, (FILES / name).read_bytes())
    # One is written in every pair of the two, the others in each of either.
    pairs = [
        (delimiter, encoding)
        for delimiter in (",", ";", "\t", "|")
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
        if name == "01-google-2024.csv" or delimiter == "," or encoding == "utf-8"
    ]
    for delimiter, encoding in pairs:
        assert outcome(imports, written(rows, delimiter).encode(encoding)) == expected, (delimiter, encoding)
    assert outcome(imports, written(rows, quoting=csv.QUOTE_ALL).encode()) == expected
    assert outcome(imports, written(rows, end="\n").encode()) == expected
    assert outcome(imports, ("sep=;\r\n" + written(rows, ";")).encode()) == expected
    titled = [["Contacts of the fair"], [], *rows]
    assert outcome(imports, written(titled).encode()) == expected


@pytest.mark.parametrize("name", _SAMPLES)
def test_the_same_table_as_a_workbook_means_the_same(imports: Imports, name: str) -> None:
    rows = rows_of(name)
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append([cell or None for cell in row])
    content = io.BytesIO()
    book.save(content)
    assert outcome(imports, content.getvalue(), "file.xlsx") == outcome(imports, (FILES / name).read_bytes())


def test_numbers_of_a_workbook_are_whole(imports: Imports, contacts: Contacts) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Name", "Phone"])
    book.active.append(["Ada", 821020000001])
    book.active.append(["Bob", 1020000002.0])
    book.active.append(["=1+1", "'+82 10-2000-0003"])
    content = io.BytesIO()
    book.save(content)
    imports.run(content.getvalue(), "file.xlsx", region="KR")
    assert [contact["phone"] for contact in contacts()] == ["+821020000001", "+821020000002", "+821020000003"]


@pytest.mark.parametrize("encoding", ["cp949", "euc-kr"])
def test_korean_names_below_english_column_names(imports: Imports, contacts: Contacts, encoding: str) -> None:
    people = [
        f"{name},010-2000-{number:04d}" for number, name in enumerate(["김가상", "이보기", "박예시", "최견본"] * 5)
    ]
    content = "\n".join(["Name,Phone", *people]).encode(encoding)
    imports.run(content, region="KR")
    assert (contacts()[0]["last_name"], contacts()[0]["first_name"]) == ("김", "가상")


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("姓,名,携帯電話", "cp932"),
        ("姓名,手机号码,公司", "gb18030"),
        ("Имя;Фамилия;Телефон", "cp1251"),
        ("Prénom;Nom;Téléphone", "cp1252"),
        ("Nombre;Apellidos;Teléfono", "cp1252"),
        ("Vorname;Nachname;Handynummer", "cp1252"),
        ("이름,휴대폰,회사", "cp949"),
    ],
)
def test_headers_of_eight_languages_in_their_encodings(imports: Imports, header: str, encoding: str) -> None:
    mark = ";" if ";" in header else ","
    job = imports.begin(f"{header}\r\nA{mark}B{mark}+82 10-2000-0001\r\n".encode(encoding))
    assert "phone" in job.mapping.values()
    assert {"first_name", "full_name"} & set(job.mapping.values())
    assert not any("\ufffd" in name for name in job.mapping)


# --- hostile files -------------------------------------------------------------------------------------------


def refusal(imports: Imports, content: bytes, filename: str = "file.csv") -> tuple[str, int | None]:
    job = imports.begin(content, filename)
    assert (job.state, job.error) == ("failed", "import_unreadable"), (job.state, job.error, job.report)
    assert job.report is not None
    (error,) = job.report["errors"]
    assert error["hint"]
    return error["code"], error["line"]


def test_ten_thousand_columns_are_refused(imports: Imports, contacts: Contacts) -> None:
    wide = "Name,Phone," + ",".join(f"c{number}" for number in range(10_000))
    assert refusal(imports, f"{wide}\nAda,+821020000001\n".encode()) == ("too_many_columns", 1)
    narrow_then_wide = "Name,Phone\n" + "Ada,+821020000001\n" * 100 + "x," * 10_000 + "\n"
    assert refusal(imports, narrow_then_wide.encode()) == ("too_many_columns", 102)
    assert contacts() == []


def test_a_line_without_an_end_is_refused_where_it_begins(imports: Imports) -> None:
    endless = b"Name,Phone\nAda,+821020000001\n" + b"x" * 3_000_000
    assert refusal(imports, endless) == ("line_too_long", 3)
    assert refusal(imports, b"x" * 3_000_000)[0] == "line_too_long"


def test_a_quotation_mark_that_is_never_closed_is_refused_where_it_opens(imports: Imports, contacts: Contacts) -> None:
    rest = "".join(f"P{number},+8210200{number:05d}\n" for number in range(200))
    assert refusal(imports, f'Name,Phone\nAda,+821020000001\n"Bob,+821020000002\n{rest}'.encode()) == (
        "quote_unclosed",
        3,
    )
    longer = rest * 50
    assert refusal(imports, f'Name,Phone\n"Bob,+821020000002\n{longer}'.encode()) == ("quote_unclosed", 2)
    assert contacts() == []


def test_a_quotation_mark_too_many_shows_as_a_row_with_too_many_cells(imports: Imports) -> None:
    job = imports.begin(b'Name,Phone\n"Ada,+821020000001\nBob",+821020000002,x,y\nEve,+821020000003\n')
    assert job.report is not None
    assert (2, "extra_cells") in [(issue["line"], issue["code"]) for issue in job.report["warnings"]]


@pytest.mark.parametrize(
    ("content", "filename"),
    [
        (b"", "empty.csv"),
        (b"\xef\xbb\xbf\r\n  \n", "blank.csv"),
        (b"%PDF-1.7 ...", "a.pdf"),
        (b"\x89PNG\r\n\x1a\n....", "a.csv"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "old.xls"),
    ],
)
def test_what_is_no_file_of_contacts_is_refused_at_once(imports: Imports, content: bytes, filename: str) -> None:
    with pytest.raises(Invalid) as refused:
        imports.begin(content, filename)
    assert refused.value.code in ("import_unreadable", "file_empty")
    db.session.rollback()


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04" + b"broken" * 100,
        b"Name\x00\x01\x02\xff\xfe" * 50,
        b"BEGIN:VCARD\nVERSION:3.0\nFN:Ada\nTEL:+821020000001\n",
        bytes(range(256)) * 20,
    ],
)
def test_damaged_files_are_refused(imports: Imports, contacts: Contacts, content: bytes) -> None:
    refusal(imports, content, "file.bin")
    assert contacts() == []


def test_a_workbook_that_unpacks_to_gigabytes_is_refused_before_it_is_unpacked(imports: Imports) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/sharedStrings.xml", b" " * (65 * 1024 * 1024))
    assert refusal(imports, content.getvalue(), "bomb.xlsx")[0] == "import_unreadable"


def test_a_workbook_with_entities_of_its_own_is_refused_or_read_without_them(imports: Imports) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Name", "Phone"])
    content = io.BytesIO()
    book.save(content)
    evil = io.BytesIO()
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    with zipfile.ZipFile(content) as source, zipfile.ZipFile(evil, "w") as target:
        for item in source.infolist():
            body = source.read(item)
            if item.filename.endswith("sheet1.xml"):
                body = (
                    f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>'
                    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
                    '<row r="1"><c r="A1" t="str"><v>&l9;</v></c></row></sheetData></worksheet>'
                ).encode()
            target.writestr(item.filename, body)
    refusal(imports, evil.getvalue(), "laughs.xlsx")


def test_formulas_stay_text_and_controls_go(imports: Imports, contacts: Contacts) -> None:
    lines = [
        "First name,Last name,Company,Phone",
        "=HYPERLINK(1),@SUM(1),'+cmd,+821020000001",
        "A\x07d\x07a,-1+1,\u202eevil,'+82 10-2000-0002",
    ]
    imports.run("\n".join(lines).encode())
    first, second = contacts()
    assert (first["first_name"], first["last_name"], first["company"]) == ("=HYPERLINK(1)", "@SUM(1)", "+cmd")
    assert (second["first_name"], second["phone"]) == ("Ada", "+821020000002")


def test_numbers_that_excel_shortened_are_rejected_by_line_and_the_rest_of_the_row_is_taken(
    imports: Imports, contacts: Contacts
) -> None:
    content = (
        'Name;Phone;Email\nAda;8,21012E+11;ada@example.com\nBob;8.21012E+11;\nEve;"8,21012E+11, +82 10-2000-0003";\n'
    )
    job = imports.run(content.encode(), region="KR")
    assert job.report is not None
    assert [(issue["line"], issue["code"]) for issue in job.report["errors"]][:3] == [
        (2, "excel_number"),
        (3, "excel_number"),
        (3, "no_point"),
    ]
    assert "Excel" in job.report["errors"][0]["hint"]
    ada, eve = contacts()
    assert (ada["email"], ada["phone"]) == ("ada@example.com", None)
    assert eve["phone"] == "+821020000003"


class Endless(io.RawIOBase):
    """A file of a hundred megabytes without a line end; `largest` is the most that was asked for at once."""

    SIZE = 100 * 1024 * 1024

    def __init__(self) -> None:
        self.largest = 0
        self.at = 0

    def read(self, size: int = -1) -> bytes:
        count = min(self.SIZE - self.at, size if size >= 0 else self.SIZE)
        self.at += count
        self.largest = max(self.largest, count)
        return b"x" * count

    def readinto(self, buffer: Any) -> int:
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = offset + (0, self.at, self.SIZE)[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def test_a_line_of_a_hundred_megabytes_is_refused_and_never_held_whole(home: Any) -> None:
    endless = Endless()
    with pytest.raises(Unreadable) as refused:
        reading.read_columns(ContactImport(mapping={}), cast(BinaryIO, endless))
    assert (refused.value.code, refused.value.line) == ("line_too_long", 1)
    assert endless.largest <= 2 * 1024 * 1024
