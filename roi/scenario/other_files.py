"""What a file is that stands where another belongs, and the command that reads it: told by its keys, or by how it begins."""

import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from roi.disk import GZIP, SQLITE, UTF_16, open_to_read
from roi.errors import InputError
from roi.scenario.yaml import PART_SCHEMA, QUALITY_PART, SIZE_LIMIT, START, read_yaml

SCENARIO_SCHEMA: Final = "roi.scenario/1"
POLICY: Final = "roi.policy/1"
COMPARISON: Final = "roi.comparison/"
"""How the schema of a saved comparison begins."""
HEAD: Final = 4096
"""Bytes by which a table, a log, or JSON too large for a scenario is told."""
SCHEMA_SAID: Final = re.compile(rb'\s*\{\s*"schema": ?"([^"]{1,40})"')
"""How JSON begins that this program wrote."""
RECORDS: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".gz", ".zip", ".log", ".db")
"""Endings of files that hold usage and no scenario."""
USAGE_JSON: Final = re.compile(rb'\s*\[\s*\{|[^}]*"(object|data|results|usage|resourceSpans|observations)"\s*:')
"""How JSON of usage begins: a list of objects, or one of these keys among the first; a scenario has none of them."""
OF_USAGE: Final = re.compile(rb"PAR1|\x1f\x8b|PK|.*(token|usage|cost|spend)", re.IGNORECASE | re.DOTALL)
"""How Parquet and packed files begin, and words that records of usage hold."""
PAGE: Final = re.compile(rb"\s*<(!doctype html|html)\b", re.IGNORECASE)
"""How a page for a browser begins."""
OF_SCENARIO: Final = re.compile(rb"(\s*\{\s*|.*^)\"?schema\"?: ?[\"']?roi\.", re.DOTALL | re.MULTILINE)
"""YAML or JSON that this program reads, by its beginning."""
COLUMN: Final = rb"([^\n]*[,;\t])?[\"' ]*%s[\"' \r]*([,;\t]|$)"
IN_AND_OUT: Final = re.compile(rb"(?=%s)%s" % (COLUMN % b"input", COLUMN % b"output"), re.IGNORECASE)
"""A first line of columns that are called as `--map` calls what they hold, so that no names need be said."""
SCORE: Final = rb"(score|correct|passed|acc|exact_match)"
"""What results of an evaluation call a score."""
OF_QUALITY: Final = re.compile(rb"(?!.*token)(.*[,;\t\" ])?" + SCORE + rb"([\",;\t\r]|$)", re.IGNORECASE)
"""A first line of columns or keys of an evaluation's results, which count no tokens."""
SCORES_JSON: Final = re.compile(rb'(?!.*token).*"' + SCORE + rb'"\s*:', re.IGNORECASE | re.DOTALL)
"""JSON of an evaluation's results, by its beginning."""
OWN_COLUMNS: Final = "--map time=COLUMN --map input=COLUMN --map output=COLUMN"
"""What `roi usage` is told of a table whose columns have names of one's own."""
SCENARIO_KEYS: Final = frozenset({"as_of", "workload", "incumbent", "candidates"})
"""Blocks that a scenario has, and no other file of the house."""


class OtherFile(NamedTuple):
    """What a file is, and the command that reads it."""

    what: str
    """What the file is, with its article: "a policy"."""
    command: str
    """Command that takes such a file, followed by the file's path where it does."""
    takes: bool = True

    def reading(self, path: Path | str) -> str:
        """The command that reads this file, or what does in its place."""
        return f"{self.command} {path}" if self.takes else self.command


SCENARIO: Final = OtherFile("a scenario", "roi compare")
USAGE_PART: Final = OtherFile("a part of a scenario", "roi compare SCENARIO --usage")
EVALUATED_PART: Final = OtherFile("a part of a scenario", "roi compare SCENARIO --quality")
LIMITS: Final = OtherFile("a policy", "roi check SCENARIO")
SAVED: Final = OtherFile("a saved comparison", "roi compare")
USAGE: Final = OtherFile("records of usage", "roi usage")
EVALUATION: Final = OtherFile("results of an evaluation", "roi quality")
MODEL: Final = OtherFile("a model's config.json", "roi fit")
WEB_PAGE: Final = OtherFile("a page for a browser", "commands read the scenario behind it, or what --output FILE.json kept",
                            takes=False)
