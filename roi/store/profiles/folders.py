"""Where profiles lie, and how a new one gets there: <gpu>/<model>/<what>-<date>.json, written once, never overwritten."""

import re
from datetime import UTC
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import known_id
from roi.disk import add_file, make_folder
from roi.errors import InputError
from roi.facts.environment import Environment
from roi.facts.profiles import DeviceProfile, DryRunProfile, ProbeProfile, Profile, TrainProfile
from roi.facts.serve_profile import ServeProfile
from roi.store.profiles.places import user_folder
from roi.store.profiles.plan_record import read_plan

ANY_GPU: Final = "any"
"""Folder of dry runs: they hold for every card."""
UNKNOWN_GPU: Final = "unknown-gpu"
"""Folder of servers whose card nobody named."""
DEVICE_NAMES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows takes for devices, with any suffix."""


def save_profile(profile: Profile, folder: Path | None = None, output: Path | None = None) -> Path:
    """The file that now holds `profile`: `output`, or <gpu>/<model>/<what>-<date>.json in `folder`.

    Without either, the folder is ./profiles where there is one, else the user's. The date is the day (UTC) on which the
    run started; a second run of that day gets -2, a third -3. The text goes to a temporary file beside its place and takes
    the name in one step, so a file is whole or absent, and one that exists is never touched.
    """
    if isinstance(profile, (DryRunProfile, TrainProfile)):
        read_plan(profile.plan)  # what is kept can be read again
    text = profile.model_dump_json(by_alias=True, indent=1) + "\n"
    if output is not None:
        try:
            add_file(output, text, "--output")
        except FileExistsError:
            raise InputError(f"--output: {output} is there already; profiles are never overwritten") from None
        return output
    own = Path("profiles")
    usual = own if own.is_dir() else user_folder()
    place = (folder or usual) / profile_place(profile)
    make_folder(place.parent, "profiles")
    for number in count(1):
        file = place if number == 1 else place.with_name(f"{place.stem}-{number}.json")
        try:
            add_file(file, text, "profiles")
        except FileExistsError:
            continue
        return file
    raise AssertionError(place)


def profile_place(profile: Profile) -> Path:
    """The path of a profile inside its folder; a device has no model."""
    gpu = ANY_GPU if isinstance(profile, DryRunProfile) else profile_gpu(profile)
    what = f"train-{profile.plan['method']}" if isinstance(profile, TrainProfile) else profile.kind
    day = (profile.started.astimezone(UTC) if profile.started.tzinfo else profile.started).date()
    folder = Path(file_name(gpu.replace("/", "-")))
    folder = folder if isinstance(profile, DeviceProfile | ProbeProfile) else folder / file_name(canonical_model(profile.model))
    return folder / f"{file_name(what)}-{day.isoformat()}.json"


def profile_gpu(profile: Profile) -> str:
    """The catalog's id of the card that was measured; for a server what its owner said of it, "unknown-gpu" where nothing."""
    if isinstance(profile, ServeProfile):
        return gpu_id(profile.gpu) if profile.gpu else UNKNOWN_GPU
    return canonical_gpu(profile.environment)


def canonical_gpu(environment: Environment) -> str:
    """The catalog's id of the card that a run used, the driver's name where the catalog lacks it, or cpu."""
    if environment.device != "cuda":
        return "cpu"
    return gpu_id(environment.gpu or environment.gpu_name or "unknown")


@cache
def gpu_id(name: str) -> str:
    """The catalog's id of this GPU; the name itself where the catalog has none, or several."""
    try:
        return find_gpu(name).id
    except InputError:
        return name


@cache
def canonical_model(name: str) -> str:
    """The catalog's id of this model; the name, path or Hub id itself where the catalog has none."""
    return known_id(name) or name


def file_name(name: str) -> str:
    """A name for one file or folder on any system: the last part of a path or Hub id, other signs as dashes."""
    parts = [part for part in re.split(r"[/\\]+", name) if part not in {"", ".", "..", "config.json"}]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", parts[-1] if parts else "")[:80].strip(".-")
    return f"{plain}-" if DEVICE_NAMES.fullmatch(plain) else plain or "unnamed"
