"""`make pictures`: screenshots of the real page, answering a real question about the sample company.

Ingests `data/documents` into a temporary library, starts `docent serve` on a free port and drives it with the system's
Chromium. The answers are quotations (`engine = extractive`), so the pictures look the same on every machine, with or
without model weights.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

PROJECT = Path(__file__).parent.parent
PICTURES = PROJECT / "docs" / "pictures"
LARGEST_BYTES = 200_000
START_SECONDS = 120
SETTLE_MILLISECONDS = 800
# Which element scrolls differs between Streamlit's layouts.
SCROLL_TO_TOP = "() => document.querySelectorAll('*').forEach(element => { element.scrollTop = 0 })"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@dataclass(frozen=True)
class Picture:
    """One screenshot. Sizes are CSS pixels; the file has twice as many."""

    name: str
    question: str
    locale: str
    color_scheme: str
    width: int
    height: int


IN_ENGLISH = "How many days of annual leave do employees get?"
IN_CHINESE = "年假有多少天？"
WANTED = (
    Picture("page-light", IN_ENGLISH, "en-GB", "light", 960, 740),
    Picture("page-dark", IN_ENGLISH, "en-GB", "dark", 960, 740),
    Picture("page-phone", IN_ENGLISH, "en-GB", "light", 390, 844),
    Picture("page-chinese", IN_CHINESE, "zh-CN", "light", 960, 740),
)


def main() -> int:
    chromium = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if chromium is None:
        print("No Chromium on this machine: install Debian's `chromium` and `fonts-noto-cjk`.", file=sys.stderr)
        return 1
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="docent-pictures-") as folder,
        serving(Path(folder)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        for picture in WANTED:
            data = optimised(screenshot(browser, address, picture))
            if len(data) > LARGEST_BYTES:
                print(f"{picture.name} has {len(data)} bytes: make it smaller.", file=sys.stderr)
                return 1
            path = PICTURES / f"{picture.name}.webp"
            path.write_bytes(data)
            print(f"{path.relative_to(PROJECT)}: {len(data) // 1000} kB")
        browser.close()
    return 0


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of `docent serve` over a library of the sample company, made in `folder`."""
    foreign = ("DOCENT_", "MODELSCOPE_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment |= {"DOCENT_HOME": str(folder / "library"), "DOCENT_ENGINE": "extractive"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(PROJECT), environment.get("PYTHONPATH"))))
    docent = [sys.executable, "-c", "from ui.cli.main import main; main()"]
    documents = str(PROJECT / "data" / "documents")
    subprocess.run([*docent, "ingest", documents], env=environment, cwd=folder, check=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen([*docent, "serve", "--port", str(port)], env=environment, cwd=folder)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(address, server)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def wait_until_ready(address: str, server: subprocess.Popen[bytes]) -> None:
    """Raises TimeoutError or ChildProcessError when the server does not come up."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise ChildProcessError(f"docent serve ended with exit code {server.returncode}")
        try:
            if httpx.get(f"{address}/health", timeout=5, trust_env=False).json()["ready"]:
                return
        except (httpx.HTTPError, KeyError, ValueError):
            pass
        time.sleep(0.2)
    raise TimeoutError(f"docent serve was not ready within {START_SECONDS} s")


def screenshot(browser: Browser, address: str, picture: Picture) -> bytes:
    """Ask the question, open the first source, return the window as PNG."""
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        locale=picture.locale,
        color_scheme=picture.color_scheme,  # type: ignore[arg-type]
        device_scale_factor=2,
    )
    try:
        page = context.new_page()
        page.goto(address)
        page.locator("textarea:enabled").fill(picture.question)
        page.locator("textarea").press("Enter")
        page.get_by_test_id("stPopover").wait_for()  # the button that copies the answer: it is complete
        page.locator("details.docent-source summary").first.click()
        page.mouse.move(0, 0)
        page.locator("textarea").evaluate("element => element.blur()")
        # Streamlit scrolls to the end when an answer grows, and again after a click: wait for that, then go back.
        page.wait_for_timeout(SETTLE_MILLISECONDS)
        page.evaluate(SCROLL_TO_TOP)
        page.wait_for_timeout(SETTLE_MILLISECONDS)
        return page.screenshot()
    finally:
        context.close()


def optimised(png: bytes) -> bytes:
    """The same picture as WebP; lossy, at a quality where letters keep their edges."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(buffer, "WEBP", quality=88, method=6)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
