"""Shapes of open models, from models.json, by id or Hub name in any spelling.

A spelling may differ in separators, owner, number format and packing, and in a further training of the same shape. Nothing is
near enough to be guessed: sizes, generations and variants must be the catalog's own.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

from roi.catalog.rows import read_json
from roi.errors import ScenarioError, UnknownName
from roi.facts.model import ModelShape

FORMATS: Final = (
    r"(?:awq|gptq|fp8|fp4|nvfp4|mxfp4|int[48]|nf4|[wa]\d+a\d+|[2-8]-?bit|bf16|fp16|gguf|ggml|exl[23]|mlx|hqq|aqlm[-\w]*|marlin|bnb"
    r"|w-\w+-a-\w+|i?q\d(?:[-.](?:\d|k|xxs|xs|nl))?(?:-(?:s|m|l|xl))?|\d+g)(?:-v\d)?|dynamic|static|block|per-?tensor|quantized"
    r"|qat|kv"
)
"""Endings that name how the weights are packed; the caller states the format that it computes with."""
TRAININGS: Final = r"instruct|chat|hf|it|base|pt|beta|turbo|unsloth|instant|versatile"
"""Endings that name another training of the same shape, or a vendor's way of serving it."""
ACTIVE: Final = re.compile(r"-a\d+(?:\.\d+)?b(?=-|$)")
"""The active parameters in a mixture's name: Qwen3-235B(-A22B)."""

SEARCHED: Final = re.compile(r"nemotron-?(?:51b|super-?49b|ultra-?253b)")
"""Models whose layers a search has shaped one by one (NVIDIA's Puzzle), as in a key."""
SEARCHED_WHY: Final = "its layers differ in width and some have no attention, which no shape of the catalog expresses"
ENCODER: Final = re.compile(r"(?:^|[/-])(?:[a-z]*bert[a-z]*|electra|setfit|[a-z]*minilm|mpnet|gliner|e5|bge|gte)(?=[-/.]|$)")
"""Models that read a text and write none: they classify it, or make a vector of it."""
ENCODER_WHY: Final = (
    "an encoder writes no tokens, and neither its memory nor its speed is worked out here; compare it as an API of your own"
    " without a price by the token, with what its training and its server cost under `costs` (docs/start.md shows one)")

POINT: Final = re.compile(r"(?<=\d)_(?=\d)")
APART: Final = re.compile(r"[\s_:]+")
DASH: Final = re.compile(r"(?<=[a-z])-(?=\d)")
IN_DASHES: Final = re.compile(r"^([a-z-]+\d)-(\d)-(\d+(?:\.\d+)?b)(?=-|$)")


def dashed(name: str) -> str:
    """The name in lower case with dashes for spaces, underscores and colons, and points inside numbers (3_1)."""
    return APART.sub("-", POINT.sub(".", name.strip().lower()))


def key(name: str) -> str:
    """What two spellings of one name share: `dashed`, without the dash between a word and its number (llama-3 = llama3)."""
    return DASH.sub("", dashed(name))


def pointed(key: str) -> str:
    """The key with a point in a version in dashes, where a size follows: llama3-1-8b, qwen2-5-72b."""
    return IN_DASHES.sub(r"\1.\2-\3", key)


def without_endings(name: str) -> list[str]:
    """The dashed name, then the same without its last ending, without the last two, and so on."""
    out = [dashed(name)]
    while shorter := re.fullmatch(f"(.+?)[-.](?:{FORMATS}|{TRAININGS})", out[-1]):
        out.append(shorter[1])
    return out


def spellings(name: str) -> list[str]:
    """Keys under which the catalog may hold the name, from the least changed to the most.

    An owner is what stands before one slash; more slashes, or a point before the first, are a path, which is left whole.
    """
    whole = dashed(name)
    owned = re.fullmatch(r"[\w-][\w.-]*/([^/]+)", whole)
    bare = owned[1] if owned else whole
    out = [whole, *without_endings(bare), *without_endings(re.sub(r"^meta[-.]", "", bare))]
    keys = [key(each) for each in out]
    return list(dict.fromkeys([*keys, *map(pointed, keys)]))


