"""Langfuse's scores: the export of the scores' table (CSV, JSON), of blob storage (`scores/`), or a page of the API.

A score has a name (the metric), a value and a data type; columns are read in camel and in snake case. By the field reference
of langfuse/langfuse-docs (content/docs/api-and-data-platform/features/blob-storage-export-fields.mdx) it names its trace, not
the item of the data set: systems pair where traces have the item's id, or the table has a dataset_item_id (an experiment makes
a trace for each item and run; its API names the same experimentItemId). The system is the data set's run, else the trace's
name. Pages of the API's third version name what they score in `subject`, and their value is the category itself
(langfuse/langfuse, fern/apis/server/definition/scores-v3.yml); they name no system, --system does. No captured export of
scores was found in public, so that the fixtures follow these two references; --map names other columns.
"""

from collections.abc import Iterator

from roi.errors import InputError
from roi.quality.formats.own_rows import NAMES
from roi.quality.result_rows import Asked, Document, Format, Notes, Row, Source, block, one_of, share

ITEM = ("datasetitemid", "experimentitemid", "traceid")
SYSTEM = ("datasetrunname", "experimentname", "datasetrunid", "tracename")


def _plain(document: Document) -> Document:
    found = {name.lower().replace("_", "").replace(" ", ""): value for name, value in document.items()}
    if told := block(found.get("subject")):
        found.setdefault("traceid", told.get("traceId") or (told.get("id") if told.get("kind") == "trace" else None))
    return found


def _recognises(head: Document, first: Document) -> bool:  # noqa: ARG001 -- every format is asked alike
    return {"traceid", "name", "value"} <= _plain(first).keys() and bool({"datatype", "source"} & _plain(first).keys())


def _rows(source: Source, asked: Asked, notes: Notes) -> Iterator[tuple[str, Row]]:
    given = {what: _plain({column: None}).popitem()[0] for what, column in asked.columns}
    items, systems = (((given[what],) if what in given else usual) for what, usual in (("item", ITEM), ("system", SYSTEM)))
    alone = asked.system_of_file(source.path)
    metrics: list[str] = []
    for place, document in source.documents:
        score = _plain(document)
        if (name := str(score.get("name"))) not in metrics:
            metrics.append(name)
            if asked.metric is None and len(metrics) > 1:
                rest = dict.fromkeys(str(_plain(each).get("name")) for _, each in source.documents)
                one_of(list(dict.fromkeys([*metrics, *rest])), None, "--metric", source.path)
        if asked.metric is not None and name != asked.metric:
            continue
        if len(notes.dates) < 1 and isinstance(date := score.get("timestamp"), str):
            notes.dates.append(date[:10])
        kind = str(score.get("datatype") or "NUMERIC")
        in_words = kind in {"CATEGORICAL", "TEXT"} and "stringvalue" in score
        told = score["stringvalue" if in_words else "value"] if "value" in score else None
        if (mark := share(told, place, asked)) is None:
            notes.unread(told)
        system = alone or next((score[each] for each in systems if score.get(each)), None)
        if system is None and mark is not None:
            raise InputError(f"{place}: no run of a data set and no trace's name to tell the system by; --system"
                             f" {source.path.rpartition('/')[2]}=NAME, or --map system=COLUMN")
        cluster, weight, run, escalated = (score.get(given[what]) if what in given else None for what in list(NAMES)[3:])
        item = next((score[each] for each in items if score.get(each)), None)
        yield place, Row(item, system, mark, cluster, weight, run, escalated)
    notes.metrics[one_of(metrics, asked.metric, "--metric", source.path)] = None


LANGFUSE = Format(title="Langfuse scores", columns=("traceid", "name", "value", "datatype"), recognises=_recognises, rows=_rows)
