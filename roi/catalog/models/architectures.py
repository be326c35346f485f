"""The tensors of a model, from its config.json and the rules of its architecture: architectures.json.

The file holds one table for each model_type whose decoder transformers builds: the entries of its configuration with their
defaults, and the numbers of its rules. A rule is a parameter tensor as `path: dimensions ? conditions`, where a dimension is a
sum of products of entries and a condition says on which layers, and with which entries, the tensor is there.
Both were read off models that transformers builds without storage, and tests hold every table to them, to the last parameter;
lab/architecture_tables.py adds one.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from math import prod
from typing import Any, Final, NamedTuple

from roi.catalog.models.rewritten import rewrite
from roi.catalog.rows import read_json

Entries = dict[str, Any]  # Any: JSON, keys differ by architecture
Test = Callable[[Entries, int, int], bool]
"""(entries, layer, number of layers) -> whether the condition holds."""
WIDTH_ENTRIES: Final = ("hidden_size", "n_embd", "d_model", "dim", "embed_dim")
"""What families call the width of the residual stream: most; gpt2 and ctrl; mpt and xglm; some with their own code; kosmos."""


class UnreadEntry(ValueError):
    """An entry whose value the rules do not cover; its text is `name: value ...` and what is read."""


class Tensor(NamedTuple):
    """Parameter tensors of one name."""

    path: str
    """Name, with L for the layer and * for any other number."""
    layers: tuple[int, ...]
    """Layers that hold it; empty where it lies outside the stack."""
    copies: int
    """Tensors of this name in one layer (experts of a list)."""
    sizes: tuple[int, ...]

    @property
    def each(self) -> int:
        """Parameters in one layer."""
        return self.copies * prod(self.sizes)

    @property
    def parameters(self) -> int:
        """Parameters of all layers."""
        return self.each * (len(self.layers) if ".L." in self.path else 1)


class Architecture(NamedTuple):
    """A configuration with every entry that matters, and its tensors."""

    entries: Entries
    layers: int
    tensors: tuple[Tensor, ...]
    passes: tuple[int, ...]
    """Layer by layer, how often a token passes through it: more than once where a model loops or layers share a block."""

    @property
    def parameters(self) -> int:
        """All parameters."""
        return sum(tensor.parameters for tensor in self.tensors)


def known_types() -> frozenset[str]:
    """Every model_type with a table."""
    return frozenset(read_json("models/architectures.json")["types"])


def text_part(entries: Mapping[str, Any]) -> Entries | None:  # Any: JSON
    """The entries of the text decoder inside a model with vision or audio; None where the type is no such model.

    An entry of the decoder that is absent is the class's. Whether head and embedding are tied the outer model says; where it is
    silent, or unties by default what its decoder ties, the decoder (files of before transformers 5 say it there, as LLaVA's
    configuration reads them); where neither speaks, the outer class of today, and of before the decoder's.
    """
    wrapper = read_json("models/architectures.json")["wrappers"].get(str(entries.get("model_type")))
    if wrapper is None:
        return None
    inner: Any = entries
    for key in wrapper["path"]:
        inner = inner.get(key) if isinstance(inner, dict) else None
    # an older file has the decoder's entries beside the vision's
    found = dict(inner) if isinstance(inner, dict) else {k: v for k, v in entries.items() if k != "model_type"}
    found.setdefault("model_type", wrapper["type"])
    tied, within = entries.get("tie_word_embeddings"), found.get("tie_word_embeddings")
    if tied is None or (within and wrapper["tied"] is False):
        tied = within
    before = isinstance(inner, dict) and str(entries.get("transformers_version")).startswith(("3.", "4."))
    if tied is None and not before:
        tied = wrapper["tied"]
    if tied is not None:
        found["tie_word_embeddings"] = tied
    return found


def _check_kind(name: str, value: object, usual: object) -> None:
    """UnreadEntry where an entry is a text or an object, and a switch or a number in the class's own configuration."""
    switch = isinstance(usual, bool)
    if (switch and value not in (None, True, False)) or (isinstance(usual, int | float) and isinstance(value, str | dict)):
        raise UnreadEntry(f"{name}: {str(value)[:40]!r} is not usable; {'true or false' if switch else 'a number'}")


def _check_widths(kind: str, table: Mapping[str, Any], given: Mapping[str, Any]) -> None:  # Any: JSON
    """UnreadEntry where a file states a width of experts that its class does not have: another model under a known type."""
    read = {*table["entries"], *table["aliases"], *table["aliases"].values()}
    for name, value in given.items():
        if "expert_hidden_size" in name and value and name not in read:
            raise UnreadEntry(f"{name}: {str(value)[:40]} is not read; transformers' {kind} has experts as wide as the stream")


