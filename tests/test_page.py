"""The page in a real browser: what it shows, that keys and screen readers reach it, and that nothing said becomes markup."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from pocketsleep import cards, weights
from pocketsleep.home import Home
from pocketsleep.nouns import Cite, Episode, Turn
from pocketsleep.pocket import Pocket, Wishes
from pocketsleep.runtime.mlx import Mlx
from pocketsleep.runtime.scripted import Scripted
from pocketsleep.serve.day import Day
from tests import browser as browsers
from tests.lived import lived
from tests.test_window import WINDOW, layers_for, long_talk
from tests.upstream import free_port

VIEWS = ("chat", "chat/c-code", "memory", "nights", "settings")
SHOTS = Path(__file__).resolve().parent.parent / ".screenshots"  # not kept: for looking at


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsers.browser() as made:
        yield made


@pytest.fixture
def pocket(tmp_path: Path) -> Iterator[Pocket]:
    with Pocket(Home(tmp_path / "home")) as made:
        yield made


@pytest.fixture
def site(pocket: Pocket) -> Iterator[browsers.Site]:
    "The server, with a model that has learnt its lines."
    lines = itertools.chain(["**Noted.** A fine name <i>indeed</i>."], [f"Answer {n}." for n in range(2, 40)])
    day = Day(pocket.journal, Scripted(*lines), pocket.registry.path)
    with browsers.site(pocket, free_port(), Wishes(), day) as made:
        yield made


@pytest.fixture
def page(site: browsers.Site, chromium: Browser) -> Iterator[Page]:
    made = site.enter(chromium, viewport={"width": 1200, "height": 820})
    yield made
    assert made.wrong == []  # type: ignore[attr-defined]
    made.context.close()


def say(page: Page, text: str) -> None:
    page.get_by_label("Your message").fill(text)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(page.locator(".said.assistant").last.get_by_role("button", name="Good answer")).to_be_visible()


def view(page: Page, name: str) -> None:
    page.evaluate("name => { location.hash = `#/${name}`; }", name)
    page.locator(f"#tabs a[data-view={name.split('/')[0]}][aria-current]").wait_for()
    page.locator("#view h1").wait_for()
    if name.startswith("chat/"):  # the talk that was on screen before is a chat, too
        page.locator(f".talks a[href$='#/{name}'][aria-current]").wait_for(state="attached")
    page.wait_for_load_state("networkidle")


def test_a_link_opens_once_and_nothing_without_it(site: browsers.Site, chromium: Browser) -> None:
    stranger = browsers.context(chromium).new_page()
    assert stranger.goto(site.url()).status == 401  # type: ignore[union-attr]
    link = site.link()
    assert stranger.goto(link).status == 200  # type: ignore[union-attr]
    stranger.wait_for_url(site.url())
    other = browsers.context(chromium).new_page()
    assert other.goto(link).status == 403  # type: ignore[union-attr]


def test_an_answer_is_streamed_recorded_and_never_markup(page: Page, pocket: Pocket) -> None:
    say(page, "My dog is called Biscuit. <img src=x onerror=alert(1)>")
    answer = page.locator(".said.assistant .words")
    assert answer.inner_text() == "Noted. A fine name <i>indeed</i>."
    assert answer.locator("strong").inner_text() == "Noted."
    assert page.locator(".said i, .said img").count() == 0
    (episode,) = pocket.journal.episodes()
    assert [t.text for t in episode.turns] == ["My dog is called Biscuit. <img src=x onerror=alert(1)>", "**Noted.** A fine name <i>indeed</i>."]
    page.reload()
    expect(page.locator(".said.assistant .words")).to_have_text("Noted. A fine name <i>indeed</i>.")
    say(page, "And my cat Gus.")
    assert len(pocket.journal.episode(episode.id).turns) == 4
    assert sorted(pocket.journal.receipts(episode.id)) == [1, 3]
    expect(page.get_by_role("button", name="No source")).to_have_count(2)


def test_receipts_stay_with_answers_and_lose_what_is_forgotten(page: Page, pocket: Pocket) -> None:
    lived(pocket.journal)
    dog = pocket.journal.memories("dog")[0]
    pocket.journal.keep_receipt("c-gift", 1, "b2-" + "0" * 19 + "3", "weights", [dog.id])
    view(page, "chat/c-gift")
    page.get_by_role("button", name="From weights").click()
    receipt = page.get_by_role("region", name="Receipt")
    expect(receipt).to_contain_text("Said by the adapter of night 3")
    expect(receipt).to_contain_text("My dog is called Biscuit, she ate a sock.")
    pocket.forget(dog.id)
    page.reload()
    page.get_by_role("button", name="From weights").click()
    expect(receipt).to_contain_text("was forgotten")
    pocket.journal.keep_receipt("c-gift", 1, "", "said", [])
    page.reload()
    page.get_by_role("button", name="From what you said").click()
    expect(receipt).to_contain_text("Your own words, quoted")
    assert receipt.get_by_role("link").count() == 0, "nothing is quoted in it"
    pocket.forget("c-gift")
    assert pocket.journal.receipts("c-gift") == {}


def test_a_quotation_opens_on_the_message_that_it_is_of(page: Page, pocket: Pocket) -> None:
    now = "2026-03-04T12:00:00+00:00"
    pocket.journal.record(Episode("c-band", (Turn("user", "Morning. Our band is called Clatter Lane.", said_at=now),), now, "chat"))
    quote = 'On 4 March 2026 you said: "Our band is called Clatter Lane."'
    pocket.journal.record(Episode("c-asked", (Turn("user", "What is my band called?"), Turn("assistant", quote)), now, "chat"))
    pocket.journal.keep_receipt("c-asked", 1, "", "said", [])
    view(page, "chat/c-asked")
    page.get_by_role("button", name="From what you said").click()
    receipt = page.get_by_role("region", name="Receipt")
    expect(receipt.locator("blockquote")).to_contain_text("Morning. Our band is called Clatter Lane.")
    receipt.get_by_role("link", name="open the conversation").click()
    expect(page).to_have_url(re.compile("chat/c-band$"))
    pocket.journal.hide(Cite("c-band", 0))
    page.reload()
    view(page, "chat/c-asked")
    expect(page.locator(".said.assistant .words")).to_be_visible()
    assert "Clatter" not in page.locator("main").inner_text()


def test_edit_and_another_answer_keep_both_tellings(page: Page, pocket: Pocket) -> None:
    say(page, "I live in Leith.")
    page.locator(".said.user").hover()
    page.get_by_role("button", name="Edit this message").click()
    page.locator(".said.user textarea").fill("I live in Stromness.")
    page.get_by_role("button", name="Send again").click()
    expect(page.locator(".said.assistant .words")).to_have_text("Answer 2.")
    page.get_by_role("button", name="Another answer").click()
    expect(page.locator(".said.assistant .words")).to_have_text("Answer 3.")
    told = [[t.text for t in e.turns] for e in pocket.journal.episodes()]
    assert told == [["I live in Leith.", "**Noted.** A fine name <i>indeed</i>."], ["I live in Stromness.", "Answer 2."], ["I live in Stromness.", "Answer 3."]]
    expect(page.locator(".talks a")).to_have_count(1)  # one conversation, in its newest telling


def test_thumbs_and_corrections_become_feedback(page: Page, pocket: Pocket) -> None:
    say(page, "My dog is called Biscuit.")
    page.get_by_role("button", name="Good answer").click()
    expect(page.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Good answer").click()
    expect(page.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "false")
    assert [f.rating for f in pocket.journal.episodes()[0].feedback] == [""]
    page.get_by_role("button", name="Wrong answer: correct it").click()
    page.get_by_label("What should it have said?").fill("Always answer in one sentence.")
    page.keyboard.press("Enter")
    expect(page.locator(".corrected")).to_contain_text("Always answer in one sentence.")
    (episode,) = pocket.journal.episodes()
    assert [(f.turn, f.rating, f.correction) for f in episode.feedback] == [(1, "down", "Always answer in one sentence.")]


def test_what_is_not_to_be_remembered_is_private(page: Page, pocket: Pocket) -> None:
    say(page, "I like tea.")
    page.get_by_label("Don't remember this", exact=True).check()
    say(page, "I am moving to Lisbon.")
    say(page, "I like jam.")
    (episode,) = pocket.journal.episodes()
    assert [t.private for t in episode.turns] == [False, False, True, True, False, True]  # Lisbon was read for the last answer, too
    assert not any("Lisbon" in t.text for _, t in pocket.journal.search_turns("Lisbon"))
    page.get_by_role("button", name="New conversation").click()
    page.get_by_label("Don't remember this conversation").check()
    say(page, "I am getting married.")
    assert pocket.journal.episodes()[-1].private
    assert all(t.private for t in pocket.journal.episodes()[-1].turns)


def test_what_was_said_is_hidden_afterwards_and_brought_back(page: Page, pocket: Pocket) -> None:
    lived(pocket.journal)
    view(page, "chat/c-gift")
    page.locator(".said.user").hover()
    page.get_by_role("button", name="Don't remember this message").click()
    page.get_by_role("button", name="Don't remember it").click()
    expect(page.locator(".said.user .words")).to_have_text("Not remembered: these words are shown to no one.")
    assert not any("Ottoline" in m.text for m in pocket.journal.memories())
    assert pocket.journal.current() == ""  # the adapter that holds it is off
    view(page, "chat/c-town")
    page.get_by_label("Don't remember this conversation").check()
    page.get_by_role("button", name="Don't remember it").click()
    expect(page.locator(".talks .lock")).to_have_count(2)
    view(page, "settings")
    expect(page.locator(".left-out li")).to_have_count(2)
    page.get_by_label("What to leave out").fill("metric*")
    page.get_by_role("button", name="Leave out", exact=True).click()
    expect(page.locator(".left-out li")).to_have_count(3)
    assert [m.text for m in pocket.journal.memories()] == ["The user's dog is called Biscuit."]
    for _ in range(3):
        left = page.locator(".left-out li").count()
        page.get_by_role("button", name="Take back").first.click()
        expect(page.locator(".left-out li")).to_have_count(left - 1)
    assert len(pocket.journal.memories()) == 4


def test_what_is_hidden_as_one_walks_on_is_listed_where_one_has_gone(page: Page, pocket: Pocket) -> None:
    lived(pocket.journal)
    held: list[Any] = []
    page.route("**/conversation/hide", lambda asked: held.append(asked))
    view(page, "chat/c-town")
    page.get_by_label("Don't remember this conversation").check()
    page.get_by_role("button", name="Don't remember it").click()
    view(page, "memory")
    expect(page.get_by_role("button", name="The user lives in Stromness.")).to_be_visible()
    held[0].continue_()
    expect(page.get_by_role("button", name="The user lives in Stromness.")).to_have_count(0)


@pytest.mark.parametrize("to", ["memory", "chat/c-town"])
def test_an_answer_that_ends_after_one_has_walked_on_changes_nothing_there(pocket: Pocket, chromium: Browser, to: str) -> None:
    class Slow(Scripted):
        def chat(self, messages: Any, sampling: Any = None) -> Iterator[str]:
            for n in range(400):
                time.sleep(0.05)
                yield f"Wave {n} broke. "

    lived(pocket.journal)
    pocket.journal.use("")
    with browsers.site(pocket, free_port(), Wishes(), Day(pocket.journal, Slow(), pocket.registry.path)) as site:
        page = site.enter(chromium)
        page.get_by_label("Your message").fill("Tell me a long story of the sea.")
        page.keyboard.press("Enter")
        expect(page.locator(".said.assistant .words")).to_contain_text("Wave 9 broke.")
        view(page, to)
        heard = page.locator("#live").text_content()
        for _ in range(600):
            if pocket.journal.search_turns("sea"):
                break
            page.wait_for_timeout(100)
        page.wait_for_timeout(500)  # for what must not happen
        assert page.url == site.url(f"#/{to}")
        title = "Memory" if to == "memory" else "I live in Stromness now, we moved from Leith."
        expect(page.locator("#view h1")).to_have_text(title)
        assert page.locator("#live").text_content() == heard
        assert page.locator(".talks a[aria-current]").count() == (to != "memory")
        assert pocket.journal.episodes()[-1].turns[0].text == "Tell me a long story of the sea."
        assert page.wrong == []  # type: ignore[attr-defined]
        if to != "memory":  # the list knows of both
            expect(page.locator(".talks a", has_text="long story")).to_have_count(1)
            expect(page.locator(".talks a[aria-current]")).to_contain_text("Stromness")
        page.context.close()


@pytest.mark.parametrize(("to", "heading"), [("memory", "Memory"), ("chat/c-gift", "What should I give")])
def test_a_talk_that_comes_late_is_not_shown_where_one_has_gone(page: Page, pocket: Pocket, to: str, heading: str) -> None:
    lived(pocket.journal)
    held: list[Any] = []
    page.route("**/conversation?id=c-town*", lambda asked: held.append(asked))
    page.evaluate("location.hash = '#/chat/c-town'")
    while not held:
        page.wait_for_timeout(20)
    page.evaluate("name => { location.hash = `#/${name}`; }", to)
    expect(page.locator("#view h1")).to_contain_text(heading)
    with page.expect_response("**/conversation?id=c-town*"):
        held[0].continue_()
    page.wait_for_load_state("networkidle")
    expect(page.locator("#view h1")).to_contain_text(heading)


def test_stop_keeps_what_was_said_until_then(pocket: Pocket, chromium: Browser) -> None:
    class Endless(Scripted):
        def chat(self, messages: Any, sampling: Any = None) -> Iterator[str]:
            while True:
                time.sleep(0.02)
                yield "on and on "

    with browsers.site(pocket, free_port(), Wishes(), Day(pocket.journal, Endless(), pocket.registry.path)) as site:
        page = site.enter(chromium)
        page.get_by_label("Your message").fill("My boat is called Merganser.")
        page.keyboard.press("Enter")
        page.get_by_text("on and on").wait_for()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Send")).to_be_visible()
        (episode,) = pocket.journal.episodes()
        assert episode.turns[0] == Turn("user", "My boat is called Merganser.", said_at=episode.turns[0].said_at)
        assert episode.turns[1].text.startswith("on and on")
        page.context.close()


def test_an_answer_that_goes_round_is_stopped(pocket: Pocket, chromium: Browser) -> None:
    once = "Apples are high in sugar and in fibre. "
    with browsers.site(pocket, free_port(), Wishes(), Day(pocket.journal, Scripted(once * 40), pocket.registry.path)) as site:
        page = site.enter(chromium)
        say(page, "Can dogs eat apples?")
        (episode,) = pocket.journal.episodes()
        assert episode.turns[1].text.split() == (once * 3).split()
        page.context.close()


def test_a_model_that_fails_is_told_and_the_words_come_back(pocket: Pocket, chromium: Browser) -> None:
    with browsers.site(pocket, free_port(), Wishes(), Day(pocket.journal, Scripted(), pocket.registry.path)) as site:
        page = site.enter(chromium)
        page.get_by_label("Your message").fill("Hello?")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("the script has no line left")
        expect(page.get_by_label("Your message")).to_have_value("Hello?")
        assert pocket.journal.episodes() == []
        page.context.close()


def test_messages_that_leave_are_told(tiny: Path, pocket: Pocket, chromium: Browser, tmp_path: Path) -> None:
    base = weights.open_base(cards.find(str(tiny)), tmp_path / "cache")
    layers_for(base, 64).save(tmp_path / "layers")
    runtime = Mlx(base.card, base, context=WINDOW)
    runtime.remember(tmp_path / "layers")
    pocket.journal.record(Episode("c-long", tuple(Turn(m.role, m.content) for m in long_talk(8))))
    with browsers.site(pocket, free_port(), Wishes(), Day(pocket.journal, runtime, pocket.registry.path, states=pocket.states)) as site:
        page = site.enter(chromium)
        view(page, "chat/c-long")
        say(page, "Go on.")
        expect(page.locator(".leaving")).to_have_text(re.compile(r"older messages are not read any more; a nap of [\d.]+ s went over them\."))
        assert len(pocket.states.files()) == 1
        assert len(pocket.journal.episode("c-long").turns) == 10
        page.context.close()


def test_memory_is_traced_put_right_and_forgotten(page: Page, pocket: Pocket) -> None:
    lived(pocket.journal)
    view(page, "memory")
    page.get_by_label("Search memories").fill("town lives")
    expect(page.locator(".memories > li")).to_have_count(1)
    page.get_by_role("button", name="The user lives in Stromness.").click()
    trace = page.locator(".trace:visible")
    expect(trace).to_contain_text("I live in Stromness now, we moved from Leith.")
    expect(trace).to_contain_text("The user lives in Leith.")
    trace.get_by_role("button", name="Edit").click()
    page.get_by_role("dialog").get_by_label("The note").fill("I live in Kirkwall.")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("button", name="The user lives in Kirkwall.")).to_be_visible()
    assert {m.text: m.status for m in pocket.journal.memories(status=None)}["The user lives in Stromness."] == "superseded"
    page.get_by_label("Search memories").fill("dog")
    expect(page.locator(".memories > li")).to_have_count(1)
    page.get_by_role("button", name="The user's dog is called Biscuit.").click()
    page.locator(".trace:visible").get_by_role("button", name="Forget").click()
    expect(page.get_by_role("dialog")).to_contain_text("My dog is called Biscuit, she ate a sock.")
    page.get_by_role("button", name="Cancel").click()
    assert any("Biscuit" in m.text for m in pocket.journal.memories())
    page.locator(".trace:visible").get_by_role("button", name="Forget").click()
    page.get_by_role("button", name="Forget it").click()
    expect(page.get_by_text("Forgotten, with")).to_be_visible()
    assert not any("Biscuit" in m.text for m in pocket.journal.memories(status=None))
    assert pocket.journal.current() == ""


def test_nights_show_what_was_learnt_and_dropped_and_are_undone(page: Page, pocket: Pocket) -> None:
    lived(pocket.journal)
    view(page, "nights")
    expect(page.locator(".night")).to_have_count(3)
    newest, refused = page.locator(".night").nth(0), page.locator(".night").nth(1)
    expect(newest).to_contain_text("worn now")
    newest.get_by_text("What it learnt, and why").click()
    expect(newest).to_contain_text("The user's sister is called Ottoline.")
    expect(newest).to_contain_text("question: asks, does not state")
    expect(newest.get_by_role("img")).to_have_attribute("aria-labelledby", "n3-t")
    assert newest.locator("circle.after").count() > 6
    expect(refused).to_contain_text("Did not hold: no bleed.")
    page.get_by_role("button", name="Wear none").click()
    expect(page.get_by_text("The bare model is worn now.")).to_be_visible()
    expect(newest).not_to_contain_text("worn now")
    assert pocket.journal.current() == ""


def test_keys_alone_are_enough(page: Page, pocket: Pocket) -> None:
    lived(pocket.journal)
    page.keyboard.press("Alt+2")
    expect(page.get_by_role("heading", name="Memory", level=1)).to_be_visible()
    page.keyboard.press("Alt+k")
    page.keyboard.type("dog")
    expect(page.locator(".memories > li")).to_have_count(1)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".trace:visible")).to_contain_text("she ate a sock")
    page.keyboard.press("Alt+/")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Alt+1")
    page.keyboard.press("Alt+r")
    expect(page.get_by_label("Recall")).not_to_be_checked()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Your message"


def test_the_whole_of_a_code_block_is_copied(page: Page, pocket: Pocket) -> None:
    lived(pocket.journal)
    view(page, "chat/c-code")
    page.get_by_role("button", name="Copy code").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("from collections import Counter\n\ndef commonest")
    assert copied.endswith("most_common(most)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_axe_finds_nothing(scheme: Any, width: int, site: browsers.Site, chromium: Browser, pocket: Pocket) -> None:
    lived(pocket.journal)
    pocket.exclude("pattern", "project falcon")
    page = site.enter(chromium, viewport={"width": width, "height": 820}, color_scheme=scheme)
    for name in VIEWS:
        view(page, name)
        open_all(page, name)
        found = Axe().run(page).response["violations"]
        if SHOTS.is_dir():
            page.screenshot(path=SHOTS / f"{name.replace('/', '-')}-{scheme}-{width}.png", full_page=name != "chat")
        assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found] == [], f"{name}, {scheme}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than the screen"
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert page.wrong == []  # type: ignore[attr-defined]
    page.context.close()


def open_all(page: Page, name: str) -> None:
    "What is folded away is looked at, too."
    if name == "memory":
        page.get_by_role("button", name="The user lives in Stromness.").click()
        page.locator(".trace:visible").wait_for()
    if name == "nights":
        page.locator(".night").first.get_by_text("What it learnt, and why").click()
        page.locator(".night").first.locator("svg.plot").first.wait_for()


def test_axe_finds_what_is_planted(page: Page) -> None:
    page.evaluate("() => { const b = document.createElement('button'); document.getElementById('view').append(b); }")
    assert "button-name" in {v["id"] for v in Axe().run(page).response["violations"]}


def test_the_files_come_from_here_alone(site: browsers.Site, chromium: Browser) -> None:
    "And the policy forbids the rest: no script in the page's text, nothing from elsewhere."
    context = browsers.context(chromium)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.goto(site.link())
    page.get_by_role("link", name="Memory").wait_for()
    for name in VIEWS[2:]:
        view(page, name)
    assert len(asked) > 15
    assert [url for url in asked if not url.startswith(site.url())] == []
    ran = page.evaluate("() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.head.append(s); return window.ran ?? 0; }")
    assert ran == 0
    context.close()


def test_the_parts_of_the_page_are_in_the_wheel() -> None:
    import tomllib

    root = Path(__file__).resolve().parent.parent
    built = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert built["packages"] == ["pocketsleep"]
    assert "static" not in (root / ".gitignore").read_text("utf-8")
    named = (root / "pocketsleep/serve/static/index.html").read_text("utf-8")
    assert "https://" not in named
    assert json.dumps("/assets/js/main.js") in named
