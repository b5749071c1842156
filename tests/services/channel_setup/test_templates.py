"""Message templates: read, followed by webhooks, previewed, and filled for sending."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zlib import crc32

import pytest
from sqlalchemy import select

from backend.channels.inbound import AccountChanged
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import AppError, Conflict, Invalid, NotFound, TooManyRequests, Unavailable
from backend.models import ChannelSetup, MessageTemplate, Sender
from backend.services.channel_setup import account_changed, template_texts, templates
from tests.services.channel_setup.integrations import BY
from tests.support import factories
from tests.support.graph_api import WABA_ID, Call, Graph, Refusal

LISTED = f"GET {WABA_ID}/message_templates"
COMPONENTS: list[dict[str, Any]] = [
    {"type": "HEADER", "format": "TEXT", "text": "Viewing on {{1}}"},
    {"type": "BODY", "text": "Hello {{1}}, we meet at {{2}}. See you, {{1}}!"},
    {"type": "FOOTER", "text": "Harbour Row"},
    {
        "type": "BUTTONS",
        "buttons": [
            {"type": "QUICK_REPLY", "text": "Confirm"},
            {"type": "URL", "text": "Map", "url": "https://example.com/{{1}}"},
        ],
    },
]
GOOD = {"header.1": "Friday", "1": "Mina", "2": "3 pm", "button.1": "a1"}


def entry(name: str = "reminder", language: str = "en", **changes: Any) -> dict[str, Any]:
    known = {
        "id": f"9{crc32(f'{name}:{language}'.encode())}",
        "name": name,
        "language": language,
        "status": "APPROVED",
        "category": "UTILITY",
        "quality_score": {"score": "GREEN"},
        "rejected_reason": "NONE",
        "components": COMPONENTS,
    }
    return known | changes


def refresh(sender: Sender) -> int:
    count = templates.refresh(BY, sender.id)
    db.session.commit()
    return count


def rows(sender: Sender) -> list[MessageTemplate]:
    listed, _ = templates.listing(sender.id)
    return listed


def changed(sender: Sender, kind: str, ago: timedelta = timedelta(0), **facts: Any) -> None:
    with system_scope("a test"):
        account_changed(sender, AccountChanged(kind, facts, clock.now() - ago))
        db.session.commit()


def test_templates_are_read_page_by_page_and_kept(graph: Graph, number: Sender) -> None:
    def pages(call: Call) -> dict[str, Any]:
        if call.query.get("after") == "B":
            return {"data": [entry("second"), entry("reminder", "ko", status="PENDING")], "paging": {"cursors": {}}}
        return {"data": [entry()], "paging": {"cursors": {"after": "B"}, "next": "https://graph.example/x"}}

    graph.answers[LISTED] = pages
    assert refresh(number) == 3
    known = {(row.name, row.language): row.state for row in rows(number)}
    assert known == {("reminder", "en"): "approved", ("second", "en"): "approved", ("reminder", "ko"): "pending"}
    graph.answers[LISTED] = {"data": [entry(status="PAUSED", rejected_reason="ABUSIVE_CONTENT")]}
    assert refresh(number) == 1
    (row,) = rows(number)
    assert (row.state, row.reason, row.category, row.quality) == ("paused", "abusive_content", "utility", "green")


def test_a_cursor_that_goes_in_circles_ends(graph: Graph, number: Sender) -> None:
    graph.answers[LISTED] = {"data": [entry()], "paging": {"cursors": {"after": "A"}, "next": "https://x.example"}}
    assert refresh(number) == 1
    assert len(graph.called(LISTED)) == 2


def test_reading_again_changes_no_row_that_is_the_same(graph: Graph, number: Sender) -> None:
    graph.answers[LISTED] = {"data": [entry()]}
    refresh(number)
    before = rows(number)[0].changed_at
    clock.move(3600)
    refresh(number)
    assert rows(number)[0].changed_at == before


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Refusal(401, 190, "Revoked"), Invalid),
        (Refusal(400, 80008, "Too many calls"), TooManyRequests),
        (Refusal(500), Unavailable),
        (b"<html>", Unavailable),
        ({"data": {"name": "x"}}, Unavailable),
    ],
)
def test_what_could_not_be_read_leaves_what_was_known(
    graph: Graph, number: Sender, answer: Any, kind: type[AppError]
) -> None:
    graph.answers[LISTED] = {"data": [entry()]}
    refresh(number)
    graph.answers[LISTED] = answer
    with pytest.raises(kind):
        templates.refresh(BY, number.id)
    db.session.rollback()
    assert len(rows(number)) == 1


def test_absurd_templates_are_passed_over(graph: Graph, number: Sender) -> None:
    absurd = [None, 1, {}, {"id": [], "name": 3}, entry("odd", components="x", quality_score=[], status={}), entry()]
    graph.answers[LISTED] = {"data": [*absurd, entry()]}
    assert refresh(number) == 2
    odd = templates.find(number.id, "odd", "en")
    assert odd is not None
    assert (odd.state, odd.components, odd.quality) == ("unknown", [], None)
    assert templates.shape_of(odd).keys == ()


def test_only_whatsapp_has_templates(page: Sender) -> None:
    with pytest.raises(Conflict, match="not_whatsapp"):
        templates.refresh(BY, page.id)


def test_another_workspaces_templates_are_not_found(graph: Graph, number: Sender) -> None:
    graph.answers[LISTED] = {"data": [entry()]}
    refresh(number)
    template_id = rows(number)[0].id
    other = factories.workspace()
    db.session.commit()
    with workspace_scope(other.id):
        assert templates.find_approved(number.id, "reminder", "en") is None
        with pytest.raises(NotFound):
            templates.get(number.id, template_id)
        with pytest.raises(NotFound):
            templates.listing(number.id)


def test_states_quality_and_category_follow_webhooks(graph: Graph, number: Sender) -> None:
    graph.answers[LISTED] = {"data": [entry()]}
    refresh(number)
    template_id = rows(number)[0].external_id
    clock.move(60)
    changed(number, "message_template_status_update", event="PAUSED", message_template_id=template_id, reason="NONE")
    changed(number, "message_template_quality_update", message_template_id=int(template_id), new_quality_score="RED")
    changed(number, "template_category_update", message_template_id=template_id, new_category="MARKETING")
    row = rows(number)[0]
    assert (row.state, row.quality, row.category, row.reason) == ("paused", "red", "marketing", None)
    assert templates.find_approved(number.id, "reminder", "en") is None
    # One that was delivered days late does not take it back.
    late = timedelta(days=3)
    changed(number, "message_template_status_update", late, event="APPROVED", message_template_id=template_id)
    assert rows(number)[0].state == "paused"


@pytest.mark.parametrize(
    "facts", [{}, {"message_template_id": []}, {"message_template_id": "1"}, {"event": {"a": 1}, "x": None}]
)
def test_an_event_that_says_too_little_has_the_templates_read_again(
    graph: Graph, number: Sender, facts: dict[str, Any]
) -> None:
    refresh(number)
    changed(number, "message_template_status_update", **facts)
    with system_scope("a test"):
        setup = db.session.execute(select(ChannelSetup).execution_options(populate_existing=True)).scalar_one()
    assert setup.templates_at is None
    assert setup.check_at <= clock.now()


def test_what_is_said_of_the_account_has_it_checked(graph: Graph, number: Sender) -> None:
    changed(number, "phone_number_quality_update", event="FLAGGED", current_limit="TIER_1K", nested={"a": 1})
    changed(number, "phone_number_quality_update", timedelta(days=1), event="UNFLAGGED")
    with system_scope("a test"):
        setup = db.session.execute(select(ChannelSetup).execution_options(populate_existing=True)).scalar_one()
    known = setup.account["phone_number_quality_update"]
    assert (known["event"], known["current_limit"], "nested" in known) == ("FLAGGED", "TIER_1K", False)


def test_a_preview_shows_values_and_what_is_missing() -> None:
    shape = template_texts.shape_of(COMPONENTS)
    assert shape.keys == ("header.1", "1", "2", "button.1")
    shown = template_texts.preview(shape, GOOD)
    assert shown.text == "Viewing on Friday\n\nHello Mina, we meet at 3 pm. See you, Mina!\n\nHarbour Row"
    assert (shown.buttons, shown.missing) == (("Confirm", "Map"), ())
    some = template_texts.preview(shape, ["Friday", "Mina"])
    assert some.body == "Hello Mina, we meet at {{2}}. See you, Mina!"
    assert some.missing == ("2", "button.1")


def test_values_come_by_their_keys_or_in_their_order() -> None:
    shape = template_texts.shape_of(COMPONENTS)
    by_key = template_texts.content_of("reminder", "en", shape, GOOD)
    assert by_key == template_texts.content_of("reminder", "en", shape, ["Friday", "Mina", "3 pm", "a1"])
    assert by_key.template is not None
    assert (by_key.template.header, by_key.template.body) == (("Friday",), ("Mina", "3 pm"))
    assert by_key.template.components == (
        {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "a1"}]},
    )


def test_variables_with_names_are_sent_by_their_names() -> None:
    shape = template_texts.shape_of([{"type": "BODY", "text": "Hi {{first_name}}, order {{order}}"}])
    content = template_texts.content_of("x", "en", shape, {"first_name": "Mina", "order": "7"})
    assert content.template is not None
    assert content.template.body == ()
    (component,) = content.template.components
    assert component["parameters"] == [
        {"type": "text", "parameter_name": "first_name", "text": "Mina"},
        {"type": "text", "parameter_name": "order", "text": "7"},
    ]


def test_a_header_of_a_file_takes_its_address() -> None:
    shape = template_texts.shape_of([{"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "Hi"}])
    assert shape.keys == ("header",)
    content = template_texts.content_of("x", "en", shape, ["https://example.com/a.jpg"])
    assert content.template is not None
    assert content.template.components[0]["parameters"][0]["image"] == {"link": "https://example.com/a.jpg"}
    with pytest.raises(Invalid) as caught:
        template_texts.content_of("x", "en", shape, ["http://example.com/a.jpg"])
    assert caught.value.field_errors()[0]["code"] == "bad_media_address"


@pytest.mark.parametrize(
    ("values", "code", "place"),
    [
        ({**GOOD, "2": " "}, "missing_variable", "template.variables.2"),
        ({**GOOD, "3": "x"}, "unknown_variable", "template.variables.3"),
        ({**GOOD, "1": "x" * 1025}, "variable_too_long", "template.variables.1"),
        ({**GOOD, "1": "a\nb"}, "variable_has_breaks", "template.variables.1"),
        (["a", "b", "c", "d", "e"], "too_many_variables", "template.variables"),
    ],
)
def test_values_that_cannot_be_sent_are_named(values: Any, code: str, place: str) -> None:
    with pytest.raises(Invalid) as caught:
        template_texts.content_of("x", "en", template_texts.shape_of(COMPONENTS), values)
    assert [(fault["field"], fault["code"]) for fault in caught.value.field_errors()] == [(place, code)]


def test_only_an_approved_template_is_sent(graph: Graph, number: Sender) -> None:
    graph.answers[LISTED] = {"data": [entry(), entry("other", status="REJECTED")]}
    refresh(number)
    assert templates.require_approved(number.id, "reminder", "en").name == "reminder"
    for name, code in (("other", "template_not_approved"), ("none", "template_not_found")):
        with pytest.raises(Invalid, match=code):
            templates.require_approved(number.id, name, "en")
