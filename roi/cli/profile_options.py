"""What the `roi profile` commands share: options, how their text is read and checked, and how a profile is kept and told."""

import re
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click
from click.exceptions import Exit

from roi.cli.options import PATH, Choice, format_option, together
from roi.errors import InputError, RoiError, UnknownName, visible

if TYPE_CHECKING:
    from roi.facts.gpu import Gpu
    from roi.facts.profiles import DeviceProfile, InferProfile, ProbeProfile, TrainProfile
    from roi.profiling.session import Session
    from roi.profiling.stops import Stops

    Profile = TypeVar("Profile", DeviceProfile, InferProfile, ProbeProfile, TrainProfile)

UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
LONGEST_S: Final = 1e6
MOST_SEQUENCES: Final = 4096
"""Sequences at once: the search for the largest micro-batch ends there too."""

Command = Callable[..., None]


def read_seconds(_: click.Context, option: click.Parameter, text: str) -> float:
    """Seconds that `text` means: 90, 90s, 2m or 1.5h."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|)", text.strip().lower(), re.ASCII)
    seconds = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not 0.0 < seconds <= LONGEST_S:
        raise InputError(f"{option.opts[0]}: {text[:40]!r} is not usable; a time above 0 such as 90s, 2m or 0.5h")
    return seconds


def read_counts(_: click.Context, option: click.Parameter, text: str | None, most: int | None = None) -> tuple[int, ...]:
    """Whole numbers from 1 (to `most`) with commas, each once, in order; none for no text.

    Without `most` the model says what is too many.
    """
    if text is None:
        return ()
    words = [word.strip() for word in text.split(",")]
    if not all(re.fullmatch(r"[1-9][0-9]{0,17}", word) for word in words):
        raise InputError(f"{option.opts[0]}: {text[:60]!r} is not usable; whole numbers from 1 with commas, for example 1,2,4")
    counts = tuple(sorted({int(word) for word in words}))
    if most is not None and counts[-1] > most:
        raise InputError(f"{option.opts[0]}: {counts[-1]:,} is not usable; at most {most:,}")
    return counts


def read_names(_: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Names with commas, each once, in their order; none for no text."""
    if text is None:
        return ()
    names = tuple(dict.fromkeys(name for word in text.split(",") if (name := word.strip())))
    if not names:
        raise InputError(f"{option.opts[0]}: {text[:60]!r} names nothing; names with commas, for example support,sales")
    return names


device_option = click.option("--device", type=Choice(("cuda", "cpu")),
                             help="Where it runs.  [default: cuda where there is one]")
