"""A report in a real browser: it is drawn, fetches nothing, breaks no rule of its policy, and a screen reader can read it."""

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from roi.cli import main

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-quic")

pytestmark = [pytest.mark.full, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytest.importorskip("vl_convert", reason="needs the extra [report]")


ROOT = Path(__file__).parents[3]
REPORTS = {
    "compare": ("compare", "--draws", "256"),
    "redacted": ("compare", "--draws", "64", "--redact"),
    "size": ("size",),
    "fit": ("fit", "qwen3-8b", "--examples", "5000"),
    "usage": ("usage", ROOT / "examples" / "openai_export.csv", "--tasks", "0"),
    "quality": ("quality", ROOT / "examples" / "quality_rows.jsonl", "--incumbent", "qwen3-8b", "--bar", "0.85"),
}
"""Each report, and the command that writes it."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each report in a file, written by its command."""
    folder = tmp_path_factory.mktemp("reports")
    runner = CliRunner(env={"XDG_CACHE_HOME": str(folder / "cache")})
    for name, command in REPORTS.items():
        done = runner.invoke(main, [*map(str, command), "--html", str(folder / f"{name}.html")])
        assert done.exit_code == 0, done.output
        assert str(folder) not in (folder / f"{name}.html").read_text(encoding="utf-8")
        assert (folder / f"{name}.html").stat().st_size < 1_500_000
    return {name: folder / f"{name}.html" for name in REPORTS}


@pytest.fixture(scope="module")
def browser() -> Iterator["sync_api.Browser"]:
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        opened.close()


def opened(browser: "sync_api.Browser", path: Path, **how: object) -> tuple["sync_api.Page", list[str], list[str]]:
    """The page once it is drawn, what the browser's log says, and what was asked for besides the file."""
    page = browser.new_context(**how).new_page()
    log, asked = list[str](), list[str]()
    page.on("console", lambda said: log.append(f"{said.type}: {said.text}"))
    page.on("pageerror", lambda error: log.append(f"error: {error}"))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-drawn]", timeout=120_000)
    assert page.locator("figure .picture svg").count() >= 1, "an empty page breaks no rule"
    return page, log, [url for url in asked if url != path.as_uri()]


@pytest.mark.parametrize("report", REPORTS)
def test_every_picture_is_drawn_no_wider_than_the_screen_and_the_browser_has_nothing_to_say(
    report: str, pages, browser,
) -> None:
    """A breach of the Content-Security-Policy would stand in the log; so would a request."""
    page, log, asked = opened(browser, pages[report], viewport={"width": 1100, "height": 900})
    assert log == []
    assert asked == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 1100
    assert page.locator("figure .picture svg").count() == page.locator("figure").count()
    assert "NaN" not in page.locator("main").inner_html()


@pytest.mark.parametrize("report", ["compare"])
def test_the_policy_stops_a_script_that_it_does_not_name(report: str, pages, browser, tmp_path: Path) -> None:
    """The log of the test above is worth something only if a breach would stand in it."""
    breached = tmp_path / "breached.html"
    html = pages[report].read_text(encoding="utf-8")
    more = '<script>document.title = "run"</script><img src="http://127.0.0.1:9/x" alt="">'
    breached.write_text(html.replace("<main", f"{more}<main"), encoding="utf-8")
    page, log, _ = opened(browser, breached)
    assert page.title() != "run"
    assert sum("Content Security Policy" in said for said in log) == 2


