"""The house keeps its rules: a pure engine, light doors, small files, public names that exist."""

import ast
import builtins
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from long_tables import every_row

import roi

ROOT = Path(roi.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
ENGINE = [file for room in ("numerics", "estimate", "economics") for file in sorted((ROOT / room).glob("**/*.py"))]

HEAVY = {
    "genai_prices", "httpx", "httpx2", "jinja2", "numpy", "pandas", "peft", "pydantic", "rich", "scipy", "torch",
    "transformers", "yaml",
}  # fmt: skip
"""What neither `import roi` nor `roi --help` may load."""

PURE = {
    "bisect", "collections", "dataclasses", "datetime", "enum", "functools", "heapq", "itertools", "math", "numpy", "operator",
    "statistics",
    "re", "roi", "typing",
}  # fmt: skip
"""What the engine may import; import-linter says which rooms of roi. A date is a value; CLOCK below finds a clock."""

FLOORS_BELOW_ECONOMICS = ("roi.estimate", "roi.economics", "roi.facts", "roi.numerics", "roi.units", "roi.errors")

CALLS = {"open", "print", "input", "exec", "eval", "compile", "breakpoint", "__import__"}
"""Names that reach outside when called."""

NUMPY = {
    "fromfile", "fromregex", "genfromtxt", "load", "loadtxt", "lib", "memmap", "random", "save", "savetxt", "savez",
    "savez_compressed", "seterr", "tofile",
}  # fmt: skip
"""Attributes of numpy (and of arrays) that touch files, chance or global state."""

CLOCK = {"today", "now", "utcnow"}
"""Methods of date and datetime that read the clock."""


@cache
def parsed(source: str) -> tuple[ast.Module, tuple[ast.AST, ...]]:
    """The module, and all its nodes."""
    module = ast.parse(source)
    return module, tuple(ast.walk(module))


def impurities(source: str) -> Iterator[str]:
    """What a pure room must not contain, as `line: what`."""
    for node in parsed(source)[1]:
        match node:
            case ast.Import(names=names):
                bad = [name.name for name in names if not allowed(name.name)]
            case ast.ImportFrom(module=module, level=level):
                bad = [] if level == 0 and allowed(module or "") else [f"from {'.' * level}{module or ''}"]
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                bad = [name]
            case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr=name) if name in NUMPY:
                bad = [f"np.{name}"]
            case ast.Attribute(attr=name) if name in CLOCK or name == "tofile":
                bad = [f".{name}"]
            case ast.Global(names=names):
                bad = [f"global {name}" for name in names]
            case _:
                bad = []
        yield from (f"{getattr(node, 'lineno', 0)}: {what}" for what in bad)


def allowed(module: str) -> bool:
    """True where a pure room may import `module`."""
    top = module.split(".", maxsplit=1)[0]
    if module.startswith("numpy.random"):
        return False
    return top in PURE and (top != "roi" or module.startswith(FLOORS_BELOW_ECONOMICS))


@every_row("file", ENGINE)
def test_the_engine_reads_no_file_no_clock_no_environment_and_prints_nothing(file: Path) -> None:
    assert list(impurities(file.read_text(encoding="utf-8"))) == []


def test_the_walk_finds_what_it_looks_for() -> None:
    source = """
import os, time
from pathlib import Path
from random import random
from numpy.random import default_rng
from roi.catalog.cards import gpus
from . import line
import roi
def f(a, day):
    print(open("x"))
    np.load("x"); np.random.rand(); a.tofile("x")
    return day.today()
"""
    found = [what.partition(": ")[2] for what in impurities(source)]
    assert sorted(found) == sorted([
        "os", "time", "from pathlib", "from random", "from numpy.random", "from roi.catalog.cards", "from .", "roi", "print",
        "open", "np.load", "np.random", ".tofile", ".today",
    ])  # fmt: skip
    assert list(impurities("import numpy as np\nfrom roi.facts.case import Case\nx = np.minimum(1, 2)")) == []


