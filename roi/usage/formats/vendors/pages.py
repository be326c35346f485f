"""Pages of the vendors' usage and cost APIs: buckets of time, each with a list of results."""

from collections.abc import Iterator
from typing import Final

from roi.usage.read.record import Document

OTHER_CURRENCY: Final = "an amount that is not stated in USD"
NO_TOKENS: Final = "a cost of something else than tokens"


def buckets(document: Document, *times: str) -> Iterator[tuple[Document, list[Document]]]:
    """(times, results) of each bucket of a page; also of a bucket alone, as pages joined by hand have it.

    `times` are the keys of its beginning and its end.
    """
    data = document.get("data", [document])
    for bucket in data if isinstance(data, list) else ():
        if isinstance(bucket, dict) and "results" in bucket and (times[0] in bucket or bucket.get("object") == "bucket"):
            results = bucket["results"] if isinstance(bucket["results"], list) else []
            yield {name: bucket.get(name) for name in times}, [each for each in results if isinstance(each, dict)]


def result_rows(document: Document, *times: str) -> Iterator[tuple[Document, Document]]:
    """(times of its bucket, result) for each result; a bucket without results has an empty one."""
    for when, results in buckets(document, *times):
        for result in results or [{}]:
            yield when, result
