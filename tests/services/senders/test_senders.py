"""The default bot follows the environment; every bot is known by what its provider says of it."""

from __future__ import annotations

import threading

import pytest
from flask import Flask
from sqlalchemy import select

from backend.channels.errors import OutcomeUnknown, RetryLater, SenderDisabled
from backend.core import clock, events
from backend.core.database import db, system_scope
from backend.core.errors import Invalid
from backend.models import AuditEntry, JobRun, Sender, Workspace
from backend.services import linking, senders
from backend.services.auth.events import WorkspaceCreated
from backend.services.senders.events import SenderStopped
from tests.conftest import BOT_TOKEN
from tests.support import factories
from tests.support.bot_api import ME, BotApi, Refusal, settings_with
from tests.support.talking import commit

OTHER_TOKEN = "100001:ANOTHER-TOKEN-visibly-fake-for-tests-000"
OTHER_BOT = "200002:ANOTHER-BOT-visibly-fake-for-the-tests-00"


def rows() -> list[Sender]:
    with system_scope("a test"):
        query = select(Sender).order_by(Sender.id).execution_options(populate_existing=True)
        return list(db.session.execute(query).scalars())


def job_codes() -> list[str | None]:
    with system_scope("a test"):
        return list(db.session.execute(select(JobRun.code).order_by(JobRun.id)).scalars())


def ensure() -> Sender | None:
    made = senders.ensure_environment_sender("telegram_bot")
    commit()
    return made


# --- the environment's bot ---


def test_there_is_none_where_the_environment_names_none(app: Flask, no_bot: None) -> None:
    assert linking.default_bot() is None


def test_the_first_who_asks_finds_it_made(app: Flask) -> None:
    found = linking.default_bot()
    assert found is not None
    assert (found.source, found.workspace_id, found.credentials) == ("environment", None, BOT_TOKEN)


def test_it_is_made_once_and_belongs_to_the_first_workspace(app: Flask) -> None:
    first = factories.workspace()
    factories.workspace()
    made = ensure()
    again = ensure()
    assert made is not None
    assert again is not None
    assert made.id == again.id
    assert (made.source, made.workspace_id, made.external_id) == ("environment", first.id, "100001")
    assert made.credentials == BOT_TOKEN
    assert BOT_TOKEN.encode() not in (made.credentials_encrypted or b"")
    assert linking.default_bot() is not None


def test_the_first_workspace_adopts_it_and_no_later_one_does(app: Flask) -> None:
    made = ensure()
    assert made is not None
    assert made.workspace_id is None
    first = factories.workspace()
    with system_scope("as registration does"):
        events.publish(WorkspaceCreated(first.id))
    second = factories.workspace()
    with system_scope("as registration does"):
        events.publish(WorkspaceCreated(second.id))
    commit()
    assert rows()[0].workspace_id == first.id


