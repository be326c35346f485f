"""Which format a file is: by the names of its columns, or by the keys of its JSON.

Other files of known tools hold no usage that could be read, and are told by such names too (formats/unread.csv), with which one
of theirs does. Sources: API references of Anthropic and OpenAI (2026-11); Azure's cost export and diagnostic logs as tests of
public repositories write them (2025-03 to 2026-07); the schema of Weave's calls; vLLM's logger.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

from roi.disk import packaged_rows
from roi.errors import InputError, UnknownName, UnnamedColumns, nearest
from roi.scenario.other_files import OWN_COLUMNS, known_by_keys, refuse_no_text
from roi.usage.formats.generic import format_of_lines, generic_format
from roi.usage.formats.nested import columns_of, opened_cells
from roi.usage.formats.own_columns import SAID, check_mapped, found_and_missing, has_counts_twice
from roi.usage.read.record import Document, FileOptions, Format

SHOWN: Final = 8
"""Column names in a message."""
LIKE: Final = 0.6
"""How like a name by which columns are found a column's must be to come first (0 to 1)."""
NAME: Final = re.compile(r"[^\W\d][\w .:/()-]{0,47}")
"""What may stand in a message as a name: it begins with a letter and is short."""
VALUE: Final = re.compile(r"[-+]?[0-9][0-9.,]*(e[-+]?[0-9]+)?|[0-9]{4}-[0-9]{2}-[0-9]{2}.*", re.IGNORECASE)
"""A number or a time: a first line that has one is a row, perhaps with a prompt in it, and none of it is shown."""
TOTALS: Final = frozenset({"tokens", "totaltokens", "tokenstotal", "tokencount", "totaltokencount", "tokensused", "numtokens"})
"""Names of counts of input and output together, plain."""
ANSWERS: Final = frozenset({"gemini-calls", "openai-calls"})
"""Formats whose lines are answers as a vendor's API gave them."""
LOOKED_AT: Final = 1_000
"""Documents after a vendor's answer among which one of another kind is looked for."""
OF_RESULTS: Final = frozenset({"score", "correct", "is_correct", "passed", "acc", "exact_match"})
"""A column of an evaluation's results, which count no tokens."""
LOG_LINE: Final = re.compile(r"(\(\w+ pid=\d+\) )?(DEBUG|INFO|WARNING|ERROR)(:|\s+\d\d-\d\d \d\d:\d\d:\d\d)")
"""Beginning of a line of vLLM's log, or uvicorn's."""
SERVER_LOG: Final = ("a server's log in words, which tells no tokens of a call; vLLM's spans do (--otlp-traces-endpoint), with"
                     " --model, since they name none")  # fmt: skip
MAP: Final = f"for your own table name the columns: {OWN_COLUMNS}"


def format_named(name: str, formats: Sequence[Format], options: FileOptions) -> Format:
    """The format with this name; UnknownName with the nearest, InputError where columns are named too: it reads its own."""
    for form in formats:
        if form.name == name and options.columns:
            raise InputError(f"--map: not with --from {name}, whose columns have names of their own")
        if form.name == name:
            return form
    raise UnknownName("--from", name, [form.name for form in formats], "format")


def of_header(
    header: Sequence[str], formats: Sequence[Format], shown: str, options: FileOptions, firsts: Iterable[Document] = (),
) -> Format:
    """The format of a table with these columns: of those that it satisfies, the one that needs the most.

    What the user mapped comes first, a table of one's own last; then what the JSON in cells of its first rows is (`firsts`).
    Raises InputError where there is none, with the format that comes nearest and what it misses.
    """
    own = {column.lower() for column in header}
    fitting = [form for form in formats if form.needs and form.needs <= own]
    if not fitting:
        _check_header(header, shown)
    outside = all(column.lower() in own for _, column in options.columns)
    found = _chosen(fitting, generic_format(options, header), options) if outside else None
    if found is None or (found.name == "generic" and has_counts_twice(header)):
        rows = [opened_cells(row) for row in firsts]
        found = found or _of_cells(rows, formats, shown, options)
        mixed = format_of_lines(options, rows, of_several=True) if outside and has_counts_twice(header) else None
        found = found if mixed is None else _by_row(mixed)
    if found is not None:
        return found
    if not outside:
        check_mapped(dict(options.columns), header)
    _check_known(header, shown)
    _check_columns(header, shown, options)
    raise UnnamedColumns(f"{shown}: no known export has {names_told(header, formats, 'columns')}"
                         f"{_of_total(header) or _nearest_format(header, formats)}", f"; {MAP}")


