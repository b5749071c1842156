"""Delivering updates to a webhook as Telegram does: in order, again and again until a 2xx.

Each chat is a queue of its own (as is each person's buttons and `my_chat_member`): an update that is refused
holds up what is behind it in its queue, other queues go on, at most `max_connections` at once. A refused
update comes again at once, then after 2, 4, 8 … up to 60 s, or when a `Retry-After` says, until it expires.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import orjson
from aiohttp.http_exceptions import HttpProcessingError

from simulator.parameters import Upload
from simulator.settings import Settings
from simulator.updates import Inbox, Pending

LONGEST_WAIT = 60
LONGEST_RETRY_AFTER = 3600
KEPT_DELIVERIES = 20_000
LARGEST_ANSWER = 51 * 1024 * 1024
NOT_IN_AN_ANSWER = ("setwebhook", "deletewebhook", "close", "logout")

Files = dict[str, Upload]
Execute = Callable[[int, str, dict[str, Any], Files], Awaitable[object]]


def wait_after(failures: int, retry_after: int) -> float:
    """Seconds until the next try after so many failures in a row."""
    if retry_after > 0:
        return float(min(retry_after, LONGEST_RETRY_AFTER))
    return 0.0 if failures <= 1 else float(min(LONGEST_WAIT, 2 ** min(failures - 1, 10)))


@dataclass(slots=True)
class Answer:
    """The Bot API call in a webhook's answer, `values` empty where there is none. `problem` says why an
    answer that looks like a call is not carried out.
    """

    values: dict[str, Any] = field(default_factory=dict)
    files: Files = field(default_factory=dict)
    problem: str = ""

    def method(self) -> str:
        """The method to run, in lower case; "" for none."""
        name = self.values.get("method")
        return name.lower() if isinstance(name, str) and not self.problem else ""


class WebhookSender:
    """Delivers one bot's inbox to its webhook from `start` to `stop`."""

    def __init__(self, inbox: Inbox, settings: Settings, session: aiohttp.ClientSession, execute: Execute) -> None:
        self.inbox = inbox
        self.deliveries: deque[dict[str, Any]] = deque(maxlen=KEPT_DELIVERIES)
        self._settings = settings
        self._session = session
        self._execute = execute
        self._queues: dict[str, deque[Pending]] = {}
        self._tasks: set[asyncio.Future[object]] = set()
        self._slots = asyncio.Semaphore(inbox.webhook.max_connections)

    def start(self) -> None:
        """Deliver what is waiting, and what comes."""
        self._slots = asyncio.Semaphore(self.inbox.webhook.max_connections)
        self.inbox.on_update = self._enqueue
        for pending in list(self.inbox.pending.values()):
            self._enqueue(pending)

    async def stop(self) -> None:
        """Stop delivering; what is waiting stays in the inbox."""
        self.inbox.on_update = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._queues.clear()

    def _enqueue(self, pending: Pending) -> None:
        name = pending.queue
        if self._settings.webhook_order == "single" and pending.kind != "my_chat_member":
            name = "all"
        queue = self._queues.get(name)
        if queue is not None:
            queue.append(pending)
            return
        self._queues[name] = deque([pending])
        self._spawn(self._drain(name))

    def _spawn(self, work: Awaitable[object]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self, name: str) -> None:
        queue = self._queues[name]
        if queue[0].kind == "my_chat_member" and self._settings.my_chat_member_delay:
            await asyncio.sleep(self._settings.my_chat_member_delay)
        while queue:
            await self._deliver(queue[0])
            queue.popleft()
        del self._queues[name]

    async def _deliver(self, pending: Pending) -> None:
        failures = 0
        while pending.id in self.inbox.pending:
            if time.monotonic() >= pending.expires:
                self.inbox.forget(pending.id)
                return
            async with self._slots:
                error, retry_after, answer = await self._post(pending)
            if not error:
                self.inbox.forget(pending.id)
                if name := answer.method():
                    del answer.values["method"]
                    self._spawn(self._execute(self.inbox.bot_id, name, answer.values, answer.files))
                return
            failures += 1
            self.inbox.webhook.last_error_date = int(time.time())
            self.inbox.webhook.last_error_message = error
            await asyncio.sleep(wait_after(failures, retry_after) / self._settings.webhook_speed)

    async def _post(self, pending: Pending) -> tuple[str, int, Answer]:
        webhook = self.inbox.webhook
        headers = {"Content-Type": "application/json"}
        if webhook.secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = webhook.secret
        started = time.monotonic()
        status, retry_after, answer = 0, 0, Answer()
        try:
            async with self._session.post(
                webhook.url,
                data=pending.body,
                headers=headers,
                allow_redirects=False,
                ssl=not webhook.has_custom_certificate,
                timeout=aiohttp.ClientTimeout(total=self._settings.webhook_timeout),
            ) as response:
                status = response.status
                error = "" if 200 <= status <= 299 else f"Wrong response from the webhook: {status} {response.reason}"
                if error:
                    await response.read()
                    given = response.headers.get("Retry-After", "")
                    retry_after = int(given) if given.isdecimal() else 0
                else:
                    answer = await read_answer(response)
        except TimeoutError:
            error = "Read timeout expired"
        except aiohttp.ClientConnectorError as problem:
            error = _reason(problem.os_error)
        except UnicodeError:
            # A name that cannot be asked for, such as one with an empty or overlong part.
            error = "Failed to resolve host: Name or service not known"
        except aiohttp.ClientError as problem:
            error = f"Connection closed: {type(problem).__name__}"
        record = {
            "update_id": pending.id,
            "kind": pending.kind,
            "monotonic": started,
            "took": time.monotonic() - started,
        }
        record |= {"status": status, "error": error, "method": answer.method(), "answer_problem": answer.problem}
        self.deliveries.append(record)
        return error, retry_after, answer