rank_option = click.option("--rank", type=int, default=16, show_default=True, help="Rank of the adapter.")
seconds_option = partial(click.option, callback=read_seconds, show_default=True)
counts_option = partial(click.option, callback=read_counts)
sequences_option = partial(click.option, callback=partial(read_counts, most=MOST_SEQUENCES), show_default=True)
seed_option = partial(click.option, "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
force_option = click.option("--force", is_flag=True, help="Run although other processes use the GPU.")
file_option = partial(click.option, type=PATH)


model_options = together(
    click.option("--layers", type=int, help="Keep this many layers: a smaller model, named so."),
    click.option("--shrink", type=int, default=1, help="Divide every width by this: a smaller model, named so."),
    seed_option(help="Seed of weights and tokens."),
    file_option("--weights", help="Folder of real weights; else they are drawn at random."), force_option,
)
"""Of a model that is built on the device: how small, from which seed or weights."""


class Keep(NamedTuple):
    """Where a profile goes, and how it is told."""

    output: Path | None
    profiles: Path | None
    form: str


def keep_options(command: Command) -> Command:
    """The command with --output, --profiles and --format, which it gets as one `keep` once they are known to be usable."""
    @file_option("--output", help="File for the profile.  [default: a dated one in --profiles]")
    @file_option("--profiles", help="Folder of profiles.  [default: ./profiles, else the user's]")
    @format_option("table", "json")
    @wraps(command)
    def gathered(*, output: Path | None, profiles: Path | None, form: str, **rest: Any) -> None:  # Any: the command's own
        from roi.profiling.stops import catch_stops

        check_new(output, profiles)
        with catch_stops():  # from here on: torch alone takes seconds to import
            command(keep=Keep(output, profiles, form), **rest)

    return gathered


def measure_and_tell(session: "Session", keep: Keep, measure: "Callable[[Session], Profile]",
                     tell: "Callable[[Profile, Gpu | None, Path | None], str]", *, say_kept: bool = False) -> None:
    """Measure, keep the profile and tell it; what cannot be written is told at least. Exits by a signal that came meanwhile.

    `say_kept`: say on stderr where the profile is, because what is told does not.
    """
    from roi.catalog.cards.gpus import find_gpu
    from roi.cli.output import write
    from roi.profiling.progress import show_progress
    from roi.profiling.stops import catch_stops
    from roi.report.profiles.shared_remarks import changed_since, kept
    from roi.store.profiles.lookup import load_profiles, previous_profile, save_profile
    from roi.store.profiles.places import folders_beside

    gpu = find_gpu(session.environment.gpu) if session.environment.gpu else None
    with catch_stops() as session.stops:
        with show_progress() as session.watcher:
            profile = measure(session)
        before = previous_profile(load_profiles(folders_beside(keep.profiles), kinds={profile.kind}), profile)
        try:
            file = save_profile(profile, keep.profiles, keep.output)
        except RoiError:
            write(tell(profile, gpu, None))
            raise
        write(tell(profile, gpu, file))
        if say_kept:
            click.echo(visible(kept(file)), err=True)
        if before is not None and (changed := changed_since(profile.environment, before.profile.environment)):
            click.echo(f"since {visible(before.name)}: {'; '.join(changed)}", err=True)
        leave_if_cut(session.stops, interrupted=session.interrupted, failure=session.failure)


def check_new(output: Path | None, profiles: Path | None = None) -> None:
    """Raise where --output is there already, or --profiles is no folder: said before the run, not after it."""
    from roi.cli.output import check_target

    if profiles is not None and profiles.exists() and not profiles.is_dir():
        raise InputError(f"--profiles: {profiles} is not a folder")
    if profiles is not None and not profiles.exists():
        above = next((p for p in profiles.absolute().parents if p.exists()), None)
        if above is not None and not above.is_dir():
            raise InputError(f"--profiles: {profiles} cannot be a folder: {above} is a file")
    if output is not None:
        check_target(output, "--output", "profiles are never overwritten")


def leave_if_cut(stops: "Stops", *, interrupted: bool, failure: str | None) -> None:
    """Exit with 130 or 143 where a signal came, also when everything was measured; RoiError with the failure that ended it."""
    if interrupted or stops.signal is not None:
        raise Exit(stops.exit_code)
    if failure is not None:
        raise RoiError(f"{failure}; what was measured is kept, marked incomplete")


def check_formats(weight_dtype: str | None, kv_dtype: str | None) -> None:
    """Raise where a format is none that an engine stores weights or KV cache in."""
    from roi.estimate.serving.iteration import KV_BYTES
    from roi.estimate.serving.weight_formats import WEIGHT_FORMATS
    from roi.scenario.mistakes import other_value

    for field, name, known, called in (("--weight-dtype", weight_dtype, WEIGHT_FORMATS, "weight_dtypes"),
                                       ("--kv-dtype", kv_dtype, KV_BYTES, "kv_dtype")):
        if name is not None and name not in known:
            if told := other_value(called, name):
                raise InputError(f"{field}: unknown format {name!r}; {told}")
            raise UnknownName(field, name, known, "format", known)


def known_engine(name: str | None) -> str | None:
    """The engine's name as profiles have it; an error with the nearest where the catalog lists no such engine."""
    from roi.catalog.efficiencies.serving_efficiencies import find_engine

    if name is not None:
        find_engine(name, "--engine", remedy="--engine other is one that is none of these")
    return name and name.strip().lower()