def _of_cells(rows: Sequence[Document], formats: Sequence[Format], shown: str, options: FileOptions) -> Format | None:
    """The format of a table's rows as documents, where cells of theirs hold JSON; None where none does, or it has no format."""
    if not any(isinstance(cell, dict) for row in rows for cell in row.values()):
        return None
    try:
        form = of_documents(rows, formats, shown, options)
    except InputError:
        return None
    return None if form.session is not None else _by_row(form)


def _by_row(form: Format) -> Format:
    """The format with each row of a table read as a document, its cells of JSON parsed."""
    inner = form.flatten

    def of_row(row: Document) -> Iterator[Document]:
        document = opened_cells(row)
        return iter((document,)) if inner is None else inner(document)

    return replace(form, table_by_document=True, flatten=of_row)


def _of_total(header: Sequence[str]) -> str:
    """Says that a sum of input and output tells neither, where a table has no other count; empty where it has."""
    plain = {re.sub(r"[ _.-]", "", name.lower()) for name in header}
    counts = {name for name in plain if "token" in name and "credit" not in name}
    return ("; tokens in total tell no price, since those of the input and of the output have one each: export both"
            if counts and counts <= TOTALS else "")


def _check_known(names: Sequence[str], shown: str) -> None:
    """Raise for a file of a known tool that holds no usage, with what does: of several, that of which most names are there."""
    own = {name.lower() for name in names}
    known = [(names, told) for names, told in packaged_rows("usage/formats/unread.csv") if own.issuperset(names.split(";"))]
    if known:
        raise InputError(f"{shown}: {max(known, key=lambda each: each[0].count(';'))[1]}")
    if own & OF_RESULTS and not any("token" in name for name in own):
        raise InputError(f"{shown}: results of an evaluation and no usage; how good they are: roi quality")


def _check_columns(names: Sequence[str], shown: str, options: FileOptions) -> None:
    """Raise for a table of one's own of which something is mapped and something is not found, or whose time alone is not."""
    there, missing = found_and_missing(dict(options.columns), names)
    if not missing or not (options.columns or missing == ["time"]):
        return
    have = f"{' and '.join(there.values())} {'are' if len(there) > 1 else 'is'} there, but " if there else ""
    lacks, whose = f"{' and '.join(missing)} {'are' if missing[1:] else 'is'} missing", "them" if missing[1:] else "it"
    left = [name for name in names if name.lower() not in {*there.values(), *(said.lower() for _, said in options.columns)}]
    listed = ", ".join(_nearest_first(missing, left)) if options.columns else ""
    raise UnnamedColumns(f"{shown}: {have}{'no column of times' if missing == ['time'] else lacks}",
                         f": name {whose}, {' '.join(f'--map {what}=COLUMN' for what in missing)}"
                         + (f"; columns that are left: {listed}" if listed else ""))


def _nearest_first(missing: Sequence[str], names: Sequence[str]) -> list[str]:
    """The first of the names that may be shown, those first that are most like what is missing."""
    short = [name for name in names if NAME.fullmatch(name)]
    alike = [near for what in missing for said in (what, *SAID[what]) for near in nearest(said, short, cutoff=LIKE)]
    return list(dict.fromkeys([*alike, *short]))[:SHOWN]


def names_told(names: Sequence[str], formats: Sequence[Format], what: str) -> str:
    """The first names; only how many there are where fewer than two of them are known, since it may be a text and no table."""
    known = {name for form in formats for name in form.columns}.union(*SAID.values())
    if len({name.lower() for name in names} & known) < 2:
        return f"its {len(names)} {what}, of which {'at most one' if names else 'none'} is known"
    short = [name for name in names if NAME.fullmatch(name)][:SHOWN]
    return f"these {what}: {', '.join(short)}" + (f" and {len(names) - len(short)} more" if len(names) > len(short) else "")