@pytest.mark.parametrize("report", REPORTS)
def test_on_a_phone_the_page_is_no_wider_than_the_screen_and_no_figure_lies_to_its_right(report: str, pages, browser) -> None:
    """With everything unfolded too: a table of many columns shows each row as its name, and below it every figure with its
    head.
    """
    page, _, _ = opened(browser, pages[report], viewport={"width": 375, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert page.evaluate("[...document.querySelectorAll('.scroll')].filter(each => each.scrollWidth > each.clientWidth + 1)"
                         ".map(each => each.ariaLabel)") == []
    assert page.evaluate("[...document.querySelectorAll('.wide td.r:not(:empty)')].filter(each => each.offsetWidth > 0)"
                         ".every(each => getComputedStyle(each, '::before').content === `\"${each.dataset.head}\"`)")


@cache
def axe() -> object:
    return pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()


@pytest.mark.parametrize(("theme", "report"), [
    *(("light", name) for name in REPORTS), *(("dark", name) for name in REPORTS if name != "redacted")])  # of the same colours
def test_axe_finds_no_fault(report: str, theme: str, pages, browser, tmp_path: Path) -> None:
    """With everything unfolded; the page's own policy is taken off, since it would keep axe out too."""
    bare = tmp_path / "bare.html"
    html = pages[report].read_text(encoding="utf-8")
    bare.write_text(html.replace('http-equiv="Content-Security-Policy"', 'name="policy"'), encoding="utf-8")
    page, _, _ = opened(browser, bare, color_scheme=theme)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    found = axe().run(page).response
    assert {"color-contrast", "svg-img-alt"} <= {rule["id"] for rule in found["passes"]}
    faults = found["violations"]
    assert [(fault["id"], fault["impact"], fault["nodes"][0]["html"][:200]) for fault in faults] == []


@pytest.mark.parametrize("report", ["compare"])
def test_the_keyboard_reaches_what_unfolds_and_a_picture_answers_the_pointer(report: str, pages, browser) -> None:
    page, _, _ = opened(browser, pages[report], viewport={"width": 1100, "height": 900})
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.evaluate("each => each.open")
    page.locator("figure svg").first.scroll_into_view_if_needed()
    box = page.locator("figure svg").first.bounding_box()
    assert box is not None
    for share in range(5, 100, 5):
        page.mouse.move(box["x"] + box["width"] * share / 100, box["y"] + box["height"] * 0.6)
        if page.locator("#tip").is_visible():
            break
    assert page.locator("#tip").is_visible()
    assert page.locator("#tip").inner_text().strip()


@pytest.mark.parametrize("report", REPORTS)
def test_without_scripts_every_table_is_there(report: str, pages, browser) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(pages[report].as_uri())
    assert page.locator("noscript").first.is_visible()
    assert page.locator("table").count() >= 1


def test_the_scenario_is_copied_by_a_button(pages, browser) -> None:
    page, _, _ = opened(browser, pages["compare"])
    page.get_by_text("The scenario as YAML").click()
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied").or_(page.get_by_text("Selected")).wait_for()
    assert page.locator("pre[id^=copied]").inner_text().startswith("schema: roi.scenario/1")


def test_on_a_phone_no_title_of_an_axis_is_cut_and_arithmetic_has_room(pages, browser, tmp_path: Path) -> None:
    """Titles of axes, here of an option with a long name, break into lines; what unfolds in a row has more than its column."""
    named = pages["compare"].read_text(encoding="utf-8").replace(
        '"title":"NPV of gpt-6-luna,', '"title":"NPV of qwen3-14b+lora floor + spill to gpt-6-luna,')
    (tmp_path / "named.html").write_text(named, encoding="utf-8")
    assert "NPV of qwen3-14b" in named
    page, _, _ = opened(browser, tmp_path / "named.html", viewport={"width": 400, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    titles = page.evaluate("""() => [...document.querySelectorAll('figure svg .role-axis-title text')].map(each => {
        const [text, picture] = [each, each.ownerSVGElement].map(x => x.getBoundingClientRect());
        return [each.textContent, text.left >= picture.left - 1 && text.right <= picture.right + 1]; })""")
    assert any("qwen3-14b+lora floor" in title for title, _ in titles)
    assert [title for title, inside in titles if not inside] == []
    widths = page.evaluate("[...document.querySelectorAll('.arithmetic')].map(each => each.getBoundingClientRect().width)")
    assert min(widths) > 220


def test_the_figures_of_a_picture_stand_in_whole_where_there_is_room(pages, browser) -> None:
    page, _, _ = opened(browser, pages["compare"], viewport={"width": 1280, "height": 900})
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    widths = page.evaluate("[...document.querySelectorAll('figure .scroll')].map(each => [each.scrollWidth, each.clientWidth])")
    assert widths
    assert [(wanted, room) for wanted, room in widths if wanted > room] == []
