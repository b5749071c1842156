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
from collections.abc import Callable
from typing import Any

import aiohttp
import orjson

from simulator.settings import Settings
from simulator.updates import Inbox, Pending

LONGEST_WAIT = 60
LONGEST_RETRY_AFTER = 3600
KEPT_DELIVERIES = 20_000
NOT_IN_AN_ANSWER = ("setwebhook", "deletewebhook", "close", "logout")

Execute = Callable[[int, str, dict[str, Any]], object]


def wait_after(failures: int, retry_after: int) -> float:
    """Seconds until the next try after so many failures in a row."""
    if retry_after > 0:
        return float(min(retry_after, LONGEST_RETRY_AFTER))
    return 0.0 if failures <= 1 else float(min(LONGEST_WAIT, 2 ** min(failures - 1, 10)))


class WebhookSender:
    """Delivers one bot's inbox to its webhook from `start` to `stop`."""

    def __init__(self, inbox: Inbox, settings: Settings, session: aiohttp.ClientSession, execute: Execute) -> None:
        self.inbox = inbox
        self.deliveries: deque[dict[str, Any]] = deque(maxlen=KEPT_DELIVERIES)
        self._settings = settings
        self._session = session
        self._execute = execute
        self._queues: dict[str, deque[Pending]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
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
        task = asyncio.create_task(self._drain(name))
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
                self._run_answer(answer)
                return
            failures += 1
            self.inbox.webhook.last_error_date = int(time.time())
            self.inbox.webhook.last_error_message = error
            await asyncio.sleep(wait_after(failures, retry_after) / self._settings.webhook_speed)

    async def _post(self, pending: Pending) -> tuple[str, int, dict[str, Any]]:
        webhook = self.inbox.webhook
        headers = {"Content-Type": "application/json"}
        if webhook.secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = webhook.secret
        started = time.monotonic()
        status, retry_after, answer = 0, 0, {}
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
                content = await response.read()
                error = "" if 200 <= status <= 299 else f"Wrong response from the webhook: {status} {response.reason}"
                if error:
                    given = response.headers.get("Retry-After", "")
                    retry_after = int(given) if given.isdecimal() else 0
                else:
                    answer = _method_in(content, response.content_type)
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
        self.deliveries.append({**record, "status": status, "error": error})
        return error, retry_after, answer

    def _run_answer(self, answer: dict[str, Any]) -> None:
        method = answer.pop("method", "")
        if isinstance(method, str) and method:
            name = method.lower()
            if name not in NOT_IN_AN_ANSWER and not name.startswith("get"):
                self._execute(self.inbox.bot_id, name, answer)


def _reason(problem: OSError) -> str:
    """Why there was no connection. The event loop puts an address into the text; Telegram does not."""
    if problem.errno is not None and problem.errno > 0:
        return os.strerror(problem.errno)
    return problem.strerror or "Connection failed"


def _method_in(content: bytes, content_type: str) -> dict[str, Any]:
    """The Bot API call that a webhook put into its answer, or {}."""
    if not content:
        return {}
    if content_type == "application/x-www-form-urlencoded":
        from urllib.parse import parse_qsl

        return dict(parse_qsl(content.decode("utf-8", "replace")))
    if content_type != "application/json":
        return {}
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) and "method" in answer else {}
