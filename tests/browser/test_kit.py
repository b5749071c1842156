"""The page of components: none of them is wider than the window, and the dialog and the menu open."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import fits


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """As the developer's own instance has it."""
    return environment | {"DEVELOPMENT": "true"}


def test_the_components_fit_and_open(page: Page, phone: Page) -> None:
    for window in (page, phone):
        window.goto("/console/kit")
        assert fits(window)
    page.get_by_role("button", name="Open the dialog").click()
    expect(page.get_by_role("dialog", name="A question")).to_be_visible()
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("dialog", name="A question")).not_to_be_visible()
    page.get_by_role("button", name="Open the menu").click()
    expect(page.get_by_role("button", name="A button")).to_be_visible()
