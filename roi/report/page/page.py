"""An HTML report as text: one file that fetches nothing, under a policy that runs only the scripts it was written with."""

import base64
import contextlib
import json
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from roi.disk import replace_file
from roi.errors import RoiError, needs
from roi.report.charts.style import DARK_ENDS, DARK_LINES, DARK_OPTIONS, ENDS, LINES, OPTIONS
from roi.report.layout.blocks import Table, flat_heads, full_rows, printable, unbroken
from roi.report.page.parts import Page, changed, limited

TEMPLATES = Path(__file__).with_name("templates")
RANGES = {"category": (OPTIONS, DARK_OPTIONS), "ordinal": (LINES, DARK_LINES), "diverging": (ENDS, DARK_ENDS)}
"""Colours on light and on dark paper by the name of their range; a picture names them as CSS variables."""

NAMELESS = ("row", "note")
"""The heads of a first column, and of another one, that have none on a terminal."""
PHONE, NAME, PADDING = 42, 15, 1.6
"""Characters of a table on a phone of 375 pixels, of its first column at least, and what a column has around them: page.css has
margins of 0.75rem, 0.9rem of type with figures of 8 pixels, names of 7.5rem at least, and cells with 0.4rem on both sides."""
VEGA_LITE = "6.4"
"""The version of Vega-Lite that draws; what notebooks show as version 5 it draws alike."""
PACKAGE = "vl-convert-python"


def page_html(page: Page, drawing: str) -> str:
    """The page as one HTML file; `drawing` is the text of `drawing_script`. MissingExtra where Jinja is missing."""
    with needs("report", "Jinja2"):
        import jinja2

    css, js = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    for theme, nth in (("COLOURS_LIGHT", 0), ("COLOURS_DARK", 1)):
        css = css.replace(theme, " ".join(f"--{name}{k}: {colour};" for name, both in RANGES.items()
                                          for k, colour in enumerate(both[nth])))
    world = jinja2.Environment(autoescape=True, loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined)
    helpers: dict[str, Any] = {  # Any: functions of several kinds
        "kind_of": lambda part: type(part).__name__, "json_of": _json,
        "heads_of": lambda table: [head or NAMELESS[bool(k)] for k, head in enumerate(flat_heads(table.heads))],
        "right": _right, "stacks": _stacks,
    }
    world.globals.update(helpers)
    world.filters["unbroken"] = unbroken
    return world.get_template("page.html.jinja").render(
        page=changed(limited(page), _plain), css=css, js=js, drawing=drawing, policy=_policy(css, (drawing, js)),
        ranges={name: len(both[0]) for name, both in RANGES.items()},
    )


def _right(table: Table, k: int) -> bool:
    return table.align.ljust(k + 1, "r")[k] == "r"


def _stacks(table: Table) -> bool:
    """True where a phone has no room for the columns, or for what unfolds: a row is its name, figures with heads stand below.

    Figures keep to one line; of names, words and heads the longest word does.
    """
    def word(text: str) -> int:
        return max(map(len, text.split()), default=0)

    rows = full_rows(table)
    wanted = [max(word(head), *(len(row.cells[k]) if _right(table, k) else word(row.cells[k]) for row in rows))
              for k, head in enumerate(table.heads)] if rows else [0]
    return any(row.detail for row in rows) or max(wanted[0], NAME) + sum(wanted[1:]) + PADDING * len(wanted) > PHONE


def _policy(css: str, scripts: tuple[str, ...]) -> str:
    """The Content-Security-Policy: nothing is fetched, and nothing runs or paints but what these digests name."""
    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"

    return (f"default-src 'none'; script-src {' '.join(map(digest, scripts))}; style-src {digest(css)}; img-src data:;"
            " base-uri 'none'; form-action 'none'")


def _json(value: object) -> str:
    """JSON that may stand inside a script tag: nothing in it ends the tag or begins a comment."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e")


def _plain(text: str) -> str:
    """The text without control characters; line ends stay, for what is copied."""
    return "\n".join(map(printable, text.split("\n")))


def drawing_script(cache: Path) -> str:
    """The script, about 0.9 MB; from the folder `cache` where it lies there, else made (some seconds) and put there.

    MissingExtra where vl-convert is not installed. A folder that cannot be written costs only the time.
    """
    with needs("report", "vl-convert"):
        kept = cache / f"vega-lite-{VEGA_LITE}-{version(PACKAGE)}.js"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if text := kept.read_text(encoding="utf-8"):
            return text
    with needs("report", "vl-convert"):
        import vl_convert
    text = _inline(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE))
    with contextlib.suppress(OSError, RoiError):
        _keep(kept, text)
    return text


def _inline(script: str) -> str:
    """The script as it may stand between tags: in scope of its own, with nothing in it that would end the tag."""
    safe = script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return f"(()=>{{{safe}\n}})();"


def _keep(path: Path, text: str) -> None:
    """Put the script where the next report finds it, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text, "cache")
