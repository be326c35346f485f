"""Logs of Inspect (inspect_ai): .json, or .eval, an archive of JSON members compressed with Zstandard.

`eval` names model, task and day; a sample has id, epoch (a repeated run) and a score by scorer. A score's value is C, P, I or N
(correct, partial, incorrect, no answer), a number, a truth value, or several by name. The fixtures were written by inspect_ai
0.3.285; tests/log/test_eval_log/log_read_sample.json in UKGovernmentBEIS/inspect_ai was captured from a real run.
"""

from collections.abc import Iterator

from roi.quality.result_rows import FAILED, NO_SCORE, Asked, Document, Format, Notes, Row, Source, block, one_of, share

PARTIAL = "P"
ENDS = ("error", "cancelled", "started")
"""Statuses of a log other than success."""


def _rows(source: Source, asked: Asked, notes: Notes) -> Iterator[tuple[str, Row]]:
    about = source.head["eval"]
    if isinstance(date := about.get("created"), str):
        notes.dates.append(date[:10])
    task, samples, model = about.get("task") or "task", 0, asked.system_of_file(source.path) or about.get("model")
    for place, sample in source.documents:
        samples += 1
        failed, scores = bool(sample.get("error")), block(sample.get("scores"))
        mark = _mark(scores, asked, notes, place) if scores and not failed else None
        item = sample.get("id")
        yield place, Row(f"{task}/{item}" if item is not None else None, model, mark, run=sample.get("epoch"),
                         lacks=FAILED if failed else NO_SCORE)
    if (status := source.head.get("status", "success")) != "success":
        items, epochs = block(about.get("dataset")).get("samples"), block(about.get("config")).get("epochs")
        meant = (items if isinstance(items, int) else 0) * (epochs if isinstance(epochs, int) else 1)
        ended = f"with status {status}" if status in ENDS else "before its end"
        notes.cut_short.append(f"{source.path}: the run ended {ended}, with {samples:,} of {max(meant, samples):,} samples;"
                               " those that are missing may be the hard ones")


def _mark(scores: Document, asked: Asked, notes: Notes, place: str) -> float | None:
    """The value of the scorer that was asked for, or of the only one; `scorer/name` where a scorer gives several."""
    values: Document = {}
    for scorer, score in scores.items():
        value = block(score).get("value")
        values |= {f"{scorer}/{name}": mark for name, mark in block(value).items()} or {scorer: value}
    metric = one_of(list(values), asked.metric, "--metric", place)
    notes.metrics[metric] = None
    mark = 0.5 if values[metric] == PARTIAL and not asked.words else share(values[metric], place, asked)
    if mark is None:
        notes.unread(values[metric])
    return mark


INSPECT = Format(title="Inspect log", columns=("id", "epoch", "scores"), rows=_rows,
                 recognises=lambda head, first: isinstance(head.get("eval"), dict) and {"epoch", "id"} <= first.keys())