def _reason(problem: OSError) -> str:
    """Why there was no connection. The event loop puts an address into the text; Telegram does not."""
    if problem.errno is not None and problem.errno > 0:
        return os.strerror(problem.errno)
    return problem.strerror or "Connection failed"


async def read_answer(response: aiohttp.ClientResponse) -> Answer:
    """The call in a webhook's answer: JSON, a form, or multipart with files."""
    if response.content_length is not None and response.content_length > LARGEST_ANSWER:
        return Answer(problem="the answer is too large")
    kind = response.content_type
    answer = Answer()
    try:
        if kind.startswith("multipart/"):
            await _read_parts(response, answer)
        elif kind == "application/x-www-form-urlencoded":
            answer.values = dict(parse_qsl((await response.read()).decode("utf-8", "replace")))
        elif kind == "application/json":
            content = await response.read()
            given = orjson.loads(content) if content.strip() else {}
            answer.values = {name: value for name, value in given.items() if value is not None}
    except (ValueError, LookupError, AttributeError, HttpProcessingError):
        return Answer(problem=f"the answer cannot be read as {kind}")
    method = answer.values.get("method", "")
    if not isinstance(method, str):
        answer.problem = "method must be a text"
    elif method.lower() in NOT_IN_AN_ANSWER or method.lower().startswith("get"):
        answer.problem = f"{method} is not carried out from a webhook's answer"
    return answer


async def _read_parts(response: aiohttp.ClientResponse, answer: Answer) -> None:
    size = 0
    async for part in aiohttp.MultipartReader.from_response(response):
        if not isinstance(part, aiohttp.BodyPartReader) or not part.name:
            continue
        content = bytes(await part.read(decode=True))
        size += len(content)
        if size > LARGEST_ANSWER:
            raise ValueError("the answer is too large")
        if part.filename is not None:
            answer.files[part.name] = Upload(part.filename, part.headers.get("Content-Type", ""), content)
        else:
            answer.values[part.name] = content.decode("utf-8", "replace")
