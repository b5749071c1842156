"""Templates of campaigns: what is refused and where, what is missing, what is filled in, who gets which variant."""

from __future__ import annotations

from collections import Counter

import pytest

from backend.core.errors import Invalid
from backend.services.campaigns import templates
from backend.services.campaigns.templates import Variant, variant_of

FIELDS = {"plan", "renewal"}


@pytest.mark.parametrize(
    ("template", "code", "line", "column"),
    [
        ("Hello {first_name.__class__}", "unknown_field", 1, 7),
        ("Hello {first_name.upper}", "unknown_field", 1, 7),
        ("Hello {company.name|you}", "unknown_field", 1, 7),
        ("Hello\n  {nickname}", "unknown_field", 2, 3),
        ("Hello {first_name!r}", "placeholder_malformed", 1, 7),
        ("Hello {first_name:>10}", "placeholder_malformed", 1, 7),
        ("Hello {0}", "placeholder_malformed", 1, 7),
        ("Hello {}", "placeholder_malformed", 1, 7),
        ("Hello {first_name", "brace_alone", 1, 7),
        ("Hello first_name}", "brace_alone", 1, 17),
        ("Hello {{% set x = 1 %}", "brace_alone", 1, 22),
        ("   ", "template_empty", 1, 1),
        ("x" * 3001, "template_too_long", 1, 1),
        ('<a href="javascript:alert(1)">x</a>', "link_not_http", 1, 1),
    ],
)
def test_what_is_refused_and_where(template: str, code: str, line: int, column: int) -> None:
    problem = templates.problems(template, FIELDS)[0]
    assert (problem.code, problem.line, problem.column) == (code, line, column)
    with pytest.raises(Invalid) as caught:
        templates.check(template, FIELDS, "steps.0.template")
    assert caught.value.code == "template_invalid"
    assert caught.value.field_errors()[0]["line"] == line
    assert caught.value.field_errors()[0]["column"] == column
    assert caught.value.field_errors()[0]["field"] == "steps.0.template"


@pytest.mark.parametrize(
    "template",
    ["Hello {first_name}", "{company|your team}", "{plan} {fields.renewal}", "Braces {{ and }}", "{unsubscribe_link}",
     "{ first_name }", "{company|}"],
)  # fmt: skip
def test_what_is_a_template(template: str) -> None:
    assert templates.problems(template, FIELDS) == []
    templates.check(template, FIELDS, "template")


def test_a_value_without_default_has_to_be_there() -> None:
    template = "{first_name}, {company|your team}, {title|}, {plan} {unsubscribe_link}"
    assert templates.required(template) == ["first_name", "plan"]
    assert templates.missing(template, {"first_name": "Ada", "plan": " "}) == ["plan"]
    assert templates.missing(template, {"first_name": "Ada", "plan": 3}) == []
    assert templates.names(template) == ["first_name", "company", "title", "plan"]


def test_values_are_escaped_and_never_templates_themselves() -> None:
    text = templates.render(
        "Hello {first_name}: {company|your team} {fields.plan}",
        {"first_name": "<b>{last_name}</b>", "plan": "{0.__class__}"},
        unsubscribe_url="https://example.com/u/x",
    )
    assert text == "Hello &lt;b&gt;{last_name}&lt;/b&gt;: your team {0.__class__}"


def test_the_unsubscribe_link_is_filled_in() -> None:
    text = templates.render(
        'No more: {unsubscribe_link} <a href="{unsubscribe_link}">here</a>',
        {},
        unsubscribe_url="https://example.com/u/x",
    )
    assert text == 'No more: https://example.com/u/x <a href="https://example.com/u/x">here</a>'


def test_variants_are_the_same_each_time_and_follow_the_weights() -> None:
    variants = [Variant("a", 1), Variant("b", 3)]
    drawn = {contact: variant_of(b"k" * 32, 7, contact, variants) for contact in range(4000)}
    assert drawn == {contact: variant_of(b"k" * 32, 7, contact, variants) for contact in range(4000)}
    counts = Counter(drawn.values())
    assert 850 < counts["a"] < 1150
    assert drawn != {contact: variant_of(b"k" * 32, 8, contact, variants) for contact in range(4000)}


def test_a_variant_that_is_off_passes_its_recipients_on() -> None:
    assert variant_of(b"k", 1, 2, [Variant("a", 1, is_on=False), Variant("b")]) == "b"
    assert variant_of(b"k", 1, 2, []) is None