def _check_heads(table: Mapping[str, Any], given: Mapping[str, Any], entries: Entries) -> None:  # Any: JSON
    """UnreadEntry where heads do not divide: the width that they share unless their own is an entry, or by those of keys."""
    shared = [name for name, rule in table["derived"].items() if rule == "hidden_size//num_attention_heads"]
    own = [name for name, value in entries.items() if "head_dim" in name and value and (given.get(name) or name not in shared)]
    for heads in ("num_attention_heads", "n_head", "n_heads"):
        for width in WIDTH_ENTRIES:
            n, of = entries.get(heads), entries.get(width)
            if not own and isinstance(n, int) and isinstance(of, int) and n and of % n:
                raise UnreadEntry(f"{heads}: {n} does not divide {width} {of:,}, and head_dim is not stated")
    if given.get("head_dim") == 0 and table["entries"].get("head_dim") != 0:
        raise UnreadEntry("head_dim: 0 is not usable; 1 or more")
    n, keys = entries.get("num_attention_heads"), given.get("num_key_value_heads")
    if isinstance(n, int) and isinstance(keys, int) and keys > 0 and n % keys:
        raise UnreadEntry(f"num_key_value_heads: {keys} does not divide num_attention_heads {n}")


def read_architecture(kind: str, given: Mapping[str, Any]) -> Architecture:  # Any: JSON
    """The tensors of a configuration of a known type; UnreadEntry where an entry has a value that the rules do not cover."""
    table = read_json("models/architectures.json")["types"][kind]
    for name, usual in table["entries"].items():
        _check_kind(name, given.get(name), usual)
    _check_widths(kind, table, given)
    entries = _resolved(table, rewrite(kind, given))
    _check_heads(table, given, entries)
    depth = table["layers"]
    layers = _whole(entries, depth) if depth else 0
    for name in table["lists"]:
        if isinstance(entries.get(name), list) and len(entries[name]) != layers:
            raise UnreadEntry(f"{name}: {len(entries[name])} items, but {depth} is {layers}")
    for name, value in table["pinned"].items():
        if entries.get(name) != value:
            raise UnreadEntry(f"{name}: {str(entries.get(name))[:60]!r} is not read; only {value!r} is")
    tensors = []
    rules = read_json("models/architectures.json")["rules"]
    for rule in (rules[number] for number in table["tensors"]):
        named, _, cond = rule.partition(" ? ")
        path, _, sizes = named.partition(": ")
        tests = [_test(part) for part in cond.split(" & ")] if cond else []
        on = tuple(i for i in (range(layers) if ".L." in path else (0,)) if all(test(entries, i, layers) for test in tests))
        if on:
            copies, *dims = (evaluate(size, entries) for size in sizes.split(" "))
            tensors.append(Tensor(path, on if ".L." in path else (), copies, tuple(dims)))
    return Architecture(entries, layers, tuple(tensors), tuple(_passes(table, entries, i, layers) for i in range(layers)))


def _passes(table: Mapping[str, Any], entries: Entries, i: int, layers: int) -> int:  # Any: JSON
    """How often a token passes through layer `i`."""
    return next((evaluate(number, entries) for cond, number in table.get("passes", ()) if _holds(cond, entries, i, layers)), 1)


def _holds(cond: str, entries: Entries, i: int, layers: int) -> bool:
    """True where all conditions of a rule hold on layer `i`, or it has none."""
    return not cond or all(_test(part)(entries, i, layers) for part in cond.split(" & "))


def _resolved(table: Mapping[str, Any], given: Mapping[str, Any]) -> Entries:  # Any: JSON
    """The entries that are given, under the class's names for them, and the class's defaults for those that are not."""
    entries = {table["aliases"].get(name, name): value for name, value in given.items()}
    # transformers writes Gemma 4's wider heads of full attention layer by layer
    apart = [v for v in (entries.get("per_layer_config") or {}).values() if isinstance(v, dict)]
    for name in ("head_dim", "num_key_value_heads"):
        values = {v[name] for v in apart if isinstance(v.get(name), int)}
        if len(values) > 1:
            raise UnreadEntry(f"per_layer_config: {name} of {len(values)} values; one is read")
        wide = "global_head_dim" if name == "head_dim" else "num_global_key_value_heads"
        if values and wide in table["entries"]:
            entries.setdefault(wide, values.pop())
    for stage in ("entries", "derived"):
        for name, value in table[stage].items():
            if name not in entries or (entries[name] is None and name in table["filled"]):
                entries[name] = value if stage == "entries" else _derive(name, value, entries, table["layers"])
    return entries


