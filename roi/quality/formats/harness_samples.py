"""Samples of lm-evaluation-harness (--log_samples): samples_TASK_DATE.jsonl, a row for each document and filter.

The model is named in results_DATE.json beside it, else by the folder (google__gemma-2b). Captured rows, in
EleutherAI/lm-evaluation-harness, african_nlp_benchmarks/google__gemma-2b/, have `metrics` with the names of those that stand
in the row, and a mark that is no number where a metric is not one of single documents: that one is refused row by row.
A file with several filters (strict-match, flexible-extract) tells each document several times: one is taken.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from roi.disk import parse_json, read_text
from roi.errors import InputError
from roi.quality.result_rows import Asked, Format, Notes, Row, Source, one_of, share

MOST_BYTES = 64 * 2**20
"""Bytes at most of the file of sums beside the samples."""
OTHERS = frozenset({"doc_id", "doc_hash", "prompt_hash", "target_hash"})
"""Numbers and hashes of a row that are no metric."""
NO_MARK = "a metric of the whole task, with no mark for a document"
NAMED = re.compile(r"samples_(.+)_(\d{4}-\d\d-\d\dT[\d.:-]+)\.jsonl")


def _rows(source: Source, asked: Asked, notes: Notes) -> Iterator[tuple[str, Row]]:
    path = Path(source.path)
    named = NAMED.fullmatch(path.name.removesuffix(".gz"))
    task, date = (named[1], named[2]) if named else (path.name.partition(".")[0], "")
    if date:
        notes.dates.append(date[:10])
    system = asked.system_of_file(source.path) or _model(path, date)
    named = source.first.get("metrics")
    metrics = named if isinstance(named, list) and named else [
        name for name, value in source.first.items() if name not in OTHERS and isinstance(value, (int, float))]
    metric = one_of([str(name) for name in metrics], asked.metric, "--metric", source.path)
    notes.metrics[metric] = None
    filters: list[str] = []
    for place, row in source.documents:
        chosen = str(row.get("filter", "none"))
        if chosen not in filters:
            filters.append(chosen)
            if len(filters) > 1:
                one_of(filters, asked.filter, "--filter", source.path)
                notes.tried[f"several filters of {task} ({', '.join(filters)})"] = None
        if asked.filter is not None and chosen != asked.filter:
            continue
        mark = share(row.get(metric), place, asked)
        if mark is None and isinstance(row.get(metric), list):
            notes.drop(NO_MARK, place)
            continue
        yield place, Row(f"{task}/{row['doc_id']}" if row.get("doc_id") is not None else None, system, mark)
    if asked.filter is not None:
        one_of(filters, asked.filter, "--filter", source.path)


def _model(path: Path, date: str) -> str:
    """The model by the sums of the same run, else by the folder's name."""
    beside = path.with_name(f"results_{date}.json")
    if date and beside.is_file():
        try:
            found = parse_json(read_text(beside, MOST_BYTES))
            name = found.get("model_name") or _argument(str(found.get("config", {}).get("model_args", "")))
        except (ValueError, RecursionError, AttributeError, InputError):
            name = None
        if name:
            return str(name)
    if "__" in path.parent.name:
        return path.parent.name.replace("__", "/")
    raise InputError(f"{path}: the model is not named: no results_{date or 'DATE'}.json beside it; --system {path.name}=NAME")


def _argument(arguments: str) -> str | None:
    found = re.search(r"(?:^|,)(?:pretrained|model)=([^,]+)", arguments)
    return found[1] if found else None


HARNESS = Format(title="lm-evaluation-harness samples", columns=("docid", "filter", "resps"),
                 recognises=lambda _, first: "doc_id" in first and bool({"filter", "resps", "filtered_resps"} & first.keys()),
                 rows=_rows)
