"""Pages of an API: whether those that are read say that there are more, which are not among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from roi.usage.read.record import Document

TIMES: Final = (("start_time", "end_time"), ("starting_at", "ending_at"))
"""Beginning and end of a bucket, of OpenAI and Anthropic."""
Time = int | float | str


@dataclass(frozen=True)
class Pages:
    """Which pages of an API a file holds, and which it announces."""

    begins: frozenset[Time]
    """Times at which a bucket begins."""
    awaits: tuple[Time | None, ...]
    """Times at which a page goes on that says that there are more; None where its items have no times."""
    ends: bool
    """True where a page says that there are no more."""


NO_PAGES: Final = Pages(frozenset(), (), ends=False)


def pages_of(documents: Sequence[Document]) -> Pages:
    """The pages among the documents."""
    begins, awaits, ends = set[Time](), list[Time | None](), False
    for document in documents:
        data = document.get("data")
        held = [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []
        begins |= {time for each in held if (time := _time(each, 0)) is not None}
        if document.get("has_more") is True:
            awaits.append(_time(held[-1], 1) if held else None)
        ends = ends or document.get("has_more") is False
    return Pages(frozenset(begins), tuple(awaits), ends=ends)


def _time(bucket: Document, which: int) -> Time | None:
    """The beginning (0) or the end (1) of a bucket."""
    return next((time for names in TIMES if isinstance(time := bucket.get(names[which]), Time)), None)


def lacks_pages(page: Pages, every: Sequence[Pages]) -> bool:
    """True where a page says that there are more, and none of the files' pages goes on where it ends."""
    begins, ends = frozenset[Time]().union(*(each.begins for each in every)), any(each.ends for each in every)
    return any(time not in begins if time is not None else not ends for time in page.awaits)
