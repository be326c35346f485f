"""Days of fleets that were replayed in the session: a small file each, named by all that a day follows from to the last bit."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from roi.answers.size_plan import Day
from roi.estimate.replay.load_curve import LoadPoint
from roi.store.cache_files import KeptFiles
from roi.store.replays import _name

MOST_BYTES, MOST_FILES = 8192, 10_000


def replayed_once(replay: Callable[..., Day | None], folder: Path) -> Callable[..., Day | None]:
    """The function, which looks into the folder first."""
    files = KeptFiles(folder, MOST_BYTES, MOST_FILES)

    def once(*inputs: object) -> Day | None:
        name = _name(inputs)
        if text := files.text(name):
            load, within, rates = json.loads(text)
            return Day(LoadPoint(**load), within, tuple(rates))
        if (day := replay(*inputs)) is not None:
            files.keep(name, json.dumps([asdict(day.load), day.within_slo, day.by_hour_requests_per_s]))
        return day

    return once
