"""The built-in texts, byte for byte, and what happens to data that is missing, foreign or hostile."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.channels import richtext
from backend.core import i18n
from backend.services.notifications import platforms, texts
from backend.services.texts import values

AT = datetime(2026, 2, 26, 10, 30, tzinfo=UTC)
GOLDEN = Path(__file__).parent / "golden"
DATA: dict[str, dict[str, Any]] = {
    "post_success": {
        "platform": "instagram",
        "content": "오늘의 커피 ☕",
        "likes": 1234,
        "comments": 56,
        "post_url": "https://www.instagram.com/p/abc123/",
    },
    "post_failure": {"platform": "Instagram", "error": "Media posted before has expired"},
    "automation_executed": {
        "automation_name": "매일 아침 게시",
        "platforms": ["Instagram", "Twitter"],
        "execution_time": "2.3초",
    },
    "daily_summary": {
        "total_posts": 5,
        "successful_posts": 5,
        "failed_posts": 0,
        "total_engagement": 2345,
        "platforms": {
            "Instagram": {"posts": 3, "engagement": 1234},
            "Twitter": {"posts": 2, "engagement": 1111},
        },
    },
}


def shown(type_name: str, data: Any, locale: str = "ko", at: datetime = AT) -> str:
    content = texts.render(type_name, data, at, locale)
    assert content.format == "html"
    return html.unescape(content.text)


@pytest.mark.parametrize("locale", i18n.LOCALES)
@pytest.mark.parametrize("type_name", texts.BUILT_IN)
def test_the_layouts_byte_for_byte(type_name: str, locale: str) -> None:
    expected = (GOLDEN / f"{type_name}.{locale}.txt").read_bytes()
    assert texts.render(type_name, DATA[type_name], AT, locale).text.encode() == expected


@pytest.mark.parametrize("locale", i18n.LOCALES)
def test_the_test_message_byte_for_byte(locale: str) -> None:
    assert texts.test_message(locale).text.encode() == (GOLDEN / f"test.{locale}.txt").read_bytes()


def test_times_are_utc_whatever_zone_they_come_in() -> None:
    seoul = AT.astimezone(timezone(timedelta(hours=9)))
    assert shown("post_success", DATA["post_success"], at=seoul) == shown("post_success", DATA["post_success"])


@pytest.mark.parametrize(
    ("type_name", "data", "expected"),
    [
        ("post_success", {}, "✅ SNS 게시 완료\n\n⏰ 2026-02-26 10:30:00 UTC"),
        ("post_success", {"likes": 0}, "✅ SNS 게시 완료\n\n👥 좋아요: 0\n⏰ 2026-02-26 10:30:00 UTC"),
        ("post_success", {"comments": "12,345"}, "✅ SNS 게시 완료\n\n👥 댓글: 12,345\n⏰ 2026-02-26 10:30:00 UTC"),
        (
            "post_failure",
            {},
            "❌ SNS 게시 실패\n\n⏰ 2026-02-26 10:30:00 UTC\n\n자세한 내용은 대시보드에서 확인하세요.",
        ),
        ("automation_executed", {}, "🤖 자동화 규칙 실행\n\n✅ 상태: 완료\n📅 2026-02-26 10:30:00 UTC"),
        (
            "automation_executed",
            {"platforms": "tiktok", "execution_time": 2.5},
            "🤖 자동화 규칙 실행\n\n📱 플랫폼: TikTok\n✅ 상태: 완료\n⏰ 실행 시간: 2.5\n📅 2026-02-26 10:30:00 UTC",
        ),
        ("daily_summary", {}, "📊 일일 SNS 리포트\n\n📅 2026-02-26"),
        ("daily_summary", {"date": "2026-02-25"}, "📊 일일 SNS 리포트\n\n📅 2026-02-25"),
        (
            "daily_summary",
            {"total_posts": "1200", "platforms": {"mastodon": {"posts": 1}, "x": {"engagement": 9}, "y": {}, "z": 3}},
            "📊 일일 SNS 리포트\n\n📝 게시물: 1,200개\n\n플랫폼별 통계:\n📱 mastodon: 1 게시\n🐦 X: 👥 9\n\n"
            "📅 2026-02-26",
        ),
    ],
)
def test_lines_without_data_fall_away(type_name: str, data: dict[str, Any], expected: str) -> None:
    assert shown(type_name, data) == expected


@pytest.mark.parametrize("junk", [None, True, [], {}, [1], {"a": 1}, "", "   ", "\x00", float("nan"), 10**400])
@pytest.mark.parametrize("type_name", texts.BUILT_IN)
def test_unusable_values_are_as_good_as_missing(type_name: str, junk: Any) -> None:
    keys = DATA[type_name]
    assert shown(type_name, dict.fromkeys(keys, junk)) == shown(type_name, {})


@pytest.mark.parametrize("data", [None, [], "text", 5, [[]]])
@pytest.mark.parametrize("type_name", texts.BUILT_IN)
def test_data_that_is_no_object_counts_as_empty(type_name: str, data: Any) -> None:
    assert shown(type_name, data) == shown(type_name, {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEYS = sorted({key for data in DATA.values() for key in data} | {"date", "posts", "engagement"})


@settings(max_examples=300, deadline=None)
@given(
    type_name=st.sampled_from(texts.BUILT_IN),
    data=st.dictionaries(st.sampled_from(KEYS), JSON),
    locale=st.sampled_from(i18n.LOCALES),
)
def test_no_data_makes_it_raise_or_grow(type_name: str, data: dict[str, Any], locale: str) -> None:
    content = texts.render(type_name, data, AT, locale)
    assert content.text.encode("utf-8")
    assert richtext.utf16_length(html.unescape(content.text)) < 4096
    assert "<" not in content.text


def test_markup_in_data_is_shown_as_written() -> None:
    content = texts.render("post_failure", {"error": "<b>no & <a href='x'>y</a>"}, AT, "en")
    assert "⚠️ Error: &lt;b&gt;no &amp; &lt;a href='x'&gt;y&lt;/a&gt;" in content.text


def test_data_cannot_add_lines_of_its_own() -> None:
    assert "📝 one ✅ Status: completed" in shown("post_success", {"content": "one\r\n\n✅ Status:\u2028completed"})


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "ftp://example.com/x",
        "//example.com",
        "https://",
        "https:// example.com",
        "http://[::1",
        "https://example.com/\nx",
        "tg://resolve?domain=x",
        "https://example.com/" + "x" * 3000,
        5,
    ],
)
def test_only_http_links_are_shown(address: Any) -> None:
    assert "🔗" not in shown("post_success", {"post_url": address})


def test_a_long_text_is_cut_between_graphemes() -> None:
    family = "👨‍👩‍👧‍👦"
    cut = values.line(family * 300, texts.PREVIEW)
    assert cut is not None
    assert cut.endswith("…")
    assert cut[:-1] == family * (len(cut[:-1]) // len(family))
    assert values.line("가" * 200, 200) == "가" * 200
    assert values.line("가" * 201, 200) == "가" * 199 + "…"


@pytest.mark.parametrize("cluster", ["e\u0301", "🇰🇷", "👍🏽", "1️⃣", "각", "👩🏽‍💻"])
def test_no_cluster_is_split(cluster: str) -> None:
    for padding in range(4):
        cut = values.preview("." * padding + cluster * 10, 5)
        assert cut == "." * padding + cluster * (4 - padding) + "…"


def test_a_single_endless_cluster_is_bounded() -> None:
    shown = values.preview("x" + "\u0301" * 10_000, 200)
    assert shown.endswith("…")
    assert len(shown) <= 200 * 3 + 40 + 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1234, 1234),
        (12.0, 12),
        (12.5, 12.5),
        ("1234", 1234),
        (" 1,234 ", 1234),
        ("1,234.5", 1234.5),
        ("-3", -3),
        ("12,34", None),
        ("many", None),
        ("", None),
        ("１２", None),
        (True, None),
        ([], None),
        (float("inf"), None),
        (10**16, None),
        ("9" * 5000, None),
    ],
)
def test_numbers_are_read_from_what_programs_send(value: Any, expected: Any) -> None:
    assert values.number(value) == expected


@pytest.mark.parametrize(
    ("name", "emoji", "display"),
    [
        ("Instagram", "📸", "Instagram"),
        ("TWITTER", "🐦", "Twitter"),
        ("x", "🐦", "X"),
        ("tik_tok", "🎵", "TikTok"),
        ("naver blog", "📗", "Naver Blog"),
        ("MySpace", "📱", "MySpace"),
    ],
)
def test_each_platform_has_its_emoji(name: str, emoji: str, display: str) -> None:
    assert (platforms.emoji(name), platforms.display_name(name)) == (emoji, display)


def test_python_objects_become_json_that_can_be_stored() -> None:
    assert values.plain_json({"at": AT, 1: {2}, "b": b"x", "t": (1,), "n": float("inf"), "s": "a\x00\ud800"}) == {
        "at": str(AT),
        "1": [2],
        "b": "b'x'",
        "t": [1],
        "n": None,
        "s": "a\ufffd\ufffd",
    }


def test_endless_nesting_ends() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    assert str(values.plain_json(deep)).count("[") == 32


def test_the_link_of_an_attachment_that_cannot_be_sent_is_the_last_line() -> None:
    content = texts.with_link(texts.test_message("en"), "https://example.com/?a=1&b=2", "en")
    assert content.text.endswith("✅\n\n📎 https://example.com/?a=1&amp;b=2")
