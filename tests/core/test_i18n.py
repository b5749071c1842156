"""Texts by code and locale: both languages say the same things."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.core import i18n


def test_every_locale_has_the_same_codes() -> None:
    codes = {locale: set(i18n.catalog(locale)) for locale in i18n.LOCALES}
    assert codes["en"]
    assert codes["en"] == codes["ko"]


def test_every_locale_has_the_same_placeholders() -> None:
    english, korean = (
        {code: i18n.placeholders(text) for code, text in i18n.catalog(one).items()} for one in ("en", "ko")
    )
    assert {code for code in english if english[code] != korean[code]} == set()


@pytest.mark.parametrize("locale", i18n.LOCALES)
def test_no_text_has_a_brace_that_is_no_placeholder(locale: str) -> None:
    for code, entry in i18n.catalog(locale).items():
        for form in [entry] if isinstance(entry, str) else entry.values():
            left = i18n._PLACEHOLDER.sub("", form)
            assert not {"{", "}"} & set(left), code
            assert form.strip() == form, code


@pytest.mark.parametrize("locale", i18n.LOCALES)
def test_every_locale_has_the_same_files(locale: str) -> None:
    names = {path.name for path in (i18n._FOLDER / locale).iterdir()}
    assert names == {path.name for path in (i18n._FOLDER / i18n.DEFAULT).iterdir()}


def test_placeholders_are_filled_and_whole_numbers_grouped() -> None:
    assert i18n.text("notifications.likes", "ko", likes=1234567) == "좋아요: 1,234,567"
    assert i18n.text("notifications.likes", "en", likes="1234567") == "Likes: 1234567"


def test_values_are_not_filled_again() -> None:
    assert i18n.text("notifications.content", "en", content="{content} {x}") == "📝 {content} {x}"


def test_html_escapes_the_values_only() -> None:
    assert i18n.html("notifications.error", "en", error='<b>&"') == "⚠️ Error: &lt;b&gt;&amp;&quot;"


@pytest.mark.parametrize(
    ("locale", "count", "shown"),
    [("en", 1, "1 post"), ("en", 0, "0 posts"), ("en", 2, "2 posts"), ("ko", 1, "1 게시"), ("ko", 1200, "1,200 게시")],
)
def test_plural_forms(locale: str, count: int, shown: str) -> None:
    assert i18n.text("notifications.summary.posts", locale, count=count) == shown


@pytest.mark.parametrize(
    ("tag", "locale"),
    [("ko", "ko"), ("ko-KR", "ko"), ("KO_kr", "ko"), ("en-GB", "en"), ("fr", "en"), ("", "en"), (None, "en")],
)
def test_the_nearest_locale_is_taken(tag: str | None, locale: str) -> None:
    assert i18n.negotiate(tag) == locale


def test_an_unknown_code_and_a_missing_value_are_errors() -> None:
    with pytest.raises(KeyError):
        i18n.text("notifications.no_such_code", "en")
    with pytest.raises(KeyError):
        i18n.text("notifications.likes", "en")
    with pytest.raises(TypeError):
        i18n.text("notifications.summary.posts", "en", count="many")


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("{", "sample.json"),
        ("[]", "not an object"),
        ('{"sample.a": 1}', "not a text"),
        ('{"sample.a": {}}', "not a text"),
        ('{"sample.a": {"one": "x"}}', "other"),
        ('{"other.a": "x"}', "does not begin"),
        ('{"sample.a": "x", "sample.a": "y"}', "twice"),
    ],
)
def test_a_malformed_catalog_is_named(tmp_path: Path, written: str, complaint: str) -> None:
    path = tmp_path / "sample.json"
    path.write_text(written, encoding="utf-8")
    with pytest.raises(i18n.CatalogError, match=complaint):
        i18n.read(path)
