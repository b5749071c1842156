"""Templates of a workspace: placeholders only, escaped, bounded, and never a reason to fail."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.channels import richtext
from backend.services.texts import templates

DATA = {
    "name": "Kim & Söhne <b>",
    "order": {"id": 1234, "items": [{"title": "Coffee"}, {"title": "Tea"}], "paid": True},
    "empty": "",
    "lines": "one\ntwo",
    "url": "https://example.com/?a=1&b=2",
    "evil": "javascript:alert(1)",
    "__class__": "plain key",
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("Hello", "Hello"),
        ("Order {order.id}", "Order 1234"),
        ("{order.items.1.title}", "Tea"),
        ("{order.items.7.title|nothing}", "nothing"),
        ("{missing}", ""),
        ("{missing|a friend}", "a friend"),
        ("{empty|nobody}", "nobody"),
        ("{order|x}", "x"),
        ("{order.paid}", "true"),
        ("{name}", "Kim &amp; Söhne &lt;b&gt;"),
        ("<b>{name}</b>", "<b>Kim &amp; Söhne &lt;b&gt;</b>"),
        ("{lines}", "one\ntwo"),
        ("{{{order.id}}} {{x}}", "{1234} {x}"),
        ("{missing|<b>}", "&lt;b&gt;"),
        ('<a href="{url}">go</a>', '<a href="https://example.com/?a=1&amp;b=2">go</a>'),
        (
            '<a href="https://x.test/{name}?q={order.id}">go</a>',
            '<a href="https://x.test/Kim%20%26%20S%C3%B6hne%20%3Cb%3E?q=1234">go</a>',
        ),
        ("{name.upper}", ""),
        ("{order.items.pop}", ""),
        ("{__class__}", "plain key"),
        ("{order.__class__.__mro__}", ""),
    ],
)
def test_placeholders(template: str, expected: str) -> None:
    assert templates.problems(template) == []
    assert templates.render(template, DATA) == expected


def test_a_link_to_anything_but_http_keeps_only_its_words() -> None:
    rendered = templates.render('<a href="{evil}">go</a>', DATA)
    assert richtext.write(richtext.read(rendered)) == "go"


@pytest.mark.parametrize(
    ("template", "code", "line", "column"),
    [
        ("", "template_empty", 1, 1),
        (" \n ", "template_empty", 1, 1),
        ("x" * 3001, "template_too_long", 1, 1),
        ("ok\n  {name", "brace_alone", 2, 3),
        ("name}", "brace_alone", 1, 5),
        ("{}", "placeholder_malformed", 1, 1),
        ("{0}", "placeholder_malformed", 1, 1),
        ("{name!r}", "placeholder_malformed", 1, 1),
        ("{name:>10}", "placeholder_malformed", 1, 1),
        ("{name()}", "placeholder_malformed", 1, 1),
        ("{name[0]}", "placeholder_malformed", 1, 1),
        ("a\nb {a..b}", "placeholder_malformed", 2, 3),
        ("{a.b.c.d.e.f.g.h.i}", "placeholder_malformed", 1, 1),
        ("{x|" + "y" * 201 + "}", "placeholder_malformed", 1, 1),
        ("{x}" * 51, "too_many_placeholders", 1, 151),
        ('<a href="javascript:x">y</a>', "link_not_http", 1, 1),
        ('ok <a href="https://{host}/">y</a>', "link_not_http", 1, 4),
        ('<a href="{scheme}://x.test">y</a>', "link_not_http", 1, 1),
        ("<a class='x'>y</a>", "link_not_http", 1, 1),
    ],
)
def test_what_is_wrong_is_named_with_its_place(template: str, code: str, line: int, column: int) -> None:
    found = templates.problems(template)
    assert [(problem.code, problem.line, problem.column) for problem in found] == [(code, line, column)]


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("https://example.com/orders/{order.id}", "https://example.com/orders/1234"),
        ("{url}", "https://example.com/?a=1&b=2"),
        ("{evil}", None),
        ("{missing}", None),
        ("{missing|https://example.com}", "https://example.com"),
        ("https://example.com/{evil}", "https://example.com/javascript%3Aalert%281%29"),
    ],
)
def test_addresses(template: str, url: str | None) -> None:
    assert templates.is_web_template(template)
    assert templates.render_url(template, DATA) == url


@pytest.mark.parametrize("template", ["ftp://x.test", "x.test", "https://{a}.test/", "{a}{b}", "https://", "{a", ""])
def test_addresses_that_could_become_anything_are_refused(template: str) -> None:
    assert not templates.is_web_template(template)


def test_long_values_are_shortened_until_one_message_holds_all() -> None:
    template = "<b>" + "{x}\n" * 50 + "</b>"
    rendered = templates.render(template, {"x": "<" * 100_000})
    shown = richtext.visible(richtext.read(rendered))
    assert richtext.utf16_length(shown) <= templates.MAX_TEXT
    assert shown.count("…") == 50
    assert rendered.endswith("</b>")


def test_a_label_is_one_short_line() -> None:
    assert templates.render_plain("Order\n{name}", DATA, 64) == "Order Kim & Söhne <b>"
    assert len(templates.render_plain("{x}", {"x": "y" * 500}, 64)) == 64


def test_the_paths_of_a_template() -> None:
    assert templates.placeholder_paths("{a} {b.c|x} {a} {{no}}") == ["a", "b.c"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    template=st.text(st.sampled_from('{}|.abc<>/"= hre:tps01\n'), max_size=60),
    data=st.dictionaries(st.sampled_from("abc"), VALUES),
)
def test_rendering_never_raises_even_for_a_template_that_is_none(template: str, data: dict[str, Any]) -> None:
    templates.problems(template)
    assert isinstance(templates.render(template, data), str)
    templates.render_url(template, data)


@settings(max_examples=200, deadline=None)
@given(value=st.text(max_size=300))
def test_a_value_can_never_add_markup(value: str) -> None:
    with_value = richtext.read(templates.render("<b>x</b>{v}<i>y</i>", {"v": value}))
    assert {run.styles for run in with_value if run.styles} == {(richtext.Style("b"),), (richtext.Style("i"),)}