def test_many_processes_that_start_together_make_one_row(app: Flask) -> None:
    gate = threading.Barrier(5)
    ids: list[int] = []

    def start() -> None:
        with app.app_context():
            gate.wait(60)
            made = ensure()
            assert made is not None
            ids.append(made.id)

    threads = [threading.Thread(target=start) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert ids == [rows()[0].id] * 5
    assert len(rows()) == 1


def test_a_new_token_goes_into_the_same_row_and_ends_a_disabling(sender: Sender) -> None:
    senders.disable(sender, "token_refused")
    commit()
    with settings_with(telegram_bot_token=OTHER_TOKEN):
        ensure()
    (row,) = rows()
    assert (row.id, row.credentials, row.is_active, row.disabled_code) == (sender.id, OTHER_TOKEN, True, None)
    assert row.username == "example_bot"


def test_another_bot_s_token_forgets_the_old_bot_s_name(sender: Sender) -> None:
    with settings_with(telegram_bot_token=OTHER_BOT):
        ensure()
    (row,) = rows()
    assert (row.external_id, row.username, row.facts) == ("200002", None, {})


def test_without_a_token_the_row_stays_and_is_switched_off_until_it_is_back(sender: Sender) -> None:
    with settings_with(telegram_bot_token=""):
        assert ensure() is None
        assert linking.default_bot() is None
        assert rows()[0].is_active is False
    ensure()
    assert rows()[0].is_active is True
    assert job_codes() == []


def test_a_refused_token_stays_refused_over_a_restart(sender: Sender) -> None:
    senders.disable(sender, "token_refused")
    commit()
    ensure()
    assert rows()[0].is_active is False
    assert linking.default_bot() is not None


# --- disabling ---


def test_the_outbox_s_news_of_a_refused_token_disables_the_bot_and_tells_the_admins_once(sender: Sender) -> None:
    for _ in range(2):
        with system_scope("as the outbox records"):
            events.publish(SenderStopped(sender.id, "token_refused"))
        commit()
    (row,) = rows()
    assert (row.is_active, row.disabled_code) == (False, "token_refused")
    assert row.disabled_at is not None
    assert job_codes() == ["token_refused"]
    with system_scope("a test"):
        entries = db.session.execute(select(AuditEntry).where(AuditEntry.action == "sender.disabled")).scalars().all()
        run = db.session.execute(select(JobRun)).scalar_one()
    assert len(entries) == 1
    assert (run.workspace_id, run.state, run.subject) == (sender.workspace_id, "failed", f"sender:{sender.id}")


def test_a_bot_that_a_person_switched_off_is_not_switched_on_by_a_new_token(home: Workspace) -> None:
    bot = factories.bot(home, is_active=False)
    senders.set_token(bot, OTHER_BOT)
    assert bot.is_active is False


def test_the_same_token_again_is_no_change(home: Workspace) -> None:
    bot = factories.bot(home)
    assert senders.set_token(bot, OTHER_BOT)
    assert not senders.set_token(bot, OTHER_BOT)


# --- probing ---


def test_a_probe_remembers_who_the_bot_is(sender: Sender, api: BotApi) -> None:
    api.answers["getMe"] = ME | {"username": "renamed_bot", "can_read_all_group_messages": True}
    senders.probe(sender)
    (row,) = rows()
    assert (row.username, row.external_id) == ("renamed_bot", "100001")
    assert row.facts["capabilities"]["can_read_all_group_messages"] is True
    assert row.facts["probed_at"]


def test_a_probe_disables_a_refused_bot_and_an_accepted_one_works_again(sender: Sender, api: BotApi) -> None:
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    with pytest.raises(SenderDisabled):
        senders.probe(sender)
    assert rows()[0].disabled_code == "token_refused"
    api.answers["getMe"] = dict(ME)
    senders.probe(sender)
    assert rows()[0].is_active is True


def test_a_probe_that_fails_for_now_changes_nothing_else(sender: Sender, api: BotApi) -> None:
    api.answers["getMe"] = Refusal(502, "Bad Gateway")
    with pytest.raises((OutcomeUnknown, RetryLater)):
        senders.probe(sender)
    (row,) = rows()
    assert (row.is_active, row.username) == (True, "example_bot")


def test_a_name_is_asked_for_once_a_day(sender: Sender, api: BotApi) -> None:
    for _ in range(3):
        assert senders.username_of(sender) == "example_bot"
    assert len(api.called("getMe")) == 1
    clock.move(86_401)
    senders.username_of(sender)
    assert len(api.called("getMe")) == 2


def test_a_known_name_stays_good_while_telegram_is_away_and_is_not_asked_for_each_time(
    sender: Sender, api: BotApi
) -> None:
    api.answers["getMe"] = Refusal(502, "Bad Gateway")
    for _ in range(3):
        assert senders.username_of(sender) == "example_bot"
    assert len(api.called("getMe")) == 1


def test_a_name_that_is_not_known_is_asked_for_each_time_while_telegram_is_away(sender: Sender, api: BotApi) -> None:
    sender.username = None
    commit()
    api.answers["getMe"] = Refusal(502, "Bad Gateway")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            senders.username_of(sender)
    assert len(api.called("getMe")) == 2


def test_a_refused_sender_has_no_name_though_it_is_known(sender: Sender, api: BotApi) -> None:
    api.answers["getMe"] = Refusal(401, "Unauthorized")
    assert senders.username_of(sender) is None
    assert senders.username_of(sender) is None
    assert len(api.called("getMe")) == 1


# --- finding ---


def test_a_sender_is_found_by_id_in_its_channel_and_whoever_owns_it(home: Workspace) -> None:
    foreign = factories.bot(factories.workspace())
    assert senders.by_id(foreign.id, channel="telegram_bot") is not None
    assert senders.by_id(foreign.id, channel="whatsapp") is None
    assert senders.by_id(999) is None


# --- webhooks ---


def test_the_default_bot_s_secret_is_the_environment_s(sender: Sender) -> None:
    assert senders.webhook_secret_of(sender) == "test-webhook-secret"
    with settings_with(telegram_webhook_secret=""):
        assert senders.webhook_secret_of(sender) == ""


def test_other_bots_have_secrets_of_their_own(home: Workspace) -> None:
    bot = factories.bot(home, secret=None)
    assert senders.webhook_secret_of(bot) == ""
    first = senders.new_webhook_secret(bot)
    assert len(first) >= 32
    assert senders.webhook_secret_of(bot) == first
    assert senders.new_webhook_secret(bot) != first


def test_addresses(home: Workspace, sender: Sender) -> None:
    bot = factories.bot(home)
    assert senders.webhook_address(sender) == "http://127.0.0.1:8000/telegram/webhook"
    assert senders.webhook_address(bot) == f"http://127.0.0.1:8000/api/telegram/webhook/{bot.id}/"
    assert senders.webhook_address(sender, "https://x.example/") == "https://x.example/telegram/webhook"


def test_registering_states_address_secret_and_kinds(sender: Sender, api: BotApi) -> None:
    assert senders.register_webhook(sender, base_url="https://x.example") == "https://x.example/telegram/webhook"
    (params,) = api.called("setWebhook")
    assert (params["url"], params["secret_token"]) == ("https://x.example/telegram/webhook", "test-webhook-secret")
    kinds = {"message", "edited_message", "callback_query", "my_chat_member"}
    assert kinds <= set(params["allowed_updates"])


def test_without_a_secret_nothing_is_registered(sender: Sender, api: BotApi) -> None:
    with settings_with(telegram_webhook_secret=""), pytest.raises(Invalid, match="TELEGRAM_WEBHOOK_SECRET"):
        senders.register_webhook(sender)
    assert api.called("setWebhook") == []


@pytest.mark.parametrize("base", ["http://x.example", "https://x.example:8000"])
def test_an_address_that_telegram_would_not_take_is_named_before_asking(sender: Sender, base: str) -> None:
    public = settings_with(telegram_api_url="https://api.telegram.org")
    with public, pytest.raises(Invalid, match="TELEGRAM_WEBHOOK_BASE_URL"):
        senders.register_webhook(sender, base_url=base)