JSON_SCHEMA: Final = OtherFile("a JSON Schema", "editors read it; roi init writes a scenario to start from", takes=False)
PACKED: Final = OtherFile("packed with gzip", "gunzip -k")
DATABASE: Final = OtherFile("a database of SQLite", "roi usage reads OpenCode's, and of another a table of calls as CSV"
                            " (sqlite3 -header -csv)", takes=False)
ANSWERS: Final = {
    "roi.usage/": OtherFile("an answer of roi usage", "roi usage FILES --output part.yaml writes what is read", takes=False),
    "roi.quality/": OtherFile("an answer of roi quality", "roi quality FILES --output quality.yaml writes what is read",
                              takes=False),
    "roi.profile/": OtherFile("a profile", "roi compare SCENARIO --profiles FOLDER looks into its folder", takes=False),
    "roi.tracked-month/": OtherFile("a month that roi track keeps", "roi track SAVED --actual EXPORT reads it", takes=False),
    COMPARISON: SAVED,
    "roi.": OtherFile("what another command of roi wrote", "no command reads it", takes=False),
}  # fmt: skip
"""What a file of this program is that is no part of a question, by how its schema begins."""
BY_SCHEMA: Final = {PART_SCHEMA: USAGE_PART, QUALITY_PART: EVALUATED_PART, POLICY: LIMITS, SCENARIO_SCHEMA: SCENARIO}
BY_KEYS: Final = {frozenset({"saved"}): LIMITS, frozenset({"facts"}): LIMITS, frozenset({"evalId", "results"}): EVALUATION,
                  frozenset({"config", "results"}): EVALUATION, frozenset({"model_type"}): MODEL,
                  frozenset({"$schema", "properties"}): JSON_SCHEMA, frozenset({"$defs", "properties"}): JSON_SCHEMA}
"""What a mapping without a schema is, by keys that it has; promptfoo's results among them."""


def known_by_keys(data: Mapping[str, Any]) -> OtherFile | None:  # Any: plain values
    """What a file that holds this mapping is: by its schema, else by its keys; None where nobody knows it."""
    schema = str(data.get("schema", ""))
    if schema in BY_SCHEMA:
        return BY_SCHEMA[schema]
    of_another_time = any(schema.startswith(known.partition("/")[0]) for known in BY_SCHEMA)
    written = next((other for begins, other in ANSWERS.items() if schema.startswith(begins)), None)
    if written is not None and not of_another_time:
        return written
    if len(SCENARIO_KEYS & data.keys()) > 1:
        return SCENARIO
    if any(isinstance(x, dict) and not x.keys().isdisjoint({"at_least", "at_most"}) for x in data.values()):
        return LIMITS
    return next((other for keys, other in BY_KEYS.items() if keys <= data.keys()), None)


def what_it_is(path: Path) -> OtherFile | None:
    """What the file is; None where nobody knows it, or it cannot be read."""
    head = _head_of(path)
    if head is None:
        return None
    if (plain := _no_plain_file(path, head)) is not None or path.suffix.lower() in RECORDS:
        return plain or _known_records(head)
    if (said := SCHEMA_SAID.match(head)) is not None:
        return known_by_keys({"schema": said[1].decode("utf-8", "replace")})
    try:
        known = known_by_keys(read_yaml(path)) if path.stat().st_size <= SIZE_LIMIT else None
    except InputError:
        known = None
    if known is not None or path.suffix.lower() != ".json" or not USAGE_JSON.match(head):
        return known
    return EVALUATION if SCORES_JSON.match(head) else USAGE


def _head_of(path: Path) -> bytes | None:
    """How the file begins; None where it is none, or cannot be read."""
    try:
        if not path.is_file():
            return None
        with open_to_read(path) as file:
            head: bytes = file.read(HEAD)
    except OSError:
        return None
    return head


