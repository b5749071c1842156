"""The environment that `bin/dev` gives its processes: real variables, then `.env`, then defaults."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from simulator import demo
from simulator.graph import demo as graph_demo

ROOT = Path(__file__).resolve().parents[2]
VAR = ROOT / "var"

#: What a running `bin/dev` decided (addresses of its servers), for `bin/run` in another terminal.
RUNNING = VAR / "dev.json"
_META = ("META_GRAPH_URL", "META_APP_SECRET", "META_ACCESS_TOKEN", "META_PAGE_ACCESS_TOKEN", "INSTAGRAM_ACCESS_TOKEN")

_HEADING = "# Made by bin/dev. .env.example says what else can stand here; real variables win.\n"


def _fresh_secrets() -> dict[str, str]:
    return {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "JWT_SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "TELEGRAM_WEBHOOK_SECRET": secrets.token_urlsafe(32),
    }


def supply_secrets(path: Path, real: Mapping[str, str]) -> list[str]:
    """Write fresh secrets to `.env` for those set neither there nor really. Which ones; a new file is 0600.

    What the file says stays as it is; a new one appears complete or not at all.
    """
    path = path.resolve()
    values = dotenv_values(path)
    fresh = {n: v for n, v in _fresh_secrets().items() if not (real.get(n) or values.get(n))}
    if not fresh:
        return []
    before = path.read_text().rstrip("\n") + "\n" if path.exists() else _HEADING
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(before + "".join(f"{name}={value}\n" for name, value in fresh.items()))
    if path.exists():
        draft.chmod(path.stat().st_mode & 0o777)
    draft.rename(path)
    return list(fresh)


def read(real: Mapping[str, str], env_file: Path) -> dict[str, str]:
    """Real variables over the file's; an empty one counts as unset. Our programs are on the PATH."""
    filed = {name: value for name, value in dotenv_values(env_file).items() if value}
    merged = filed | {name: value for name, value in real.items() if value}
    merged["PATH"] = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{merged.get('PATH', os.defpath)}"
    merged["VIRTUAL_ENV"] = str(ROOT / ".venv")
    merged["PYTHONUNBUFFERED"] = "1"
    merged.setdefault("DEVELOPMENT", "true")
    merged.setdefault("HOST", "127.0.0.1")
    merged.setdefault("PORT", "8000")
    merged.setdefault("SIMULATOR_PORT", "8081")
    merged.setdefault("SIMULATOR_MTPROTO_PORT", "4430")
    merged.setdefault("SITE_URL", web_address(merged))
    return merged


def web_address(environment: Mapping[str, str]) -> str:
    """Where this machine reaches the web process."""
    host = environment["HOST"]
    if host in ("0.0.0.0", "::"):  # noqa: S104 (every interface: reached here through loopback)
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{environment['PORT']}"


def simulator_address(environment: Mapping[str, str]) -> str:
    """Where this machine reaches the simulator."""
    return f"http://127.0.0.1:{environment['SIMULATOR_PORT']}"


def mtproto_server(environment: Mapping[str, str]) -> str:
    """Where this machine reaches the simulator's server for people's accounts, with the address of its public key."""
    port = environment["SIMULATOR_MTPROTO_PORT"]
    return f"tcp://127.0.0.1:{port}?key={simulator_address(environment)}/control/mtproto/key.pem"


def needs_simulator(environment: Mapping[str, str]) -> bool:
    """Whether nothing in the environment says how to reach Telegram."""
    return not any(environment.get(name) for name in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_BOT_CONFIGS", "TELEGRAM_API_URL"))


def needs_polling(environment: Mapping[str, str]) -> bool:
    """Whether there is a bot that Telegram cannot call: no public https address."""
    public = environment.get("TELEGRAM_WEBHOOK_BASE_URL") or environment["SITE_URL"]
    return bool(environment.get("TELEGRAM_BOT_TOKEN")) and urlsplit(public).scheme != "https"


def simulated(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a product whose Telegram is the simulator of this machine."""
    local = "127.0.0.1,localhost"
    return _simulated_meta(environment) | {
        "NO_PROXY": ",".join(filter(None, [environment.get("NO_PROXY", environment.get("no_proxy")), local])),
        "TELEGRAM_API_URL": simulator_address(environment),
        "TELEGRAM_BOT_TOKEN": demo.TOKEN,
        "TELEGRAM_MTPROTO_SERVER": mtproto_server(environment),
        "TELEGRAM_WEBHOOK_BASE_URL": web_address(environment),
        "TELEGRAM_WEBHOOK_SECRET": environment.get("TELEGRAM_WEBHOOK_SECRET") or secrets.token_urlsafe(32),
    }


def _simulated_meta(environment: Mapping[str, str]) -> dict[str, str]:
    """With the simulator's application, number, page and account, unless the environment names some of Meta's."""
    if any(environment.get(name) for name in _META):
        return dict(environment)
    return dict(environment) | {
        "META_GRAPH_URL": f"{simulator_address(environment)}/graph",
        "META_APP_ID": graph_demo.APP_ID,
        "META_APP_SECRET": graph_demo.APP_SECRET,
        "META_ACCESS_TOKEN": graph_demo.TOKEN,
        "META_PHONE_NUMBER_ID": graph_demo.NUMBER_ID,
        "META_WABA_ID": graph_demo.WABA_ID,
        "META_PAGE_ACCESS_TOKEN": graph_demo.PAGE_TOKEN,
        "VERIFY_TOKEN": graph_demo.VERIFY_TOKEN,
    }


def publish(environment: Mapping[str, str], base: Mapping[str, str], path: Path = RUNNING) -> None:
    """Write what differs from `base` (the variables that were there before) for `bin/run`; owner only."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        decided = {name: value for name, value in environment.items() if value != base.get(name)}
        json.dump(decided, out, indent=1, sort_keys=True)