@cache
def load_models() -> tuple[ModelShape, ...]:
    """Every shape of the catalog, in the file's order; read on the first call."""
    return tuple(map(_shape, range(len(_rows()))))


@cache
def _shape(row: int) -> ModelShape:
    """The shape in this row of models.json; a command that asks for one waits for none of the two hundred others."""
    return ModelShape.model_validate(_rows()[row])


def _rows() -> list[dict[str, Any]]:  # Any: JSON
    rows: list[dict[str, Any]] = read_json("models/models.json")["models"]
    return rows


def find_model(name: str, field: str = "model", *, exact: bool = False) -> ModelShape:
    """The shape with this id or Hub name, in any spelling: owner, case, separators, packing and training do not matter.

    A mixture is found without its active parameters too. `exact` takes the catalog's own names alone, in any case: a profile's
    "runs/gpt2" may be a folder. `field` is where the name was given; UnknownName quotes it with the nearest known names, or a
    ScenarioError says why there is no shape of it.
    """
    found = known_model(name, exact=exact)
    if found is None:
        if (why := why_none(name)) is not None:
            raise ScenarioError(field, name, why)
        near = (known for model in load_models() for known in (model.id, *model.aliases))
        raise UnknownName(field, name, near, "model")
    return found


def why_none(name: str) -> str | None:
    """Why the catalog has no shape of a model that it knows by name; None of any other."""
    dashes = dashed(name)
    return SEARCHED_WHY if SEARCHED.search(dashes) else ENCODER_WHY if ENCODER.search(dashes) else None


def known_model(name: str, *, exact: bool = False) -> ModelShape | None:
    """The shape that `find_model` finds, with the context of the release that is named; None where there is none."""
    keys = [key(name)] if exact else spellings(name)
    row = _row_of(keys)
    if row is None:
        return None
    longer = _release_contexts(row)
    return _released(row, next((longer[each] for each in keys if each in longer), None))


@cache
def _released(row: int, context_tokens: int | None) -> ModelShape:
    """The shape in this row, of a release with another context where one is given."""
    shape = _shape(row)
    return shape if context_tokens is None else shape.model_copy(update={"context_tokens": context_tokens})


@cache
def _release_contexts(row: int) -> dict[str, int]:
    """Contexts of the releases of a shape that take more than it does, by the keys that find them."""
    contexts: list[tuple[str, int]] = _rows()[row].get("release_contexts", [])
    return {short: tokens for alias, tokens in contexts for name in (alias, alias.rpartition("/")[2])
            for short in (ACTIVE.sub("", key(name)), key(name))}


def known_id(name: str) -> str | None:
    """The id of the shape with exactly this name, in any case; None where there is none. Reads no shape."""
    row = _row_of([key(name)])
    return None if row is None else str(_rows()[row]["id"])


def _row_of(keys: Iterable[str]) -> int | None:
    """The row that the first of these keys which is known finds."""
    known = _rows_by_key()
    return next((known[each] for each in keys if each in known), None)


@cache
def _rows_by_key() -> dict[str, int]:
    """The row of every shape by each of its names, as `key` writes them; without active parameters where that leaves one."""
    full = {key(name): k for k, row in enumerate(_rows()) for name in _names(row["id"], row.get("aliases", ()))}
    short: dict[str, set[int]] = {}
    for name, row in full.items():
        short.setdefault(ACTIVE.sub("", name), set()).add(row)
    return {name: next(iter(rows)) for name, rows in short.items() if len(rows) == 1} | full


def names(model: ModelShape) -> set[str]:
    """The names that find a model: its id, its Hub names, and those without their owner."""
    return _names(model.id, model.aliases)


def _names(id: str, aliases: Sequence[str]) -> set[str]:
    return {id, *aliases, *(alias.rpartition("/")[2] for alias in aliases)}
