"""What a form says of what was refused: one translator for all forms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, g

from backend.core import i18n
from backend.core.errors import Conflict, Invalid
from backend.http.console import alerts, bots, campaigns, contacts, notifications, scheduler, telegram
from backend.http.console.accounts import forms as account_forms
from backend.http.console.alerts.forms import POLICY, SILENCE
from backend.http.console.bots import forms as bot_forms
from backend.http.console.campaigns import forms as campaign_forms
from backend.http.console.channels import forms as channel_forms
from backend.http.console.contacts import forms as contact_forms
from backend.http.console.contacts import import_forms
from backend.http.console.kit import form_errors
from backend.http.console.notifications import forms as type_form
from backend.http.console.outgoing_webhooks import forms as webhook_forms
from backend.http.console.scheduler import forms as message_form
from backend.http.console.telegram import forms as settings_form

FORMS = [
    POLICY,
    SILENCE,
    bot_forms.FORM,
    bot_forms.TEST_FORM,
    channel_forms.FORM,
    channel_forms.PIN_FORM,
    webhook_forms.ENDPOINT,
    webhook_forms.TOKEN,
    type_form.FORM,
    message_form.FORM,
    settings_form.FORM,
    contact_forms.CONTACT,
    contact_forms.POINT,
    contact_forms.CONSENT,
    contact_forms.LIFT,
    contact_forms.FIELD,
    contact_forms.SETTINGS,
    contact_forms.SEGMENT,
    contact_forms.TAG,
    import_forms.FILE,
    import_forms.COLUMNS,
    import_forms.READING,
    account_forms.FORM,
    campaign_forms.CAMPAIGN,
    campaign_forms.CHECK,
]


@pytest.fixture(params=i18n.LOCALES)
def locale(app: Flask, request: pytest.FixtureRequest) -> Iterator[str]:
    with app.test_request_context("/console/"):
        g.locale = request.param
        yield request.param


def refusal(field: str, code: str, **more: object) -> Invalid:
    return Invalid(detail=[{"field": field, "code": code, "message": "As the service says it.", **more}])


@pytest.mark.parametrize("form", FORMS, ids=[form.name or "telegram" for form in FORMS])
def test_a_malformed_field_is_told_by_its_own_name(locale: str, form: form_errors.Form) -> None:
    for path, label in form.labels.items():
        name = form.field_of(path)
        (found,) = form_errors.by_field(refusal(path, "string_type"), form).items()
        assert found[0] == name
        assert i18n.text(label, locale) in found[1]


def test_only_chats_are_told_what_chats_look_like(locale: str) -> None:
    for field in ("name", "escalate_bot_name", "locale", "position"):
        found = form_errors.by_field(refusal(field, "string_pattern_mismatch"), POLICY)
        assert "-1001234567890" not in found[field]
    found = form_errors.by_field(refusal("escalate_chat_ids.0", "string_pattern_mismatch"), POLICY)
    assert "-1001234567890" in found["escalate_chat_ids"]


def test_what_is_wrong_with_a_row_stands_at_the_row_and_names_its_part(locale: str) -> None:
    found = form_errors.by_field(refusal("matchers.2.value", "string_too_long"), SILENCE)
    assert list(found) == ["matchers.2"]
    assert i18n.text("console_alerts.matcher.its_value", locale) in found["matchers.2"]


def test_a_form_has_its_own_words_for_a_code(locale: str) -> None:
    of_a_silence = form_errors.by_field(refusal("ends_at", "past_date"), SILENCE)["ends_at"]
    of_a_plan = form_errors.by_field(refusal("run_at", "past_date"), message_form.FORM)["run_at"]
    assert of_a_silence != of_a_plan


def test_a_code_without_words_has_those_of_the_service_beside_the_fields_name(locale: str) -> None:
    text = form_errors.by_field(refusal("name", "never_heard_of"), POLICY)["name"]
    assert "As the service says it." in text
    assert i18n.text("console_alerts.policy.name", locale) in text
    assert form_errors.message_of(Invalid("never_heard_of", "Not so.")) == "Not so."


def test_a_refusal_without_fields_stands_where_the_form_says(locale: str) -> None:
    assert list(form_errors.by_field(Conflict("policy_exists", "Taken."), POLICY)) == ["name"]
    assert list(form_errors.by_field(Conflict("too_many_policies", "Full."), POLICY)) == [""]


def test_a_fault_in_a_text_says_where_it_is(locale: str) -> None:
    found = form_errors.by_field(refusal("templates.ko", "brace_alone", line=2, column=7), type_form.FORM)
    assert list(found) == ["template_ko"]
    assert re.search(r"2.*7", found["template_ko"])


def test_every_label_of_a_form_exists() -> None:
    for form in FORMS:
        assert set(form.labels.values()) <= set(i18n.catalog("en"))


def test_words_for_one_form_name_a_form_and_a_code_that_there_are() -> None:
    """A form's own words are found by its name: a misspelled one would never be said."""
    names = {form.name for form in FORMS}
    fields = {form_errors.first_part(form.field_of(path)) for form in FORMS for path in form.labels}
    for code in i18n.catalog("en"):
        if code.startswith("console_faults.") and code.count(".") > 1:
            assert code.split(".")[1] in names | fields, code


def test_no_page_translates_faults_by_itself() -> None:
    for package in (alerts, bots, campaigns, contacts, notifications, scheduler, telegram):
        for path in Path(str(package.__file__)).parent.glob("*.py"):
            source = path.read_text(encoding="utf-8")
            assert "error.detail" not in source or path.name == "contents.py", path
    catalogs = Path(i18n.__file__).parent.parent / "locales/en"
    for path in catalogs.glob("console*.json"):
        if path.stem != "console_faults":
            assert not [code for code in json.loads(path.read_text(encoding="utf-8")) if ".fault." in code], path
