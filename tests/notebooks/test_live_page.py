"""`marimo run notebooks/payback_before_committing.py` in a real Chromium: sliders, verdicts, what is saved, a phone's width."""

import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from roi.cli import main

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "payback_before_committing.py"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
STARTS_S, ANSWERS_MS = 120.0, 120_000
"""How long a loaded machine may take; nothing asserts a time."""
VOLUME, RENT, RIGHT, ITEMS, USD = range(5)
"""The sliders of scenario A, in their order; those of B follow."""

pytestmark = [
    pytest.mark.full, pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)"),
]  # fmt: skip


@pytest.fixture(scope="module")
def served():
    """The page's address; its server ends with the module."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "marimo", "run", str(NOTEBOOK), "--headless", "--no-token", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        address, until = f"http://127.0.0.1:{port}", time.monotonic() + STARTS_S
        while True:
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, "marimo ended"
                assert time.monotonic() < until, "marimo does not answer"
                time.sleep(0.2)
        yield address
        server.terminate()


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the extra dev")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser, served):
    """The page once both scenarios are answered; `asked` holds the requests to other hosts and `failed` errors of scripts."""
    opened = browser.new_page(viewport={"width": 1400, "height": 2400})
    opened.set_default_timeout(ANSWERS_MS)
    opened.asked, opened.failed = [], []
    opened.on("request", lambda r: None if r.url.startswith((served, "data:", "blob:")) else opened.asked.append(r.url))
    opened.on("pageerror", lambda error: opened.failed.append(str(error)))
    opened.goto(served)
    heading(opened, "B").wait_for()
    yield opened
    opened.close()


def heading(page, name):
    return page.get_by_role("heading", name=re.compile(f"^Scenario {name}: (change|stay|measure)"))


def test_a_slider_moves_the_verdict_and_nothing_is_fetched_from_elsewhere(page):
    """At $50 a wrong answer no cheaper model pays for its errors."""
    assert heading(page, "A").inner_text() == "Scenario A: measure first, else change to gpt-6-luna"
    before = heading(page, "B").inner_text()
    page.get_by_role("slider").nth(USD).focus()
    page.keyboard.press("End")
    page.get_by_role("heading", name=re.compile("^Scenario A: stay")).wait_for()
    assert heading(page, "B").inner_text() == before
    assert page.asked == []
    assert page.failed == []


def test_the_saved_yaml_gives_the_same_answer_at_the_command_line(page, tmp_path):
    page.get_by_role("slider").nth(VOLUME).focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("heading", name="Scenario A: 20,000 requests a day").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as YAML").or_(page.get_by_role("link", name="Save as YAML")).first.click()
    file = tmp_path / "saved.yaml"
    download.value.save_as(file)
    answer = CliRunner(env={"COLUMNS": "80"}).invoke(main, ["compare", str(file)], catch_exceptions=False)
    assert answer.exit_code == 0
    told = " ".join(answer.stdout.split())
    npv = re.search(r"NPV, wrong answers counted: mean \$[\d,]+, bad case \$[\d,]+, good case \$[\d,]+\.", told)
    assert npv is not None
    shown = " ".join(page.locator("body").inner_text().split())
    assert npv[0] in shown
    row = re.compile(r"> gpt-6-luna (\S+ \S+) (?:\S+ ){3}(\S+ \S+ assumed)")  # NPV between them, in the unit of the table
    assert row.search(told).groups() == row.search(shown).groups()


def test_break_even_is_worked_out_when_it_is_looked_at(page):
    pictures = page.locator("svg.marks, canvas.marks")
    pictures.nth(3).wait_for()
    assert pictures.count() == 4
    page.get_by_role("button", name="Break-even along the volume").first.click()
    pictures.nth(4).wait_for()


def test_a_phone_shows_the_page_without_scrolling_sideways(page):
    page.set_viewport_size({"width": 375, "height": 800})
    page.wait_for_timeout(1500)
    wide = page.evaluate("""() => [...document.querySelectorAll('*')].filter(e => e.clientWidth > 300
        && e.scrollWidth > e.clientWidth + 8 && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)
        && !e.querySelector(':scope > table')).map(e => e.tagName + ' ' + e.className + ' ' + e.scrollWidth)""")
    assert wide == []  # but the table of options, which scrolls in its own box
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    first, second = (heading(page, name).bounding_box() for name in "AB")
    assert second["y"] > first["y"] + 400  # below each other
