"""README.md shows what the program prints now."""

import re

from render_readme import README, rendered

TEXT = README.read_text(encoding="utf-8")


def test_the_output_in_the_readme_is_current() -> None:
    assert rendered(TEXT) == TEXT, "run `make readme`"


def test_every_marker_is_closed_and_known() -> None:
    """A marker with a typing error would never be filled."""
    starts = re.findall(r"<!-- output: (.*?) -->", TEXT)
    assert starts
    assert all(start.startswith("roi ") for start in starts)
    assert TEXT.count("<!-- end -->") == len(starts)


def test_no_output_is_wider_than_80_columns() -> None:
    blocks = re.findall(r"<!-- output: .*?<!-- end -->", TEXT, re.DOTALL)
    assert max(len(line) for block in blocks for line in block.splitlines()) <= 80


def test_the_two_commands_are_those_of_the_makefile() -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    assert "make demo" in TEXT
    assert "make test" in TEXT
    assert all(f"\n{target}:" in makefile for target in ("demo", "test"))
