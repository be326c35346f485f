"""What came in a month, kept: one JSON file a month in a folder, written once; a correction is a new version."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date as Date
from math import isclose
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from roi.disk import parse_json, read_text, replace_in_folder
from roi.errors import InputError, not_usable, visible
from roi.facts.records import Record

SCHEMA: Final = "roi.tracked-month/1"
SIZE_LIMIT: Final = 2**20
"""Bytes of one month's file that are read at most."""
MOST_FILES: Final = 2_000
"""Files that are read of a folder; ten years of months with many versions."""
NAME: Final = re.compile(r"(\d{4}-\d{2})(?:\.(\d{1,4}))?\.json")
Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=300)]


class Decision(Record):
    """Which decision the month belongs to."""

    title: Text
    as_of: Text
    """Day whose prices it was made with."""
    option: Text
    """Id of the option that was chosen."""
    first_month: Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]
    """Month 1 of the comparison."""


class TrackedMonth(Record):
    """What came in one month of the calendar; null where nothing told it."""

    schema_: Literal["roi.tracked-month/1"] = Field(default=SCHEMA, alias="schema")
    """Version of this form."""
    month: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
    decision: Decision
    currency: Literal["USD"] = "USD"
    calls: Amount | None = None
    """Calls of all models that the option calls."""
    own_calls: Amount | None = None
    """Calls that the option's own model answered."""
    second_calls: Amount | None = None
    """At most so many calls answer a request that the other model was called for too: by day, the lesser of both models'."""
    least_second_calls: Amount | None = None
    """At least so many calls do: those of days on which both models have the same calls, as many as one alone had before."""
    handed_on: Amount | None = None
    """The other models' calls over the own model's in the last days of the month, where that began to answer within it."""
    foreign_calls: Amount | None = None
    """Beside them, in the same files, those of models that are none of the decision's."""
    input_tokens: Amount | None = None
    """Input tokens of all calls, cached ones included."""
    cache_read_tokens: Amount | None = None
    """Input tokens that were read from a cache."""
    output_tokens: Amount | None = None
    api_usd: Amount | None = None
    api_usd_from: Literal["bill", "reported", "list price"] | None = None
    """Who says what the API cost: an invoice, the export itself, or the list price of its tokens."""
    calls_usd: Amount | None = None
    """What the calls cost by the export itself, whatever an invoice asks."""
    own_usd: Amount | None = None
    """What the option's own model's calls cost, USD, by the export or by list price."""
    units_usd: Amount | None = None
    """Beside them, what the export bills for units of throughput that the decision has; a bill has it in it."""
    own_tier_ratio: Amount | None = None
    """List price of the option's own model's calls by batch and service tier, over the same at once in the standard tier."""
    other_tier_ratio: Amount | None = None
    """List price of the other models' calls by batch and service tier, over the same at once in the standard tier."""
    gpu_hours: Amount | None = None
    gpu_usd: Amount | None = None
    sources: tuple[Text, ...] = ()
    """Names of the files that told it."""
    forecast: Mapping[str, tuple[float, float, float]] = {}
    """What was expected: 5th percentile, central, 95th percentile, by quantity."""

    @property
    def first_day(self) -> Date:
        """The first day of the month."""
        return Date.fromisoformat(f"{self.month}-01")

    def figures(self) -> dict[str, Any]:  # Any: plain JSON values
        """What came of the decision, without where it is from."""
        return self.model_dump(exclude={"sources", "forecast", "schema_", "foreign_calls"})


def read_months(folder: Path) -> dict[str, tuple[int, TrackedMonth]]:
    """The months that are kept in `folder`, by month: the number of the last version, and that version.

    A folder that is not there holds none. InputError for a file that is no such month.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--folder: {folder} is a file; give a folder")
    found: dict[str, tuple[int, TrackedMonth]] = {}
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    named = [(name, match) for name in names if (match := NAME.fullmatch(name))]
    if len(named) > MOST_FILES:
        raise InputError(f"--folder: {folder} holds {len(named):,} months; at most {MOST_FILES:,} are read")
    for name, match in named:
        version = int(match[2] or 1)
        if match[1] not in found or version > found[match[1]][0]:
            month = _read(folder / name)
            if month.month != match[1]:
                raise InputError(f"--folder: {folder / name}: month: {month.month!r} is not what the file is called")
            found[match[1]] = version, month
    return found


def _read(path: Path) -> TrackedMonth:
    text = read_text(path, SIZE_LIMIT, "--folder: ", "a month")
    try:
        data = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"--folder: {path}: not valid JSON: {str(error)[:100]}") from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise InputError(f"--folder: {path}: schema: {str(schema)[:60]!r} cannot be read; it should be {SCHEMA!r}")
    try:
        return TrackedMonth.model_validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(x) for x in first["loc"])
        raise InputError(f"--folder: {path}: {visible(place)[:80]}: {not_usable(first)}") from None


def keep_months(folder: Path, months: Sequence[TrackedMonth], *, revise: bool) -> list[str]:
    """Write the months that `folder` does not hold yet, and with `revise` new versions of those it holds otherwise.

    The names of the files. A month that is there with the same figures stays as it is; with others it is refused.
    """
    kept = read_months(folder)
    new: dict[str, str] = {}
    for month in months:
        version, there = kept.get(month.month, (0, None))
        if there is not None:
            if not (differs := _difference(there, month, told_later=revise)):
                continue
            if not revise:
                raise InputError(f"--folder: {folder} holds {month.month} already, with other figures: {differs}; --revise"
                                 " keeps both, the new one as a version of its own")
        name = f"{month.month}.json" if version == 0 else f"{month.month}.{version + 1}.json"
        new[name] = json.dumps(month.model_dump(mode="json", by_alias=True), indent=1, allow_nan=False) + "\n"
    if new:
        replace_in_folder(folder, new, "--folder", fresh=True)
    return sorted(new)


def _difference(there: TrackedMonth, month: TrackedMonth, *, told_later: bool) -> str:
    """The first figure in which two records of a month differ; empty where they are the same.

    `told_later`: what days of other months tell of this one counts too.
    """
    old, new = there.figures(), month.figures()
    for name in old:
        if name == "least_second_calls" and not told_later:
            continue
        a, b = old[name], new[name]
        close = isinstance(a, float) and isinstance(b, float) and isclose(a, b)  # to 1e-9 of the larger
        if a != b and not close:
            return f"{name} {_shown(a)} there, {_shown(b)} here"
    return ""


def _shown(x: object) -> str:
    return f"{x:,.10g}" if isinstance(x, float) else visible(str(x))[:80]