def loaded_by(*arguments: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running with these arguments."""
    code = (
        "import json, sys, runpy\n"
        "if len(sys.argv) > 1:\n"
        "    try: runpy.run_module('roi', run_name='__main__', alter_sys=True)\n"
        "    except SystemExit as end: assert not end.code\n"
        "else: import roi\n"
        "sys.stderr.write(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr))


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",)])
def test_importing_roi_and_its_help_load_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded_by(*arguments) & HEAVY == set()


@pytest.mark.parametrize("name", roi.__all__)
def test_a_public_name_resolves_to_a_thing_that_is_no_module(name: str) -> None:
    assert not isinstance(getattr(roi, name), ModuleType)
    assert name in dir(roi)


def test_dir_lists_the_public_names_alone() -> None:
    assert dir(roi) == sorted(roi.__all__)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'roi' has no attribute 'comprae'"):
        _ = roi.comprae


def test_no_file_is_longer_than_400_lines() -> None:
    lines = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert {name: count for name, count in lines.items() if count > 400} == {}


def test_no_folder_holds_more_than_14_files() -> None:
    """cli and answers hold a file a question."""
    counts = Counter(file.parent.relative_to(ROOT).as_posix() for file in FILES)
    assert {folder: count for folder, count in counts.items() if count > 14 and folder not in {"cli", "answers"}} == {}


def test_no_two_files_share_a_name_unless_they_do_the_same_for_one_question() -> None:
    """docs/architecture.md lists the pairs: a question's file in answers, report and cli."""
    homes = defaultdict(set)
    for file in FILES:
        if not file.name.startswith("__"):
            homes[file.name].add(file.relative_to(ROOT).parts[0])
    counts = Counter(file.name for file in FILES)
    doors = {"answers", "report", "cli"}
    shared = {name: rooms for name, rooms in homes.items() if counts[name] > 1}
    assert {name for name, rooms in shared.items() if counts[name] > len(rooms) or not rooms <= doors} == set()


WRITERS = {
    "savefig", "to_csv", "to_json", "to_parquet", "tofile", "write_bytes", "write_text", "NamedTemporaryFile",
    "mkstemp", "mktemp",
}  # fmt: skip
"""Calls that write a file, by their last name."""
MAY_WRITE = re.compile(rf"\b(open|os\.\w+|{'|'.join(sorted(WRITERS))})\s*\(")
"""What a file that writes holds, whose tree is then looked at; the trees of all would take two seconds."""
WRITES_ITSELF = {
    "__main__.py": "opens the null device in the place of a full disk",
    "disk.py": "the writer",
    "api/frames.py": "tables in memory, in a temporary folder",
    "cli/__init__.py": "opens the null device where a stream is closed",
    "profiling/child.py": "the log that a started program writes to, in a temporary folder",
    "profiling/machine.py": "resets the kernel's peak counter in /proc",
    "usage/log.py": "DuckDB's own files, in a temporary folder",
    "usage/measure/call_trace.py": "the same",
}  # fmt: skip


def writes(source: str) -> set[str]:
    """Calls of a module that write a file: open() with a mode that is not of reading, and the names of WRITERS."""
    found = set()
    for node in parsed(source)[1] if MAY_WRITE.search(source) else ():
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = node.func.value.id if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) else ""
        modes = [*node.args, *(word.value for word in node.keywords if word.arg == "mode")]
        texts = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
        if name in WRITERS or (owner == "os" and name in {"open", "fdopen", "replace", "rename", "link", "write"}):
            found.add(name)
        if name == "open" and any(re.fullmatch("[rwaxbt+]{1,3}", text) and set(text) & set("wax+") for text in texts):
            found.add(name)
    return found


def test_one_module_writes_files() -> None:
    own = {str(file.relative_to(ROOT)): writes(file.read_text(encoding="utf-8")) for file in FILES}
    assert {name: calls for name, calls in own.items() if calls and name not in WRITES_ITSELF} == {}
    assert {name for name in WRITES_ITSELF if not own[name]} == set()
    assert writes("open(p, 'w'); p.open(mode='a'); q.write_text(t); os.replace(a, b); open(p); p.open('rb')") == {
        "open", "write_text", "replace",
    }  # fmt: skip


IMPORTED = re.compile(r"^[ \t]*from\s+(\w+)\s+import\b", re.MULTILINE)
"""What a file imports names from; its tree would take a second of them all."""


def test_no_test_imports_another() -> None:
    tests = sorted(Path(__file__).parent.rglob("test_*.py"))
    names = {file.stem for file in tests}
    imports = {file.name: set(IMPORTED.findall(file.read_text(encoding="utf-8"))) for file in tests}
    assert {name: found & names for name, found in imports.items() if found & names} == {}
    seen = "from test_a import b\nif c:\n    from  test_d import (\n  e)\n# from test_f import g"
    assert IMPORTED.findall(seen) == ["test_a", "test_d"]


def test_every_module_says_what_it_is() -> None:
    silent = [file for file in FILES if (text := file.read_text(encoding="utf-8")) and not text.startswith('"""')]
    assert silent == []


@pytest.mark.parametrize("package", sorted(ROOT.rglob("__init__.py")), ids=str)
def test_no_package_calls_a_builtin_that_its_own_file_replaces(package: Path) -> None:
    """Loading `roi/cli/next.py` binds `next` in `roi/cli/__init__.py`: a call of the builtin there worked only before that."""
    files = {path.stem for path in package.parent.iterdir() if path.suffix == ".py" or path.is_dir()}
    named = {node.id for node in parsed(package.read_text(encoding="utf-8"))[1] if isinstance(node, ast.Name)}
    assert files & set(dir(builtins)) & named == set()


def test_every_room_has_its_floor_on_the_map() -> None:
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert {room for room in rooms if not re.search(rf"\b{room}\b", roi.__doc__ or "")} == set()


def test_the_base_install_has_no_torch() -> None:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = {re.split(r"[<>=\[ ]", requirement)[0] for requirement in project["dependencies"]}
    assert base & {"torch", "transformers", "peft", "litellm", "scipy", "duckdb"} == set()


def test_what_users_install_has_an_upper_bound() -> None:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: needed for name, needed in project["optional-dependencies"].items() if name != "dev"}
    needed = [each for group in (project["dependencies"], *extras.values()) for each in group if "[" not in each]
    assert [each for each in needed if "<" not in each] == []


def test_a_lock_file_has_what_users_and_developers_install() -> None:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {re.split(r"[<>=\[; ]", each)[0].lower().replace("-", "_") for group in (
        project["dependencies"], *project["optional-dependencies"].values()) for each in group}
    lock = (ROOT.parent / "requirements.lock").read_text(encoding="utf-8").lower().replace("-", "_")
    elsewhere = {"lora_roi", "liger_kernel", "setuptools"}  # itself, what needs a GPU, what builds it
    assert named - elsewhere - set(re.findall(r"^([\w.]+)==", lock, re.MULTILINE)) == set()
