"""The page in a real browser: streaming, Stop, sources, refresh, phones, and nothing fetched from anywhere else."""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from streamlit.runtime import Runtime

from ingest.base.settings import Settings
from tests.fakes.scripted_assistant import ScriptedAssistant
from ui.http.server import create_app

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: install Debian's `chromium`"),
]


@dataclass
class Site:
    """The application under test: where it is, and the assistant behind it."""

    address: str
    assistant: ScriptedAssistant


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server for all tests of this module, with the scripted assistant."""
    assistant = ScriptedAssistant(Settings(home=tmp_path_factory.mktemp("home")))
    # Streamlit keeps one page per process: forget the one that an earlier test has stopped.
    Runtime._instance = None
    running = uvicorn.Server(uvicorn.Config(create_app(assistant), log_config=None, log_level="warning"))  # type: ignore[arg-type]
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not running.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}/", assistant)
    running.should_exit = running.force_exit = True
    thread.join(10)
    listener.close()
    Runtime._instance = None


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: playwright.Browser, site: Site) -> Iterator[Callable[..., playwright.Page]]:
    """Opens the page in a fresh profile. Afterwards no request may have left this machine and no script failed."""
    contexts, elsewhere, errors = [], [], []
    site.assistant.__init__(site.assistant.settings)  # type: ignore[misc]

    def open_page(width: int = 1280, height: int = 800, locale: str = "en-GB") -> playwright.Page:
        context = browser.new_context(viewport={"width": width, "height": height}, locale=locale)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: elsewhere.append(request.url) if is_elsewhere(request.url) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(site.address)
        page.locator("textarea").wait_for()
        return page

    def is_elsewhere(url: str) -> bool:
        return not url.startswith((site.address, site.address.replace("http", "ws"), "data:", "blob:"))

    yield open_page
    for context in contexts:
        context.close()
    assert (elsewhere, errors) == ([], [])


def ask(page: playwright.Page, question: str) -> None:
    page.locator("textarea").fill(question)
    page.locator("textarea").press("Enter")


def overflow(page: playwright.Page) -> int:
    """How many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def test_a_question_streams_and_its_source_opens(visit: Callable[..., playwright.Page], site: Site) -> None:
    """The answer grows in view, then its source opens to the highlighted sentence and leads to the file."""
    site.assistant.pause = 0.1
    page = visit()
    assert page.title() == "Docent"
    ask(page, "How many days of annual leave?")
    growing = page.locator(".docent-answer")
    growing.get_by_text("Full-time employees").wait_for()
    partial = growing.inner_text()
    page.get_by_role("button", name="Copy").wait_for()
    assert growing.inner_text() == "Full-time employees get 25 days of annual leave a year [1]."
    assert len(partial) < len(growing.inner_text())
    card = page.locator("details.docent-source").first
    assert card.locator("summary").inner_text().replace("\n", " ") == (
        "[1] Staff handbook — p. 3 · Time off › Annual leave"
    )
    assert not card.locator("mark").is_visible()
    card.locator("summary").click()
    assert card.locator("mark").inner_text() == "Full-time employees get 25 days of annual leave a year."
    link = card.get_by_role("link", name="Open the document")
    assert link.get_attribute("href") == "/documents/1#page=3"
    assert link.get_attribute("target") == "_blank"


def test_the_original_opens_beside_the_page(visit: Callable[..., playwright.Page], site: Site, tmp_path: Path) -> None:
    """The link under a passage opens the file itself in another tab."""
    site.assistant.library.files[1] = tmp_path / "handbook.txt"
    site.assistant.library.files[1].write_text("The whole handbook.")
    page = visit()
    ask(page, "How much leave?")
    page.get_by_role("button", name="Copy").wait_for()
    page.locator("details.docent-source summary").first.click()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open the document").first.click()
    assert opened.value.locator("body").inner_text() == "The whole handbook."


