"""`TelegramBox`: the simulator as a process of its own, for tests. One box is one Telegram."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from simulator.journal import rate_violations

__all__ = ["DEMO_TOKEN", "TelegramBox", "rate_violations"]

ROOT = Path(__file__).resolve().parents[2]
DEMO_TOKEN = "7000000001:DEMO-simulated-bot-token-not-real"
READY_WITHIN = 90.0

JSON = dict[str, Any]
Reference = int | str


class BoxError(AssertionError):
    """The control API refused: `status` and its answer."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(f"{status}: {answer}")
        self.status = status
        self.answer = answer


class TelegramBox:
    """Starts a simulator on a free port with an empty world and the limits off; `stop` ends it. Also a
    context manager.

    People and chats are given by id, username, or the JSON object that made them; bots by id, username or
    token, the first bot where none is given.
    """

    def __init__(
        self,
        *options: str,
        bots: list[str] | None = None,
        log_file: Path | None = None,
        port: int = 0,
        seed: int = 1,
        accounts: bool = False,
    ) -> None:
        """`bots`: TOKEN:USERNAME each (default: one demo bot); further command-line `options`; `log_file`
        outlives kills; `accounts`: people's accounts too, at a free port.

        Raises RuntimeError when it does not come up.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="telegram-box-")
        ready = Path(self._folder.name) / "address"
        command = [sys.executable, "-m", "simulator", "--port", str(port), "--empty", "--rates", "off"]
        command += ["--seed", str(seed), "--ready-file", str(ready)]
        command += ["--mtproto-port", "0" if accounts else "off", *options]
        for bot in bots or []:
            command += ["--bot", bot]
        if log_file is not None:
            command += ["--data", str(log_file)]
        output = Path(self._folder.name) / "output"
        with output.open("wb") as written:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdout=written, stderr=subprocess.STDOUT, env={**os.environ}
            )
        deadline = time.monotonic() + READY_WITHIN
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(f"the simulator did not start: {output.read_text()}")
            time.sleep(0.02)
        self.url = ready.read_text()
        """The address of the Bot API: what goes into TELEGRAM_API_URL."""
        self._http = requests.Session()
        self._http.trust_env = False

    def stop(self) -> None:
        """End the process."""
        self._http.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._folder.cleanup()

    def __enter__(self) -> TelegramBox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # ---- talking to it

    def control(self, verb: str, path: str, body: JSON | None = None, /, **query: Any) -> Any:
        """A call of the control API. Raises BoxError unless it succeeds."""
        answer = self._http.request(verb, f"{self.url}/control{path}", json=body, params=query, timeout=90)
        if answer.status_code >= 400:
            raise BoxError(answer.status_code, answer.text)
        return answer.json()

    def call(self, method: str, token: str = DEMO_TOKEN, files: Any = None, **parameters: Any) -> JSON:
        """A call of the Bot API as a bot would make it; its whole answer, also an error's."""
        address = f"{self.url}/bot{token}/{method}"
        if files is not None:
            answer = self._http.post(address, data=parameters, files=files, timeout=90)
        else:
            answer = self._http.post(address, json=parameters, timeout=90)
        found: JSON = answer.json()
        return found

    # ---- who there is

    def bot(self, token: str, username: str, **details: Any) -> JSON:
        """A further bot."""
        return self._object("POST", "/bots", {"token": token, "username": username, **details})

    def revoke_token(self, bot: Reference = DEMO_TOKEN) -> str:
        """The old token answers 401 from now on; the new one."""
        return str(self._object("POST", f"/bots/{_id(bot)}/revoke")["token"])

    def person(self, first_name: str = "Sam", **details: Any) -> JSON:
        """Somebody new (last_name, username, language_code, is_premium, id)."""
        return self._object("POST", "/people", {"first_name": first_name, **details})

    def change_person(self, person: Any, **changes: Any) -> JSON:
        """Change somebody; `deactivated=True` deletes the account."""
        return self._object("PATCH", f"/people/{_id(person)}", changes)

    def group(self, title: str = "Group", **details: Any) -> JSON:
        """A chat: type (group, supergroup, channel), creator, admins, members, anonymous, bots, is_forum,
        username.
        """
        for name in ("creator",):
            if name in details:
                details[name] = _id(details[name])
        for name in ("admins", "members", "anonymous", "bots"):
            if name in details:
                details[name] = [_id(item) for item in details[name]]
        return self._object("POST", "/chats", {"title": title, **details})

    def member(self, chat: Any, member: Any, status: str, **details: Any) -> JSON:
        """Give somebody a place in a chat: creator, administrator, member, restricted, left, kicked."""
        return self._object("PUT", f"/chats/{_id(chat)}/members/{_id(member)}", {"status": status, **details})

    def migrate(self, chat: Any) -> JSON:
        """Upgrade a group; the supergroup."""
        return self._object("POST", f"/chats/{_id(chat)}/migrate")

    def topic(self, chat: Any, name: str) -> JSON:
        """A topic in a forum."""
        return self._object("POST", f"/chats/{_id(chat)}/topics", {"name": name})

    def change_topic(self, chat: Any, topic: int, **changes: Any) -> JSON:
        """Close, reopen, rename or delete a topic."""
        return self._object("PATCH", f"/chats/{_id(chat)}/topics/{topic}", changes)

    # ---- what people do

    def open_link(self, person: Any, link: str, chat: Any = None) -> JSON:
        """Open a deep link and press START; a startgroup link needs the group. The message sent."""
        return self._act(person, "start", link=link, chat=chat)

    def start(self, person: Any, payload: str = "", bot: Any = None) -> JSON:
        """Press START with a payload. The message sent."""
        return self._act(person, "start", payload=payload, bot=bot)

    def say(self, person: Any, text: str, chat: Any = None, **where: Any) -> JSON:
        """Send a text to a bot or a group (`reply_to`, `thread_id`). The message."""
        return self._act(person, "say", text=text, chat=chat, **where)

    def press(
        self, person: Any, message: Any, data: str | None = None, text: str | None = None, chat: Any = None
    ) -> str:
        """Press a button of a message, found by its data or text. The id of the callback query."""
        message_id = message["message_id"] if isinstance(message, dict) else message
        wish = {"message_id": message_id, "data": data, "text": text, "chat": chat}
        return str(self._act(person, "press", **wish)["callback_query_id"])

    def block(self, person: Any, bot: Any = None) -> None:
        """Block a bot."""
        self._act(person, "block", bot=bot)

    def unblock(self, person: Any, bot: Any = None) -> None:
        """Unblock it."""
        self._act(person, "unblock", bot=bot)

    def edit(self, person: Any, message_id: int, text: str, chat: Any = None) -> JSON:
        """Change an own message."""
        return self._act(person, "edit", message_id=message_id, text=text, chat=chat)

    def delete(self, person: Any, message_id: int, chat: Any = None) -> None:
        """Delete a message; the bot is not told."""
        self._act(person, "delete", message_id=message_id, chat=chat)

    def forward(self, person: Any, message_id: int, chat: Any = None, from_chat: Any = None) -> JSON:
        """Forward a message. The new one."""
        return self._act(person, "forward", message_id=message_id, chat=chat, from_chat=from_chat)

    def send_photo(self, person: Any, content: bytes, chat: Any = None, caption: str = "", **where: Any) -> JSON:
        """Send a picture."""
        return self._send_file(person, "photo", content, "photo.png", chat, caption, where)

    def send_document(
        self,
        person: Any,
        content: bytes,
        file_name: str = "file.bin",
        chat: Any = None,
        caption: str = "",
        **where: Any,
    ) -> JSON:
        """Send a file."""
        return self._send_file(person, "document", content, file_name, chat, caption, where)

    # ---- what happened

    def log(self, since: int = 0, **wanted: Any) -> list[JSON]:
        """The log above `since`; filters method, outcome, chat_id, bot, limit."""
        entries: list[JSON] = self.control("GET", "/log", since=since, **wanted)["entries"]
        return entries

    def accepted(self, method: str | None = None, since: int = 0, **wanted: Any) -> list[JSON]:
        """What was accepted, perhaps of one method only (as in `sendMessage`)."""
        if method is not None:
            wanted["method"] = method
        return self.log(since, outcome="accepted", **wanted)

    def log_position(self) -> int:
        """The number of the newest entry."""
        return int(self.control("GET", "/health")["log"])

    def transcript(self, chat: Any, bot: Any = None, deleted: bool = False) -> list[JSON]:
        """The messages of a chat; a person stands for their private chat with the bot."""
        query: JSON = {"deleted": int(deleted)}
        if bot is not None:
            query["bot"] = _id(bot)
        messages: list[JSON] = self.control("GET", f"/chats/{_id(chat)}/messages", **query)["messages"]
        return messages

    def last_message(self, chat: Any, bot: Any = None) -> JSON:
        """The newest message of a chat. Raises IndexError when there is none."""
        return self.transcript(chat, bot)[-1]

    def answers(self) -> list[JSON]:
        """Every press with the bot's answer (None until there is one)."""
        shown: list[JSON] = self.control("GET", "/answers")["answers"]
        return shown

    def updates(self, bot: Any = DEMO_TOKEN) -> list[Any]:
        """The updates that wait for a bot."""
        waiting: list[Any] = self.control("GET", f"/bots/{_id(bot)}/updates")["updates"]
        return waiting

    def deliveries(self, bot: Any = DEMO_TOKEN) -> list[JSON]:
        """Every try to deliver to the present webhook."""
        tries: list[JSON] = self.control("GET", f"/bots/{_id(bot)}/deliveries")["deliveries"]
        return tries

    # ---- what goes wrong

    def push_update(self, update: JSON | None = None, raw: str | None = None, bot: Any = None, **more: Any) -> int:
        """Queue an update as given, or any text as `raw`. Its number."""
        wish = {"update": update, "raw": raw, "bot": None if bot is None else _id(bot), **more}
        return int(self._object("POST", "/updates", wish)["update_id"])

    def fault(self, kind: str, **details: Any) -> int:
        """Make a fault: error, hang, latency, drop_before, drop_after, garbage. Its number."""
        return int(self._object("POST", "/faults", {"kind": kind, **details})["id"])

    def faults(self) -> list[JSON]:
        """The faults in force, with how often each struck."""
        rules: list[JSON] = self.control("GET", "/faults")["faults"]
        return rules

    def clear_faults(self) -> None:
        """No faults any more."""
        self.control("DELETE", "/faults")

    def settings(self, **changes: Any) -> JSON:
        """Change settings (none: only read them)."""
        return self._object("PATCH", "/settings", changes)

    def rates(self, policy: str, **limits: Any) -> None:
        """Choose the limits: strict, blocking, bucket or off; per_bot, per_chat, per_group, chat_burst."""
        self.settings(rates={"policy": policy, **limits})

    def reset(self) -> None:
        """An empty world with the same bots and settings; no faults, an empty log."""
        self.control("POST", "/reset")

    # ----

    def _object(self, method: str, path: str, body: JSON | None = None) -> JSON:
        found: JSON = self.control(method, path, body)
        return found

    def _act(self, person: Any, action: str, **wish: Any) -> JSON:
        for name in ("chat", "bot", "from_chat"):
            if wish.get(name) is not None:
                wish[name] = _id(wish[name])
        return self._object("POST", f"/people/{_id(person)}/{action}", wish)

    def _send_file(
        self, person: Any, kind: str, content: bytes, name: str, chat: Any, caption: str, where: JSON
    ) -> JSON:
        encoded = base64.b64encode(content).decode()
        return self._act(person, kind, content=encoded, file_name=name, chat=chat, caption=caption, **where)


def _id(reference: Any) -> Reference:
    """The id in an object, or the reference itself."""
    if isinstance(reference, dict):
        reference = reference["id"]
    assert isinstance(reference, (int, str))
    return reference
