"""What questions open: a scenario's Case with the runs that were measured, a trace; and where they say what was left out."""

from collections.abc import Callable, Sequence
from pathlib import Path

from roi.answers.telling import Tell, keep_quiet, tell_left_out
from roi.catalog.user_data import cache_folder
from roi.errors import check_type, paths_of
from roi.evidence.known_runs import KnownRuns, known_runs
from roi.evidence.served_rows import find_served_rows
from roi.evidence.trained_rows import find_calibrations
from roi.resolution.resolution import Resolved, resolve
from roi.scenario.scenario import Scenario
from roi.store.profiles.lookup import load_profiles, profile_folders
from roi.store.replays import KeptReplays
from roi.store.traces import Trace, plain_lengths, read_trace, traced_lengths


def open_case(
    scenario: Scenario, profiles: Sequence[Path] = (), tell: Tell = keep_quiet, *, cache: bool = True,
    runs: KnownRuns | None = None,
) -> Resolved:
    """The scenario's Case and plans, resolved with what was run dry or measured: `runs` where they are open already."""
    return resolve(scenario, open_runs(profiles, tell, cache=cache) if runs is None else runs)


def open_runs(profiles: Sequence[Path] = (), tell: Tell = keep_quiet, *, cache: bool = True) -> KnownRuns:
    """What was run dry or measured: the profiles and calibrations in `profiles` and in the folders that are searched always.

    `tell` hears of each file that cannot be used. With `cache` replays of earlier runs with the very same inputs are read from
    the user's cache folder, and new ones are kept there; no number depends on it.
    """
    check_type("cache", cache, bool, "True or False")
    check_type("tell", tell, Callable, "a function of one text")  # type: ignore[arg-type]  # a protocol
    folders = profile_folders(paths_of("profiles", profiles))
    store = load_profiles(folders, kinds={"dry-run", "train", "serve", "infer", "device"})
    calibrations, unread = find_calibrations(folders)
    rows, unusable = find_served_rows(folders)
    tell_left_out((*store.damaged, *unread, *unusable), tell)
    kept = KeptReplays(cache_folder() / "replays") if cache else None
    return known_runs(store, calibrations, rows, kept)


def open_trace(path: Path, field: str = "--trace") -> Trace:
    """The trace in a CSV or Parquet file; Parquet goes through the usage room, which alone reads it."""
    if path.suffix.lower() in {".parquet", ".pq"}:
        from roi.usage.measure.call_trace import read_parquet_trace

        return read_parquet_trace(path, field)
    return read_trace(path, field)


def open_lengths(path: Path, field: str) -> tuple[int, ...]:
    """Tokens of real examples: a file with one number a line, or a trace of calls, each what was sent and what came back."""
    binary = path.suffix.lower() in {".parquet", ".pq"}
    return (None if binary else plain_lengths(path, field)) or traced_lengths(open_trace(path, field))