def _derive(name: str, rule: Any, entries: Entries, depth: str) -> Any:  # Any: a formula, or items and conditions by layer
    """What the class makes of an entry that is absent: a formula of others, or a list with an item a layer."""
    if isinstance(rule, str):
        return evaluate(rule, entries)
    layers = _whole(entries, depth)
    if isinstance(rule, dict) and "where" in rule:  # the numbers of layers
        return [i for i in range(layers) if _test(rule["where"])(entries, i, layers)]
    if isinstance(rule, dict):
        if len(rule["items"]) != layers:
            raise UnreadEntry(f"no {name}, which is read where {depth} is {len(rule['items'])}")
        return rule["items"]
    return [next(item for item, cond in rule if _holds(cond, entries, i, layers)) for i in range(layers)]


def evaluate(formula: str, entries: Entries) -> int:
    """A sum of products of entries, whole numbers and whole quotients: 2*a*b+a//b+a.b//c+3, where a.b is a product."""
    total = 0
    for term in formula.split("+"):
        value = 1
        for factor in term.split("*"):
            upper, _, lower = factor.partition("//")
            whole = prod(_whole(entries, name) for name in upper.split("."))
            value *= whole // _whole(entries, lower) if lower else whole
        total += value
    return total


def _whole(entries: Entries, name: str) -> int:
    """An entry that is a whole number, or the number itself."""
    if name.lstrip("-").isdigit():
        return int(name)
    value = entries.get(name)
    if isinstance(value, int) and (value > 0 or isinstance(value, bool)):
        return int(value)
    raise UnreadEntry(f"no {name}" if value is None else f"{name}: {str(value)[:40]} is not usable; a whole number from 1")


def _count(entries: Entries, name: str) -> int:
    """An entry that counts layers; 0 where it is absent or null."""
    value = entries.get(name)
    return value if isinstance(value, int) else 0


ON_LAYER: Final = re.compile(r"\(?i(?:\+(\d))?\)?%(\w+)(!?=)(\w+)")
BOUND: Final = re.compile(r"i(<|>=)(L-)?(\w+)")
ITEM: Final = re.compile(r"(\w+)\[i\](!?=)(.+)")
VALUE: Final = re.compile(r"(\w+)(!=|=|>|<)(.+)")


@cache
def _test(text: str) -> Test:  # noqa: PLR0911 -- one form of condition after the other
    """One condition of a rule; `a|b` holds where either does."""
    if "|" in text:
        either = [_test(part) for part in text.split("|")]
        return lambda e, i, n: any(test(e, i, n) for test in either)
    if found := re.fullmatch(r"i (not )?in (\w+)", text):
        outside, name = bool(found[1]), found[2]
        return lambda e, i, _: (i in _layers(e, name)) != outside
    if found := ON_LAYER.fullmatch(text):
        shift, period, equal, rest = int(found[1] or 0), found[2], found[3] == "=", found[4]
        return lambda e, i, _: ((i + shift) % _whole(e, period) == _number(e, rest)) == equal
    if found := ITEM.fullmatch(text):
        name, equal, item = found[1], found[2] == "=", found[3]
        return lambda e, i, _: (i < len(e[name]) and str(e[name][i]) == item) == equal
    if text in ("i=0", "i=L-1"):
        return lambda _, i, n: i == (0 if text == "i=0" else n - 1)
    if found := BOUND.fullmatch(text):
        below, back, name = found[1] == "<", bool(found[2]), found[3]
        return lambda e, i, n: (i < (n - _number(e, name) if back else _number(e, name))) == below
    if found := VALUE.fullmatch(text):
        name, sign, value = found[1], found[2], found[3]
        if sign in "<>":
            return lambda e, *_: _count(e, name) > int(value) if sign == ">" else _count(e, name) < int(value)
        return lambda e, *_: (str(e.get(name)) == value) == (sign == "=")
    absent, name = text.startswith("not "), text.removeprefix("not ")
    return lambda e, *_: bool(e.get(name)) != absent


def _layers(entries: Entries, name: str) -> list[int]:
    """An entry that lists layers; none where it is absent or null. UnreadEntry where it is something else."""
    value = entries.get(name) or []
    if isinstance(value, list) and all(type(i) is int for i in value):
        return value
    raise UnreadEntry(f"{name}: {str(value)[:40]} is not usable; a list of layers, from 0")


def _number(entries: Entries, name: str) -> int:
    return int(name) if name.isdigit() else _count(entries, name)
