"""A running installation and a Chromium that looks at it: each test begins with an admin signed in by the form.

Every page is watched: an error in its console, a refusal by its policy or an answer of 500 fails the test. Without
a Chromium the tests are skipped, except where `SWITCHBOARD_BROWSER_REQUIRED=1` says that there has to be one.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Response,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.support.databases import Databases
from tests.support.installation import Installation

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery"
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
WITHIN = 60_000
"""Milliseconds after which what a page was to show will not come."""
expect.set_options(timeout=WITHIN)
_EXPECTED = re.compile(
    r"Failed to load resource: the server responded with a status of 4\d\d|htmx:(afterRequest|sendAbort),"
)
"""What the browser itself says of a form that was refused (the tests look at what the page says of it), and htmx of a
request that was under way when its page was left; of one that failed it says `htmx:sendError`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these start processes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


class Watch:
    """Collects what goes wrong on the pages of a test."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def follow(self, page: Page) -> None:
        """Listens to a page from its first request on."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _EXPECTED.match(message.text):
            self.faults.append(f"console: {message.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 500:
            self.faults.append(f"{response.status} from {response.url}")


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser, for all tests of this folder; its loop has ended when those of others begin."""
    found = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("SWITCHBOARD_BROWSER_REQUIRED") == "1":
            pytest.fail("There is no Chromium, and SWITCHBOARD_BROWSER_REQUIRED=1 asks for one.")
        pytest.skip("There is no Chromium here (Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def site(databases: Databases, environment: dict[str, str], tmp_path: Path) -> Iterator[Installation]:
    """The Procfile's web process over an empty database with one workspace, whose admin is `EMAIL`.

    A test that needs messages sent starts its workers: `site.start_worker("dispatch", "jobs")`.
    """
    databases.clean()
    made = Installation(environment, tmp_path)
    try:
        made.start_web()
        made.register(EMAIL)
        yield made
    finally:
        made.stop()


@pytest.fixture
def open_browser(chromium: Browser, site: Installation) -> Iterator[Callable[..., Page]]:
    """Opens a browser of its own for whoever signs in; `open_browser(viewport, email, password, **context)`."""
    contexts: list[BrowserContext] = []
    watch = Watch()

    def opened(
        viewport: ViewportSize | None = None, email: str | None = EMAIL, password: str = PASSWORD, **options: Any
    ) -> Page:
        context = chromium.new_context(base_url=site.url, viewport=viewport or DESKTOP, locale="en-GB", **options)
        contexts.append(context)
        context.set_default_timeout(WITHIN)
        page = context.new_page()
        watch.follow(page)
        if email is not None:
            page.goto("/console/sign-in")
            page.fill("[name=email]", email)
            page.fill("[name=password]", password)
            page.click("main [type=submit]")
            page.wait_for_url("**/console/")
        return page

    yield opened
    for context in contexts:
        with suppress(Error):
            context.close()
    assert watch.faults == []


@pytest.fixture
def page(open_browser: Callable[..., Page]) -> Page:
    """The admin's browser on a desk."""
    return open_browser()


@pytest.fixture
def phone(open_browser: Callable[..., Page]) -> Page:
    """The admin's browser on a phone 360 px wide."""
    return open_browser(PHONE, has_touch=True, is_mobile=True)


def fits(page: Page) -> bool:
    """Whether nothing of the page lies beside the window."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    return wide
