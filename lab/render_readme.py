"""README.md and the pages of docs/ with the program's own output between their markers.

A block starts with `<!-- output: COMMAND -->` and ends with `<!-- end -->`; what stands between is replaced by what COMMAND,
started in this repository, prints at 80 columns without colour; `COMMAND | head -N` keeps the first N lines, and
`COMMAND | grep -A N WORDS` the first line with the words and N more. `make readme` writes the pages; tests/test_readme.py
checks that they are current.
"""

import re
import shlex
from contextlib import chdir
from pathlib import Path

from click.testing import CliRunner

from roi.cli import main
from roi.cli.check import BROKEN

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, *(page for page in DOCS if "<!-- output: " in page.read_text(encoding="utf-8"))]
"""Pages that hold output."""

_BLOCK = re.compile(r"(?P<start><!-- output: roi(?P<arguments>[^\n]*?) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def rendered(text: str) -> str:
    """`text` with every block filled anew."""
    return _BLOCK.sub(lambda block: f"{block['start']}```{_kind(block['arguments'])}\n{output(block['arguments'])}```\n"
                                    f"{block['end']}", text)


def output(arguments: str) -> str:
    """What `roi ARGUMENTS` prints on stdout; AssertionError where it fails. A policy that does not hold is an answer."""
    words, _, kept = arguments.partition(" | ")
    runner = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"})
    with chdir(ROOT):
        answer = runner.invoke(main, shlex.split(words), prog_name="roi", catch_exceptions=False)
    assert answer.exit_code in {0, BROKEN}, f"roi {words}: exit {answer.exit_code}: {answer.stderr}"
    lines = [line.rstrip() for line in answer.stdout.splitlines()]
    return "\n".join(_kept(lines, kept)) + "\n"


def _kept(lines: list[str], kept: str) -> list[str]:
    """The lines that `head -N` or `grep -A N WORDS` keeps; all where nothing is asked."""
    name, *asked = shlex.split(kept) or [""]
    if name == "head":
        return lines[: -int(asked[0])]
    if name == "grep":
        first = next(k for k, line in enumerate(lines) if asked[2] in line)
        return lines[first : first + int(asked[1]) + 1]
    assert not name, kept
    return lines


def _kind(arguments: str) -> str:
    """The language that a reader's viewer may colour."""
    return "yaml" if arguments.split()[:1] == ["init"] else "text"


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(rendered(page.read_text(encoding="utf-8")), encoding="utf-8")
