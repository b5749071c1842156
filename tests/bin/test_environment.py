"""What bin/dev makes of the environment and of `.env`."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from dotenv import dotenv_values

from launcher import environment

BASE = {"PATH": "/usr/bin"}


def test_fresh_secrets_are_the_owners_alone_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert len(environment.supply_secrets(path, {})) == 4
    assert path.stat().st_mode & 0o777 == 0o600
    values = dotenv_values(path)
    assert len(base64.urlsafe_b64decode(values["ENCRYPTION_KEYS"] or "")) == 32
    assert len({values["SECRET_KEY"], values["JWT_SECRET_KEY"], values["TELEGRAM_WEBHOOK_SECRET"]}) == 3
    before = path.read_text()
    assert environment.supply_secrets(path, {}) == []
    assert path.read_text() == before


def test_only_missing_secrets_are_added_to_a_file_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# mine\nSECRET_KEY=kept\nJWT_SECRET_KEY=\nSITE_URL=https://example.org")
    path.chmod(0o640)
    real = {"ENCRYPTION_KEYS": "set elsewhere"}
    assert environment.supply_secrets(path, real) == ["JWT_SECRET_KEY", "TELEGRAM_WEBHOOK_SECRET"]
    assert path.read_text().startswith("# mine\nSECRET_KEY=kept\nJWT_SECRET_KEY=\nSITE_URL=https://example.org\n")
    values = dotenv_values(path)
    assert values["SECRET_KEY"] == "kept"
    assert values["JWT_SECRET_KEY"]
    assert path.stat().st_mode & 0o777 == 0o640


def test_real_variables_win_and_empty_ones_count_as_unset(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("SECRET_KEY=filed\nDATABASE_URL=\nPORT=9000\nTELEGRAM_PHONE=filed\n")
    read = environment.read(BASE | {"SECRET_KEY": "real", "TELEGRAM_PHONE": ""}, path)
    assert read["SECRET_KEY"] == "real"
    assert read["TELEGRAM_PHONE"] == "filed"
    assert "DATABASE_URL" not in read
    assert read["PORT"] == "9000"
    assert read["HOST"] == "127.0.0.1"
    assert read["SITE_URL"] == "http://127.0.0.1:9000"


def test_the_projects_programs_come_first_on_the_path(tmp_path: Path) -> None:
    read = environment.read(BASE, tmp_path / ".env")
    assert read["PATH"] == f"{environment.ROOT}/.venv/bin:/usr/bin"


@pytest.mark.parametrize(
    ("variables", "simulator", "polling"),
    [
        ({}, True, False),
        ({"TELEGRAM_BOT_TOKEN": "1:x"}, False, True),
        ({"TELEGRAM_BOT_TOKEN": "1:x", "SITE_URL": "https://example.org"}, False, False),
        ({"TELEGRAM_BOT_TOKEN": "1:x", "TELEGRAM_WEBHOOK_BASE_URL": "https://example.org"}, False, False),
        (
            {
                "TELEGRAM_BOT_TOKEN": "1:x",
                "SITE_URL": "https://example.org",
                "TELEGRAM_WEBHOOK_BASE_URL": "http://10.0.0.1",
            },
            False,
            True,
        ),
        ({"TELEGRAM_BOT_CONFIGS": "[]"}, False, False),
        ({"TELEGRAM_API_URL": "http://localhost:8082"}, False, False),
    ],
)
def test_simulator_polling_or_webhook(
    tmp_path: Path, variables: dict[str, str], simulator: bool, polling: bool
) -> None:
    read = environment.read(BASE | variables, tmp_path / ".env")
    assert environment.needs_simulator(read) is simulator
    assert environment.needs_polling(read) is polling


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("192.168.1.5", "http://192.168.1.5:8000"),
    ],
)
def test_where_this_machine_reaches_the_web_process(host: str, address: str) -> None:
    assert environment.web_address({"HOST": host, "PORT": "8000"}) == address


def test_the_simulated_product_talks_to_this_machine_past_any_proxy(tmp_path: Path) -> None:
    read = environment.read(BASE | {"PORT": "8100", "SIMULATOR_PORT": "8101", "NO_PROXY": "corp"}, tmp_path / ".env")
    simulated = environment.simulated(read)
    assert simulated["TELEGRAM_API_URL"] == "http://127.0.0.1:8101"
    key = "http://127.0.0.1:8101/control/mtproto/key.pem"
    assert simulated["TELEGRAM_MTPROTO_SERVER"] == f"tcp://127.0.0.1:4430?key={key}"
    assert simulated["TELEGRAM_WEBHOOK_BASE_URL"] == "http://127.0.0.1:8100"
    assert simulated["TELEGRAM_WEBHOOK_SECRET"]
    assert simulated["NO_PROXY"] == "corp,127.0.0.1,localhost"
    assert not environment.needs_simulator(simulated)


def test_another_terminal_reads_what_was_decided(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    decided = {"DATABASE_URL": "postgresql://u:p'$w@h/d", "HOME": "/home/x", "SITE_URL": "http://127.0.0.1:1"}
    environment.publish(decided, {"HOME": "/home/x"}, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {
        "DATABASE_URL": "postgresql://u:p'$w@h/d",
        "SITE_URL": "http://127.0.0.1:1",
    }