def test_stop_stops_and_keeps_what_there_is(visit: Callable[..., playwright.Page], site: Site) -> None:
    """Stop closes the assistant's stream at once; the text so far stays, marked, and the next question works."""
    site.assistant.pause, site.assistant.answer = 0.1, "word " * 300
    page = visit()
    ask(page, "A long question")
    page.locator(".docent-answer").get_by_text("word word").wait_for()
    page.get_by_role("button", name="Stop").click()
    assert site.assistant.ended.wait(2)
    assert (site.assistant.closed, site.assistant.finished) == (1, 0)
    page.get_by_text("Stopped. The answer is not complete.").wait_for()
    assert page.locator(".docent-answer").inner_text().startswith("word word")
    # The page draws the notice first, and then takes the button away; a button that stays fails here.
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    assert page.get_by_role("button", name="Stop").count() == 0
    site.assistant.pause, site.assistant.answer = 0.0, "Short."
    ask(page, "A short question")
    page.get_by_text("Short.").first.wait_for()
    assert page.locator(".docent-question").all_inner_texts() == ["A long question", "A short question"]
    assert page.get_by_text("Stopped. The answer is not complete.").count() == 1


def test_a_closed_tab_frees_the_model(visit: Callable[..., playwright.Page], site: Site) -> None:
    """When the person leaves, the answer is stopped."""
    site.assistant.pause, site.assistant.answer = 0.1, "word " * 300
    page = visit()
    ask(page, "A long question")
    page.locator(".docent-answer").get_by_text("word word").wait_for()
    page.close()
    assert site.assistant.ended.wait(5)


def test_the_queue_is_shown(visit: Callable[..., playwright.Page], site: Site) -> None:
    """While others are answered, a person sees how many are before them, and the passages that were found."""
    site.assistant.pause, site.assistant.queue = 0.5, (2, 1)
    page = visit()
    ask(page, "How much leave?")
    page.get_by_text("2 questions before yours").wait_for()
    page.get_by_text("1 question before yours").wait_for()
    assert page.get_by_text("Found in").is_visible()
    assert page.get_by_text("For example").count() == 0
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped before the answer began.").wait_for()


def test_a_refresh_shows_the_same_conversation(visit: Callable[..., playwright.Page]) -> None:
    """The address keeps the conversation; New conversation starts another one."""
    page = visit()
    ask(page, "First question")
    page.get_by_role("button", name="Copy").wait_for()
    address = page.url
    assert re.search(r"\?c=[0-9a-f]{32}$", address)
    page.reload()
    page.get_by_role("button", name="Copy").wait_for()
    assert page.url == address
    assert page.locator(".docent-question").all_inner_texts() == ["First question"]
    page.get_by_role("button", name="New conversation").click()
    page.get_by_text("What would you like to know?").wait_for()
    assert page.url != address


def test_a_phone_shows_everything_without_scrolling_sideways(visit: Callable[..., playwright.Page], site: Site) -> None:
    """At 390 pixels nothing is wider than the screen, not even a long word or an open table."""
    site.assistant.answer = f"See {'unbreakable' * 20} [1]."
    page = visit(390, 844)
    assert overflow(page) == 0
    ask(page, "Where is " + "longword" * 20)
    page.get_by_role("button", name="Copy").wait_for()
    page.locator("details.docent-source summary").first.click()
    page.locator("details.docent-others > summary").click()
    assert page.locator("mark").first.is_visible()
    assert overflow(page) == 0


def test_a_chinese_browser_gets_a_chinese_page(visit: Callable[..., playwright.Page]) -> None:
    """The browser's language decides; there is no setting."""
    page = visit(locale="zh-CN")
    page.get_by_text("您想了解什么？").wait_for()
    page.get_by_role("button", name="年假有多少天？").click()
    page.get_by_text("出处", exact=True).wait_for()


def test_no_clutter_of_the_framework(visit: Callable[..., playwright.Page]) -> None:
    """Nothing of Streamlit is visible: no menu, no deploy button, no status widget."""
    page = visit()
    for test_id in ("stMainMenu", "stAppDeployButton", "stToolbarActions", "stStatusWidget"):
        assert not page.get_by_test_id(test_id).is_visible()
