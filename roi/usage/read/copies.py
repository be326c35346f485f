"""Rows that stand in several exports: found by comparing files with one another, and counted once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from roi.usage.read.raw import FILE, Raw, readably

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends.duckdb import Backend as DuckDB

LOOK_FOR_COPIES: Final = 2 << 30
"""Bytes of files up to which rows are compared with one another; beyond, comparing takes more memory than the rest."""

TWICE: Final = "a row that stands in another export too"

IDS: Final = frozenset({"id", "request_id", "requestid", "response_id", "span_id", "generation_id"})
"""Columns that name one call. Without one, two equal calls in two logs may be two calls, and both count."""


@dataclass(frozen=True)
class Copies:
    """Rows that stand in another file too: those of a `key` count in every `file` but these pairs'."""

    pairs: "ir.Table"
    columns: frozenset[str]
    """Columns, in lower case, that the key is made of."""


def find_copies(raws: list[Raw], engine: "DuckDB", name: str) -> Copies | None:
    """Rows of several files compared with one another, where looking is cheap; equal rows of one file all count.

    A row that stands in several files counts in that which has it most often, then in the largest. It is known by a hash of
    all columns that the files share, so that no text is held. Calls without an id are left out where the whole file stands
    in others; single ones are told and count.
    """
    files = [each for raw in raws for each in raw.files]
    size = sum(file.path.stat().st_size for file in files if file.path is not None)
    if len(files) == 1:
        return None
    trouble = raws[0].trouble
    if size > LOOK_FOR_COPIES:
        trouble.notes.append(f"{len(files)} files are too large together to look for rows that stand in two of them")
        return None
    shared = frozenset.intersection(*(frozenset(c.lower() for c in raw.table.columns if c != FILE) for raw in raws))
    by_file = readably(lambda: _keys(raws, shared, engine, name), engine, raws)
    pairs = _lost(by_file)
    form = raws[0].found[0].format
    if form.grain == "call" and not shared & IDS:
        whole = by_file.group_by("file").aggregate(rows=by_file.rows.sum())
        lost = pairs.group_by("file").aggregate(rows=pairs.rows.sum())
        single = _sum(pairs.rows, engine)
        pairs = pairs.semi_join(lost.semi_join(whole, ["file", "rows"]), "file")
        single -= _sum(pairs.rows, engine)
        if single:
            trouble.notes.append(f"{single:,} calls stand in two files alike; without an id they may be different calls, and"
                                 " count")
    copied = _sum(pairs.rows, engine)
    trouble.add(TWICE, "the later of two exports", copied)
    return Copies(pairs, shared) if copied else None


def _sum(column: "ir.Value", engine: "DuckDB") -> int:
    return int(engine.to_pyarrow(column.sum()).as_py() or 0)


def _keys(raws: list[Raw], shared: frozenset[str], engine: "DuckDB", name: str) -> "ir.Table":
    """(key, file, rows): how often each row stands in each file."""
    import ibis

    keys = [raw.table.select(key=_key(raw.table, shared), file=raw.table[FILE]) for raw in raws]
    every = keys[0] if len(keys) == 1 else ibis.union(*keys)
    return engine.create_table(name, every.group_by(["key", "file"]).aggregate(rows=every.count()), temp=True)


def _lost(by_file: "ir.Table") -> "ir.Table":
    """(key, file, rows) of the rows that count in another file."""
    import ibis

    several = by_file.group_by("key").having(by_file.count() > 1).aggregate(files=by_file.count())
    sizes = by_file.group_by("file").aggregate(size=by_file.rows.sum())
    both = by_file.semi_join(several, "key").inner_join(sizes, "file")
    place = ibis.row_number().over(group_by="key", order_by=[ibis.desc("rows"), ibis.desc("size"), "file"])
    return both.mutate(place=place).filter(lambda t: t.place > 0).select("key", "file", "rows")


def _key(table: "ir.Table", shared: frozenset[str]) -> "ir.Value":
    import ibis

    names = sorted((column for column in table.columns if column.lower() in shared), key=str.lower)
    return ibis.struct({name.lower(): table[name].cast("string").strip().fill_null("") for name in names}).hash()


def without_copies(table: "ir.Table", copies: Copies | None) -> "ir.Table":
    """The raw table without the rows that count in another file."""
    if copies is None:
        return table
    keyed = table.mutate(roi_key=_key(table, copies.columns))
    return keyed.anti_join(copies.pairs, [keyed.roi_key == copies.pairs.key, keyed[FILE] == copies.pairs.file])