def _check_header(header: Sequence[str], shown: str) -> None:
    """Raise for a first line that names no columns."""
    refuse_no_text("", Path(shown), "records of usage")
    if header and LOG_LINE.match(header[0]):
        raise InputError(f"{shown}: {SERVER_LOG}")
    if len(header) < 2:
        raise InputError(f"{shown}: no table, no JSON and no Parquet: its first line has no comma, semicolon, tab or bar")
    if any(VALUE.fullmatch(cell) for cell in header):
        raise InputError(f"{shown}: line 1 is no header: it holds numbers or times where the names of columns belong")


def _nearest_format(header: Sequence[str], formats: Sequence[Format]) -> str:
    """The known table that comes nearest and what it has more, as part of a message; empty where none is near."""
    own = {column.lower() for column in header}
    best = max((form for form in formats if form.needs), key=lambda form: len(form.needs & own) / len(form.needs))
    if 2 * len(best.needs & own) < len(best.needs):
        return ""
    missing = []
    for name in sorted(best.needs - own):
        alike = nearest(name, sorted(column for column in own - best.columns if NAME.fullmatch(column)), 1)
        missing.append(name + (f" (renamed to {alike[0]}?)" if alike else ""))
    return f"; nearest: {best.name}, which also has {', '.join(missing)}"


def of_documents(documents: Iterable[Document], formats: Sequence[Format], shown: str, options: FileOptions) -> Format:
    """The format of the first of these documents that has one; raises InputError with the first's keys where none has.

    A log may begin with other lines (metrics, a title, what a session is about), so a known format anywhere comes before a
    table of one's own; a vendor's answers do not where other lines hold a usage too, as of a gateway of several vendors.
    """
    seen: list[Document] = []
    rest = iter(documents)
    for document in rest:
        seen.append(document)
        known = _recognised(document, formats)
        if known is not None and not options.columns:
            mixed = _beside_others(known, (*seen, *islice(rest, LOOKED_AT)), options) if known.name in ANSWERS else None
            return mixed or known
    other = known_by_keys(seen[0]) if seen and not {"schema", "evalId"}.isdisjoint(seen[0]) else None
    if other is not None:
        raise InputError(f"{shown}: {other.what} and no usage export: {other.reading(shown)}")
    failed: InputError | None = None
    columns = columns_of(seen)  # of all of them, since the first may lack a count that others have
    own = format_of_lines(options, seen) if seen else None
    tried = set[frozenset[tuple[str, bool]]]()
    for document in seen:
        alike = frozenset((key, isinstance(value, dict | list)) for key, value in document.items())
        if alike in tried:  # by which a format is told
            continue
        tried.add(alike)
        try:
            return _of_document(document, columns, own, formats, shown, options)
        except UnknownName:
            raise
        except InputError as error:
            failed = failed or error
    raise failed or InputError(f"{shown}: JSON, but no object")


def _beside_others(known: Format, documents: Sequence[Document], options: FileOptions) -> Format | None:
    """The format of lines of one's own where a vendor's answers stand among lines with another usage; None elsewhere."""
    others = [each for each in documents if known.recognises is None or not known.recognises(each)]
    return None if format_of_lines(options, others) is None else format_of_lines(options, documents)


def _of_document(
    document: Document, columns: Sequence[str], own: Format | None, formats: Sequence[Format], shown: str, options: FileOptions,
) -> Format:
    """The format of a JSON document, whose file has these columns and as a log of one's own the format `own`.

    Raises InputError with its keys where there is none.
    """
    flat = {key.lower() for key, value in document.items() if not isinstance(value, dict | list)}
    known = _recognised(document, formats)
    tables = [form for form in formats if form.needs and form.flatten is None and form.needs <= flat]
    found = _chosen(tables if known is None else [known], own, options)
    if found is not None:
        return found
    _check_known(list(document), shown)
    _check_columns(columns, shown, options)
    raise UnnamedColumns(f"{shown}: no known export has {names_told(list(document), formats, 'keys')}", f"; {MAP}")


def _recognised(document: Document, formats: Sequence[Format]) -> Format | None:
    """The first format that knows the document by its marks."""
    return next((form for form in formats if form.recognises is not None and form.recognises(document)), None)


def _chosen(fitting: Sequence[Format], own: Format | None, options: FileOptions) -> Format | None:
    """What the user mapped, else the format that needs the most, else a table of one's own; None where nothing fits."""
    if own is not None and (options.columns or not fitting):
        return own
    return max(fitting, key=lambda form: len(form.needs), default=None)
