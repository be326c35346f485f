"""The documents keep their word: paths that they name exist, links lead somewhere, lists are those of the house."""

import ast
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from long_tables import every_row

import roi

ROOT = Path(roi.__file__).parent.parent
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md"]
RENDERED = {"accuracy.md", "claims.md"}
"""Pages that a script writes; the tests of that script hold them."""
WRITTEN = [page for page in PAGES if page.name not in RENDERED]
CODE = [
    ROOT / "pyproject.toml", ROOT / "Makefile", ROOT / "setup.py",
    *(file for room in ("roi", "tests", "lab", "benchmarks") for file in sorted((ROOT / room).rglob("*.py"))),
]  # fmt: skip


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@every_row("page", PAGES)
def test_every_path_of_the_house_that_a_page_names_exists(page: Path) -> None:
    """roi/..., and in pages that people write tests/..., lab/... too. A part in capitals stands for a name: only what is
    before it is looked up.
    """
    folders = "roi" if page.name in RENDERED else "roi|tests|lab|benchmarks|docs|profiles|examples"
    found = re.findall(rf"(?<![\w./-])((?:{folders})/[\w./-]*)", page.read_text(encoding="utf-8"))
    named = {re.sub(r"[a-z_]*[A-Z]{3,}.*$", "", path).rstrip(".") for path in found}
    assert {path for path in named if not (ROOT / path).exists()} == set()


@every_row("page", WRITTEN)
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@every_row("page", WRITTEN)
def test_no_line_of_a_page_is_longer_than_128_columns_but_in_tables(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 128 and not line.startswith("|")] == []


def entries() -> list[str]:
    return re.findall(r"^- \*\*(.+?)\*\*: .+\.$", text_of("docs/glossary.md"), re.MULTILINE)


def test_the_glossary_is_alphabetical_and_has_one_sentence_a_word() -> None:
    lines = [line for line in text_of("docs/glossary.md").splitlines() if line.startswith("- ")]
    assert len(entries()) == len(lines)
    folded = [word.casefold() for word in entries()]
    assert folded == sorted(set(folded))


def test_the_glossary_has_every_room_of_the_map() -> None:
    """The names that begin each floor in roi's docstring, and what the path of data passes."""
    floors = re.findall(r"^    ([a-z]+(?: \| [a-z]+)*)  ", roi.__doc__ or "", re.MULTILINE)
    rooms = {room for floor in floors for room in floor.split(" | ")}
    assert len(rooms) >= len([path for path in (ROOT / "roi").iterdir() if (path / "__init__.py").exists()])
    known = {word.casefold() for word in entries()}
    assert {word for word in (*rooms, "scenario", "case", "comparison") if word not in known} == set()


def test_the_table_of_rooms_is_the_floors_that_are_enforced() -> None:
    """From the top, the rooms of one floor next to each other; a floor in brackets is not built yet."""
    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers" and c["containers"] == ["roi"])
    floors = [{room for room in layer.split(" | ") if not room.startswith("(")} for layer in layers]
    table = re.findall(r"^\| `(\w+)` \|", text_of("docs/architecture.md"), re.MULTILINE)
    assert len(set(table)) == len(table)
    for floor in floors:
        assert set(table[: len(floor)]) == floor
        table = table[len(floor) :]
    assert table == []


def test_only_names_that_the_architecture_lists_occur_twice() -> None:
    section = text_of("docs/architecture.md").partition("## Names that occur twice")[2].partition("\n## ")[0]
    allowed = set(re.findall(r"`(\w+\.py)`", section))
    counts = Counter(file.name for file in (ROOT / "roi").rglob("*.py"))
    assert {name for name, count in counts.items() if count > 1} <= allowed


def test_a_convention_that_code_cites_exists_and_each_has_one_number() -> None:
    numbers = re.findall(r"^(\d+)\. ", text_of("docs/conventions.md"), re.MULTILINE)
    assert sorted(map(int, numbers)) == list(range(1, len(numbers) + 1))
    cited = {number for file in CODE for number in re.findall(r"\bconvention (\d+)\b", file.read_text(encoding="utf-8"))}
    assert cited <= set(numbers)


def test_a_document_that_code_cites_is_in_the_repository() -> None:
    """docs/... paths, and names in capitals that end in .md; a number behind docs/economics.md is one of its definitions."""
    pages = re.compile(r"(?<![\w/])(docs/[\w./-]+\.md|[A-Z_]{4,}\.md)")
    definitions = re.compile(r"docs/economics\.md, (\d+\.\d+)")
    numbers = set(re.findall(r"^### (\d+\.\d+) ", text_of("docs/economics.md"), re.MULTILINE))
    missing = []
    for file in CODE:
        text = file.read_text(encoding="utf-8")
        missing += [f"{name_of(file)}: {path}" for path in pages.findall(text) if not (ROOT / path).exists()]
        missing += [f"{name_of(file)}: {number}" for number in definitions.findall(text) if number not in numbers]
    assert missing == []


def test_every_decision_says_what_it_must_and_is_numbered_in_order() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [page.name[:3] for page in pages] == [f"{k:03}" for k in range(1, len(pages) + 1)]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.name[:3]} ")
        heads = re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE)
        assert heads[:3] == ["Context", "Decision", "Consequences"]
        assert heads[3].startswith("How it ")


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "guides").glob("add-*.md")), ids=name_of)
def test_a_guide_has_steps_and_commands_and_fits_on_a_screen(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.count("\n") < 40
    assert re.findall(r"^(\d)\. ", text, re.MULTILINE)[:3] == ["1", "2", "3"]
    assert "\nCheck:\n\n    " in text


@pytest.mark.full
def test_what_the_guides_tell_one_to_call_or_to_extend_exists() -> None:
    named = {
        "add_option", "add_price", "add_vendor", "add_plans", "add_training", "known_systems", "cost_lines", "RELEASED",
        "COMMANDS", "Candidates", "FORMATS", "Option",
    }  # fmt: skip
    guides = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "guides").glob("*.md"))
    assert all(f"`{name}`" in guides for name in named)
    defined: set[str] = set()
    for file in (ROOT / "roi").rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            match node:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                    defined.add(name)
                case ast.Assign(targets=[ast.Name(id=name)]):
                    defined.add(name)
    assert named - defined == set()


def test_tests_that_a_page_names_exist() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in WRITTEN)
    named = set(re.findall(r"`(test_\w+)`", pages))
    source = "\n".join(file.read_text(encoding="utf-8") for file in CODE if file.name.startswith("test_"))
    assert named
    assert {name for name in named if f"def {name}(" not in source} == set()
