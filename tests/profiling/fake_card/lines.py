"""Which lines of roi.profiling run on a card alone, and which of them ran.

Of a card alone are: statements that name torch.cuda, NVML or a board; what an `if` about the device guards; all of board.py and
of the probe. A line counts where a statement begins.
"""

import ast
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType
from typing import Final

import roi.profiling

MARK: Final = "_card_lines_that_ran"
ROOM: Final = Path(roi.profiling.__file__).parent
WHOLE: Final = ("board.py", "device/card_probe.py")
"""Files of which every line is of a card alone."""
WORDS: Final = ("torch.cuda", "nvml", ".board", "meter.")
NOT_HERE: Final = ("dry", "server")
"""Folders without a device: tensors without storage, and a client of a server."""


def card_lines() -> set[tuple[str, int]]:
    """(file, line) of every statement that runs on a card alone."""
    found = set()
    for path in sorted(ROOM.rglob("*.py")):
        name = path.relative_to(ROOM).as_posix()
        if not name.startswith(NOT_HERE):
            found |= {(name, line) for line in _lines(ast.parse(path.read_text(encoding="utf-8")), whole=name in WHOLE)}
    return found


def _lines(tree: ast.Module, *, whole: bool) -> Iterator[int]:
    """Lines of statements inside functions, that a card alone runs."""
    for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
        body = function.body[1:] if ast.get_docstring(function) else function.body
        yield from _of(body, whole)


def _of(body: list[ast.stmt], on_card: bool) -> Iterator[int]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Global | ast.Nonlocal):
            continue  # their bodies are functions of their own
        inner = [block for name in ("body", "orelse", "finalbody") for block in [getattr(statement, name, [])] if block]
        head = ast.unparse(statement)
        head = head if not inner else head.partition(":\n")[0]
        if (on_card or any(word in head for word in WORDS)) and not isinstance(statement, ast.Try):
            yield statement.lineno
        guards = isinstance(statement, ast.If) and _about_device(statement.test)
        for block in inner:
            guarded = {"cuda": getattr(statement, "body", []), "cpu": getattr(statement, "orelse", [])}.get(guards or "")
            yield from _of(block, on_card or block is guarded)
        for handler in getattr(statement, "handlers", []):
            yield from _of(handler.body, on_card)


def _about_device(test: ast.expr) -> str | None:
    """cuda or cpu where the test is `device == "cuda"` or alike, `on_gpu`, or about a board."""
    said = ast.unparse(test)
    if said.endswith("== 'cuda'") or said in {"on_gpu", "self.on_gpu"}:
        return "cuda"
    return "cpu" if said.endswith(("== 'cpu'", "!= 'cuda'")) and " and " not in said else None


@contextmanager
def noted() -> Iterator[set[tuple[str, int]]]:
    """The (file, line) of `card_lines` that run while it lasts: functions note it themselves, which costs no time elsewhere.

    A tracer would be called for every function of torch. Functions keep their identity, whoever imported them: only their code
    is exchanged, for one with a note in front of each such statement.
    """
    seen: set[tuple[str, int]] = set()
    wanted: dict[str, set[int]] = {}
    for name, line in card_lines():
        wanted.setdefault(name, set()).add(line)
    codes, before = {}, []
    for name, lines in wanted.items():
        path = ROOM / name
        import_module(f"roi.profiling.{name.removesuffix('.py').replace('/', '.')}")
        tree = ast.fix_missing_locations(_Notes(name, lines).visit(ast.parse(path.read_text(encoding="utf-8"))))
        codes |= {(str(path), *_key(code)): code for code in _inner(compile(tree, str(path), "exec"))}
    for function in [x for x in gc.get_objects() if type(x) is FunctionType]:
        code = codes.get((function.__code__.co_filename, *_key(function.__code__)))
        if code is not None:
            before.append((function, function.__code__))
            function.__globals__[MARK] = seen
            function.__code__ = code
    try:
        yield seen
    finally:
        for function, code in before:
            function.__code__ = code
            function.__globals__.pop(MARK, None)


def _key(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _inner(code: CodeType) -> Iterator[CodeType]:
    """This code object and all within."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _inner(constant)


class _Notes(ast.NodeTransformer):
    """Puts a note before each of these statements."""

    def __init__(self, name: str, lines: set[int]) -> None:
        self.name, self.lines = name, lines

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                setattr(node, name, [x for statement in block for x in (*self._note(statement), statement)])
        return node

    def _note(self, statement: ast.stmt) -> list[ast.stmt]:
        if statement.lineno not in self.lines:
            return []
        note = ast.parse(f"{MARK}.add(({self.name!r}, {statement.lineno}))").body[0]
        return [ast.copy_location(node, statement) for node in [note]]
