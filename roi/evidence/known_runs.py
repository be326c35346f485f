"""What was run before, dry or on a card: the evidence that a scenario is resolved with."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from roi.estimate.replay.load_curve import PlanCapacity
from roi.evidence.measured_servers import MeasuredServer, measured_servers
from roi.evidence.served_rows import ServedRows
from roi.evidence.trained_rows import CalibrationFile
from roi.evidence.training_speed import Speed, fitted_speed
from roi.store.profiles.lookup import Store
from roi.store.replays import KeptReplays

T = TypeVar("T")


class KnownRuns(NamedTuple):
    """What was run before, dry or on a card; and what was worked out with it."""

    store: Store
    speed: Speed
    """Evidence of training speed for a plan on a card, its interval as runs scatter (`fitted_speed`)."""
    servers: Callable[[str], tuple[tuple[MeasuredServer, ...], tuple[tuple[str, str], ...]]]
    """Servers measured on a card, newest first, and the profiles that say nothing, with the reason."""
    replayed: dict[tuple[object, ...], PlanCapacity]
    """What plans hold at an SLO, as far as it was asked for: replayed once with these runs."""
    estimates: dict[tuple[object, ...], Any]  # Any: whatever `once` is given to make
    """What was worked out for one scenario and is the same for the next; `once` reads and fills it."""
    rows: tuple[ServedRows, ...] = ()
    """Rows of tables of measured servers."""
    kept: KeptReplays | None = None
    """What was replayed before, on disk; None: nothing is read there or kept."""
    calibrations: tuple[CalibrationFile, ...] = ()
    """Fits of training speed, which `speed` was made of."""

    def __reduce__(self) -> tuple[Callable[..., "KnownRuns"], tuple[object, ...]]:
        """What another process makes the same of: what was read, and what was replayed. It fits anew."""
        return _again, (self.store, self.calibrations, self.rows, self.kept, self.replayed)

    def once(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """What `make` gives, made the first time that these runs are asked for `key`, which names all that it follows from."""
        if key not in self.estimates:
            self.estimates[key] = make()
        found: T = self.estimates[key]
        return found


def known_runs(
    store: Store | None = None, calibrations: Sequence[CalibrationFile] = (), rows: Sequence[ServedRows] = (),
    kept: KeptReplays | None = None,
) -> KnownRuns:
    """Profiles, calibration files and rows of servers, fitted once; without any, the published runs alone."""
    held = store or Store()
    return KnownRuns(store=held, speed=fitted_speed(held, calibrations), servers=cache(lambda gpu: measured_servers(held, gpu)),
                     replayed={}, estimates={}, rows=tuple(rows), kept=kept, calibrations=tuple(calibrations))


def _again(
    store: Store, calibrations: Sequence[CalibrationFile], rows: Sequence[ServedRows], kept: KeptReplays | None,
    replayed: dict[tuple[object, ...], PlanCapacity],
) -> KnownRuns:
    return known_runs(store, calibrations, rows, kept)._replace(replayed=replayed)