def _no_plain_file(path: Path, head: bytes) -> OtherFile | None:
    """A page for a browser, a database, or a packed file (.gz) of this program, by its beginning; None of what is none."""
    if PAGE.match(head) or head.startswith(SQLITE):
        return WEB_PAGE if PAGE.match(head) else DATABASE
    if path.suffix.lower() != ".gz" or not head.startswith(GZIP):
        return None
    try:
        unpacked = zlib.decompressobj(wbits=31).decompress(head, HEAD)
    except zlib.error:
        return None
    return PACKED if Path(path.stem).suffix.lower() in {".yaml", ".yml"} or OF_SCENARIO.match(unpacked) else None


def _known_records(head: bytes) -> OtherFile | None:
    """What a table or a log is that begins so."""
    head = head.decode("utf-16", "ignore").encode() if head[:2] in UTF_16 else head  # as spreadsheet programs save
    first = head.partition(b"\n")[0]
    if OF_QUALITY.match(first):
        return EVALUATION
    return USAGE if OF_USAGE.match(head) or IN_AND_OUT.match(first) else None


def refuse_other(where: str, path: Path, wanted: str, *but: OtherFile, usage: str = USAGE.command) -> None:
    """Raise InputError where the file is known to be another than the `wanted` one: what it is, and the command that reads it.

    `where` is what the message begins with; `but` are those that say nothing against it, `usage` is what takes
    records of usage here.
    """
    if (other := what_it_is(path)) is not None and other not in but:
        refuse(where, path, wanted, USAGE._replace(command=usage) if other == USAGE else other)


def refuse_no_text(where: str, path: Path, wanted: str) -> None:
    """Raise InputError, as `refuse_other`, for what no reader of text takes: a page, a database, a packed file of roi."""
    if (head := _head_of(path)) is not None and (other := _no_plain_file(path, head)) is not None:
        refuse(where, path, wanted, other)


def refuse(where: str, path: Path, wanted: str, other: OtherFile) -> NoReturn:
    """Raise InputError for a file that is another than the `wanted` one."""
    raise InputError(f"{where}{path}: {other.what} and no {wanted}; {other.reading(path)}")


def refuse_records(path: Path, option: str = "", scenario: Path | str | None = None) -> None:
    """Raise InputError, with the command that reads it, for a table or a log in the place of a scenario.

    `option`: what asks for a part of one in that place; `scenario`: the file that it would be laid over.
    """
    records, head = path.suffix.lower() in RECORDS, _head_of(path)
    if head is None:  # which the reading of the scenario words
        return
    wanted, at = "part of a scenario" if option else "scenario", f"{option}: {path}" if option else str(path)
    refuse_no_text(f"{option}: " if option else "", path, wanted)
    if not (records or path.suffix.lower() == ".json"):
        return
    if not head.strip():
        raise InputError(f"{at}: empty; {f'`roi {option[2:]} FILES --output` writes one' if option else START}")
    compare = "roi compare" if scenario is None else f"roi compare {scenario}"
    use = f"--output part.yaml, then {compare} --usage part.yaml"
    judge = f"roi quality {path} --incumbent SYSTEM --output quality.yaml, then {compare} --quality quality.yaml"
    known = what_it_is(path)
    if known == USAGE:
        raise InputError(f"{at}: records of usage and no {wanted}; what was spent: roi usage {path} {use}")
    if known == EVALUATION:
        raise InputError(f"{at}: results of an evaluation and no {wanted}; how good: {judge}")
    if b"\0" in head and head[:2] not in UTF_16:
        raise InputError(f"{at}: a zero byte; this is not a text file")
    if option == "--quality" and records:
        raise InputError(f"{at}: no {wanted}; results of an evaluation: {judge}")
    start = "" if option else f"{START}; roi usage reads usage, roi quality results of an evaluation; "
    if records:
        raise InputError(f"{at}: no {wanted}; {start}a log whose columns have names of your own: roi usage {path}"
                         f" {OWN_COLUMNS} {use}")
