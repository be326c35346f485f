"""Loads as tables of serving runs write them: what the scenario's words say of arrivals and of requests in flight."""

import re
from typing import NamedTuple

from roi.estimate.accuracy.serving_run import LoadKind
from roi.store.tables.row_fields import Row, Unusable, cell
from roi.store.tables.serving_cells import readable_number, stated_number
from roi.store.tables.serving_load_words import (
    ALL_AT_ONCE,
    ALONE,
    ARRIVING,
    BATCHES,
    ENDLESS,
    IN_FLIGHT,
    LIMITED,
    MINUTE_RATES,
    MLPERF_LIMITED,
    NUMBER,
    PROMPTS,
    RATES,
    SERVED,
    SEVERAL,
    SIZED,
    STATIC,
    all_numbers,
    first_number,
    plain_words,
)

THROUGHPUTS = ("req_per_s", "output_tok_per_s", "total_tok_per_s")
"""Columns of throughput."""


class LoadWords(NamedTuple):
    """What the scenario's text and the concurrency say of the load."""

    kind: LoadKind
    concurrency: float | None = None
    """Requests in flight or in the batch."""
    rate: float | None = None
    """Offered requests a second."""
    prompts: float | None = None
    """Requests of the whole run."""
    held_to_slo: bool = False
    """True where the figure is the most that kept an SLO (MLPerf Server and Interactive)."""
    guessed: bool = False
    """True where nothing says what the load was, and a throughput is taken as all that the server gives."""
    split: tuple[float, float] | None = None
    """Prompt and decode workers of a disaggregated server."""
    contradicted: bool = False
    """True where the scenario says another concurrency than the column, which is taken."""


def row_load(row: Row) -> LoadWords:
    """The load that scenario and concurrency name; Unusable where a batch, a loop or an arrival has no number."""
    text = plain_words(cell(row, "scenario"))
    stated, told = stated_number(row, "concurrency"), _told_concurrency(text)
    if stated is None and len(told) > 1:
        raise Unusable("scenario", cell(row, "scenario"), f"says {' and '.join(f'{x:g}' for x in sorted(told))} in flight")
    held = stated if stated is not None else next(iter(told), None)
    found = _load(row, text, held)
    other = stated is not None and bool(told) and not any(abs(x / stated - 1.0) < 0.01 for x in told)
    return found._replace(contradicted=other and found.kind in ("static", "closed"))


def _load(row: Row, text: str, held: float | None) -> LoadWords:
    prompts, rate = _prompts(text), _rate(row, text)
    if ENDLESS.search(text):
        return LoadWords("saturated" if held is None else "closed", held, prompts=prompts)
    if not re.search(r"closed|static", text):
        if rate is not None:
            return LoadWords("open", rate=rate, prompts=prompts)
        if ARRIVING.search(text):
            raise Unusable("scenario", cell(row, "scenario"), "arrivals without their rate")
    offline = re.search(r"\boffline\b", text)
    if held is not None and (STATIC.search(text) or (offline and prompts is None) or _batched(text)):
        return LoadWords("static", held)
    if held is not None and not offline:
        return LoadWords("closed", held, split=_split(row, text))
    return _unheld(row, text, prompts)


def _unheld(row: Row, text: str, prompts: float | None) -> LoadWords:
    """The load of a row that states neither a number in flight nor a rate."""
    sized = Unusable("concurrency", "", "empty, and a batch or a closed loop needs it")
    if re.search(r"closed|static", text):
        raise sized
    at_once = ALL_AT_ONCE.search(text) is not None
    if LIMITED.search(text) or (MLPERF_LIMITED.search(text) and not at_once):
        return LoadWords("saturated", prompts=prompts, held_to_slo=True)
    if at_once:
        return LoadWords("saturated", prompts=prompts)
    if SIZED.search(text):
        raise sized
    if any(readable_number(row, column) is not None for column in THROUGHPUTS):
        return LoadWords("saturated", prompts=prompts, guessed=True)
    raise Unusable("scenario", cell(row, "scenario"), "no static batch, closed loop, rate or offline run, and no concurrency")


def _told_concurrency(text: str) -> set[float]:
    """The numbers in flight, or in a batch, that the text says."""
    text = SEVERAL.sub("several", text)
    flying = set(all_numbers(IN_FLIGHT, text)) | ({1.0} if ALONE.search(text) else set())
    batch = set(all_numbers(BATCHES, text))
    return {x for x in flying | batch if x >= 1.0}


def _batched(text: str) -> bool:
    return first_number(BATCHES, text) is not None and SERVED.search(text) is None


def _prompts(text: str) -> float | None:
    return first_number(PROMPTS, text) or None


def _rate(row: Row, text: str) -> float | None:
    """Arrivals a second; Unusable for a rate of 0."""
    rate, minute = first_number(RATES, text), first_number(MINUTE_RATES, text)
    found = rate if rate is not None or minute is None else minute / 60.0
    if found == 0.0:
        raise Unusable("scenario", cell(row, "scenario"), "a rate of 0")
    return found


def _split(row: Row, text: str) -> tuple[float, float] | None:
    found = re.search(rf"p\s*:\s*d\s*{NUMBER}\s*:\s*{NUMBER}", text)
    if found is None:
        return None
    workers = float(found.group(1)), float(found.group(2))
    if not all(workers):
        raise Unusable("scenario", cell(row, "scenario"), "prefill or decode without a worker")
    return workers
