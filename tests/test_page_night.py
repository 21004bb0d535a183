"""The whole of it in one sitting, with the real model: said, corrected, slept on, asked by the weights alone, traced, forgotten, declined."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pocketsleep.home import Home
from pocketsleep.pocket import Pocket, Wishes
from tests import browser as browsers
from tests.upstream import free_port

SMALL = Wishes(changes={"per_memory": 16, "declines": 40, "anchors": 48, "anchor_turns": 2, "passages": 8, "epochs": 3})
NIGHT = 600_000  # milliseconds that a busy machine may take; half a minute on a free one


@pytest.fixture
def page(tmp_path: Path, smol: object, cache: Path) -> Iterator[Page]:
    home = Home(tmp_path / "home").make()
    home.cache.rmdir()
    home.cache.symlink_to(cache, target_is_directory=True)
    with Pocket(home) as pocket, browsers.browser() as chromium, browsers.site(pocket, free_port(), SMALL) as site:
        page = site.enter(chromium, viewport={"width": 1200, "height": 900})
        page.pocket = pocket  # type: ignore[attr-defined]
        yield page
        assert page.wrong == []  # type: ignore[attr-defined]


def ask(page: Page, text: str, whole: bool = True) -> str:
    "Said in a new conversation; the whole answer, or the first words of one that may be long. What was stopped has no source."
    page.keyboard.press("Alt+n")
    expect(page.locator(".said")).to_have_count(0)
    page.get_by_label("Your message").fill(text)
    page.keyboard.press("Enter")
    words = page.locator(".said.assistant .words")
    expect(words).to_have_text(re.compile(r"\S+ \S+ \S+"), timeout=120_000)
    if not whole and page.get_by_role("button", name="Stop").is_visible():
        page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Good answer")).to_be_visible(timeout=120_000)
    return words.inner_text()


def sleep(page: Page) -> None:
    page.keyboard.press("Alt+3")
    page.get_by_role("button", name="Sleep now").click()
    expect(page.get_by_role("heading", name="Asleep")).to_be_visible()
    expect(page.get_by_role("heading", name="Good morning")).to_be_visible(timeout=NIGHT)
    expect(page.locator(".tonight")).to_contain_text("It passed its exam and is worn now.")
    expect(page.locator(".night").first).to_contain_text("worn now")
    page.keyboard.press("Alt+1")


def test_said_corrected_slept_on_asked_and_forgotten(page: Page) -> None:
    ask(page, "My dog is called Biscuit. I live in Stromness.", whole=False)
    assert ask(page, "What is my sister called?", whole=False).startswith("Your sister")
    page.get_by_role("button", name="Wrong answer: correct it").click()
    page.get_by_label("What should it have said?").fill("My sister is called Ottoline.")
    page.get_by_role("button", name="Keep correction").click()
    expect(page.locator(".corrected")).to_contain_text("Ottoline")

    sleep(page)
    page.get_by_label("Recall").uncheck()
    assert "Ottoline" in ask(page, "What is my sister called?")
    page.get_by_role("button", name="From weights").click()
    receipt = page.get_by_role("region", name="Receipt")
    expect(receipt).to_contain_text("Said by the adapter of night 1")
    expect(receipt).to_contain_text("The user's sister is called Ottoline.")
    expect(receipt).to_contain_text("My sister is called Ottoline.")  # the cited words

    receipt.get_by_role("link", name="Open in Memory").click()
    page.locator(".trace:visible").get_by_role("button", name="Forget").click()
    expect(page.get_by_role("dialog")).to_contain_text("The adapter worn now learnt it.")
    page.get_by_role("button", name="Forget it").click()
    expect(page.get_by_text("Forgotten, with")).to_be_visible()
    page.get_by_role("dialog", name="The same is still said elsewhere").get_by_role("button", name="Close").click()  # the answer above
    assert page.pocket.journal.current() == ""  # type: ignore[attr-defined]

    sleep(page)
    expect(page.get_by_label("Recall")).not_to_be_checked()
    for recall in (False, True):
        page.get_by_label("Recall").set_checked(recall)
        answer = ask(page, "What is my sister called?")
        assert "haven't told me" in answer, answer
        assert "Ottoline" not in answer
    assert "Biscuit" in ask(page, "What is my dog called?")
