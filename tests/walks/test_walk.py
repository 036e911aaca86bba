"""The whole program as people use it: real commands, library, server and page over the sample company."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.fakes.loopback_hub import closed_port
from tests.fakes.sample_corpus import DOCUMENTS
from tests.walks.test_browser import ARGUMENTS, CHROMIUM

DOCENT = str(Path(sys.executable).with_name("docent"))
START_SECONDS = 60


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the sample company, made by the command."""
    home = tmp_path_factory.mktemp("walk") / "library"
    report = json.loads(docent(home, "ingest", str(DOCUMENTS), "--json").stdout)
    assert report["failed"] == []
    assert report["added"] == len([path for path in DOCUMENTS.rglob("*") if path.is_file()])
    return home


def environment(home: Path, **more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DOCENT_", "MODELSCOPE_"))}
    hub = f"http://127.0.0.1:{closed_port()}"
    return {
        **clean,
        "DOCENT_HOME": str(home),
        "DOCENT_MODELS_CACHE": str(home / "models"),
        "MODELSCOPE_ENDPOINT": hub,
    } | more


def docent(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DOCENT, *arguments],
        env=environment(home, **more),
        cwd=home.parent,
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def serving(home: Path, **more: str) -> Iterator[str]:
    """`docent serve` as a process of its own; its address once it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = home.parent / f"serve-{port}.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [DOCENT, "serve", "--port", str(port)],
            env=environment(home, **more),
            cwd=home.parent,
            stderr=output,
            stdout=output,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(address, server, log)
        yield address
    finally:
        server.terminate()
        server.wait(20)


def _wait_until_ready(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(START_SECONDS * 10):
        assert server.poll() is None, log.read_text()
        try:
            if httpx.get(f"{address}/health").json()["ready"]:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def site(home: Path) -> Iterator[str]:
    with serving(home) as address:
        yield address


@pytest.mark.parametrize(
    ("question", "document", "answer"),
    [
        ("How many days of annual leave do employees get?", "hr/leave-policy-2026.md", "22 days"),
        ("年假有多少天？", "hr/休假制度-2026.md", "22天"),
    ],
)
def test_the_first_question_is_answered_correctly(home: Path, question: str, document: str, answer: str) -> None:
    """The question of the README gets the newest policy's answer, cited, from the terminal."""
    asked = docent(home, "ask", question, "--json")
    assert asked.returncode == 0, asked.stderr
    result = json.loads(asked.stdout)
    assert answer in result["answer"]
    assert not result["abstained"]
    first = result["citations"][0]
    assert (first["n"], first["path"]) == (1, document)
    assert answer in first["quote"]


def test_a_fact_deep_in_a_pdf_is_found_with_its_page(home: Path) -> None:
    """A search names the right page of the PDF."""
    hits = json.loads(docent(home, "search", "AQ-400 error E-17 pump motor overloaded", "--json").stdout)
    pages = [(hit["path"], hit["page"]) for hit in hits if hit["path"].endswith(".pdf")]
    assert pages[0][0] == "product/aq-400-operator-manual.pdf"
    assert int(re.sub(r"\D", "", pages[0][1])) >= 3


def test_without_weights_the_terminal_says_how_to_get_them(home: Path) -> None:
    """The quoted answer comes with one line that says why, and the exit code is 0."""
    asked = docent(home, "ask", "How many days of annual leave do employees get?")
    assert asked.returncode == 0
    assert "docent models pull" in asked.stderr
    assert "Traceback" not in asked.stderr + asked.stdout


def test_a_running_server_answers_from_what_another_process_ingests(home: Path, site: str, tmp_path: Path) -> None:
    """A document ingested while the server runs is used for answers, a removed one no longer, without a restart."""
    note = tmp_path / "parking.md"
    note.write_text("# Parking\n\nVisitors may use 17 spaces in the Quayside garage.\n", "utf-8")
    question = {"input": "How many spaces may visitors use in the Quayside garage?"}
    assert docent(home, "ingest", str(note)).returncode == 0
    assert _eventually(lambda: "17 spaces" in httpx.post(f"{site}/chat", json=question).json()["response"])
    assert docent(home, "remove", "parking.md").returncode == 0
    assert _eventually(lambda: "17 spaces" not in httpx.post(f"{site}/chat", json=question).json()["response"])


def _eventually(condition: object) -> bool:
    for _ in range(100):
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.1)
    return False


def test_the_stream_is_the_answer_in_pieces(site: str) -> None:
    """Server-sent events come in the contract's order, and the texts joined are the answer."""
    kinds, texts, done = [], [], {}
    with httpx.stream("POST", f"{site}/stream_chat", json={"message": "年假有多少天？"}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        event = ""
        for line in response.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data = line.removeprefix("data: ")
                kinds.append("[DONE]" if data == "[DONE]" else event or "text")
                if kinds[-1] == "text":
                    texts.append(json.loads(data)["text"])
                elif kinds[-1] == "done":
                    done = json.loads(data)
            elif not line:
                event = ""
    assert kinds[0] == "evidence"
    assert kinds[-2:] == ["done", "[DONE]"]
    assert set(kinds[1:-2]) == {"text"}
    assert "".join(texts) == done["response"]


def test_a_real_checkpoint_answers_over_http(home: Path, tiny_checkpoint: Path) -> None:
    """With weights in a folder the model is converted and answers, and cites only what its sources support."""
    with serving(
        home, DOCENT_MODEL=str(tiny_checkpoint), DOCENT_TEMPERATURE="0", DOCENT_MAX_NEW_TOKENS="24"
    ) as address:
        assert httpx.get(f"{address}/health").json()["model_loaded"]
        body = {"input": "How many days of annual leave do employees get?", "session": "walk"}
        first = httpx.post(f"{address}/chat", json=body, timeout=60).json()
        assert first["engine"] == "openvino"
        assert first["finish_reason"] in {"stop", "length"}
        assert first["response"]
        # A checkpoint of random weights writes nothing that the documents say.
        assert first["citations"] == []
        second = httpx.post(
            f"{address}/chat",
            json={"input": "And for part-timers, how many days of leave?", "session": "walk"},
            timeout=60,
        )
        assert second.status_code == 200


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: install Debian's `chromium`")
def test_a_person_asks_and_opens_the_source(site: str) -> None:
    """An example question is one click; the answer streams in; its source opens to the sentence and the document."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_context(locale="zh-CN", viewport={"width": 390, "height": 844}).new_page()
        page.goto(site)
        page.get_by_text("docent models pull").wait_for()
        page.get_by_role("button", name=re.compile("《.*》")).nth(3).wait_for()
        page.locator("textarea").fill("年假有多少天？")
        page.locator("textarea").press("Enter")
        page.locator("details.docent-source").first.wait_for()
        answer = page.locator(".docent-answer").last
        answer.get_by_text("22天").first.wait_for()
        card = page.locator("details.docent-source").first
        card.locator("summary").click()
        assert "22天" in card.locator("mark").first.inner_text()
        assert "休假制度-2026.md" in card.inner_text()
        address = card.get_by_role("link").get_attribute("href")
        assert "全职员工" in httpx.get(f"{site}{address}").text
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.reload()
        page.locator(".docent-answer").get_by_text("22天").first.wait_for()
        browser.close()
