"""Profiles read from folders, newest first; a file that cannot be used is named, and the others still load."""

import hashlib
import re
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from pathlib import Path
from typing import Final, Generic, Literal, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from roi.disk import GivenTwice, check_unique, open_to_read
from roi.errors import InputError
from roi.facts.environment import SCHEMA
from roi.facts.profiles import DeviceProfile, DryRunProfile, InferProfile, ProbeProfile, Profile, TrainProfile
from roi.facts.serve_profile import ServeProfile
from roi.store.profiles.folders import canonical_model
from roi.store.profiles.places import files_below
from roi.store.profiles.plan_record import read_plan

Kind = Literal["dry-run", "probe", "device", "train", "infer", "serve"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
HEAD_BYTES: Final = 256
"""Enough for `{"kind": ...`, which save_profile writes first, so that files of other kinds are passed over unread."""
MOST_BYTES: Final = 512 * 2**20
"""Bytes of a profile at most: a server's, with the time of every token, takes 20 bytes a token."""
_FIRST_KIND: Final = re.compile(rb'\s*\{\s*"kind"\s*:\s*"([a-z-]+)"')
_MODEL: Final = re.compile(rb'"model"\s*:\s*"([^"\\]*)"')
_BY_KIND: Final[dict[str, type[Profile]]] = {
    "dry-run": DryRunProfile, "probe": ProbeProfile, "device": DeviceProfile, "train": TrainProfile, "infer": InferProfile,
    "serve": ServeProfile,
}
P_co = TypeVar("P_co", bound=Profile, covariant=True)


@dataclass(frozen=True)
class StoredProfile(Generic[P_co]):
    """A profile and the file that holds it."""

    path: Path
    profile: P_co
    folder: Path | None = None
    """The search folder in which it was found."""

    @property
    def name(self) -> str:
        """The path inside its folder, as reports quote it: any/llama-3.1-8b/dry-run-2026-11-25.json."""
        return self.path.name if self.folder is None else self.path.relative_to(self.folder).as_posix()


@dataclass(frozen=True)
class Store:
    """Profiles that were read, and files that could not be."""

    profiles: tuple[StoredProfile[Profile], ...] = ()
    """The profiles by the start of their run, newest first."""
    damaged: tuple[tuple[Path, str], ...] = ()
    """(file, one short reason); the others were still read."""


def load_profiles(folders: Iterable[Path], kinds: Collection[Kind] = KINDS, model: str | None = None) -> Store:
    """The profiles of these kinds in every *.json below the folders; with `model`, without those of other models.

    A file that is reached twice, and a copy equal to the byte, count once, in the first folder. A file that says in front
    that it is of another kind is not looked at, so it is not called damaged either.
    """
    found: list[StoredProfile[Profile]] = []
    damaged: list[tuple[Path, str]] = []
    wanted = None if model is None else canonical_model(model)
    files: set[tuple[int, int]] = set()
    contents: set[bytes] = set()
    for folder in folders:
        for path in files_below(folder, ".json", damaged):
            try:
                raw = _read(path, kinds, files)
                digest = hashlib.sha256(raw or b"").digest()
                if raw is None or digest in contents or not _may_be_of(raw, wanted):
                    continue
                profile = _validated(raw)
            except OSError as error:
                damaged.append((path, f"cannot be read: {error.strerror}"))
            except InputError as error:
                damaged.append((path, str(error)))
            else:
                contents.add(digest)
                if profile.kind in kinds and (
                        isinstance(profile, DeviceProfile | ProbeProfile) or is_of(profile.model, wanted)):
                    found.append(StoredProfile(path, profile, folder))
    found.sort(key=lambda stored: (-_started_s(stored.profile), str(stored.path)))
    return Store(tuple(found), tuple(damaged))


def is_of(model: str, wanted: str | None) -> bool:
    """True where `model` is the wanted one (canonical name), or any will do."""
    return wanted is None or canonical_model(model) == wanted


def _started_s(profile: Profile) -> float:
    """Seconds since 1970; a time without zone is UTC, as save_profile dates it."""
    started = profile.started
    return (started if started.tzinfo else started.replace(tzinfo=UTC)).timestamp()


def _read(path: Path, kinds: Collection[Kind], files: set[tuple[int, int]]) -> bytes | None:
    """The file's bytes; None where it was read before or says in front that it is of another kind."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise InputError("is no regular file")  # to open a pipe would wait for its writer
    if (status.st_dev, status.st_ino) in files:
        return None
    files.add((status.st_dev, status.st_ino))
    with open_to_read(path) as file:
        head = file.read(HEAD_BYTES)
        first = _FIRST_KIND.match(head)
        said = first.group(1).decode() if first else None
        if said in KINDS and said not in kinds:
            return None
        if status.st_size > MOST_BYTES:
            raise InputError(f"has {status.st_size:,} bytes; a profile has at most {MOST_BYTES:,}")
        return head + file.read(MOST_BYTES)


def _may_be_of(raw: bytes, wanted: str | None) -> bool:
    """False where the text names models, but not this one: it need not be validated."""
    named = [] if wanted is None else _MODEL.findall(raw)
    return not named or any(is_of(name.decode("utf-8", "replace"), wanted) for name in named)


def _validated(raw: bytes) -> Profile:
    """The profile in these bytes; an InputError says in short why there is none."""
    if not raw.strip():
        raise InputError("is empty")
    first = _FIRST_KIND.match(raw)
    try:  # the record that it says it is: to make ready for all six takes longer than to read one
        known = _BY_KIND[first.group(1).decode()].model_validate_json if first else _any_kind().validate_json
        profile = known(raw, strict=True)
    except (ValidationError, KeyError):
        try:
            profile = _any_kind().validate_json(raw, strict=True)
        except ValidationError as error:
            raise InputError(_reason(error)) from None
    try:
        check_unique(raw.decode())
    except GivenTwice as error:
        raise InputError(str(error)) from None
    if "schema_" not in profile.model_fields_set:
        raise InputError(f"has no schema; this version reads {SCHEMA}")
    if isinstance(profile, (DryRunProfile, TrainProfile)):
        read_plan(profile.plan)
    return profile


@cache
def _any_kind() -> TypeAdapter[Profile]:
    """What reads a profile of any kind; its errors begin with the kind."""
    return TypeAdapter(Profile)


def _reason(error: ValidationError) -> str:
    """The first thing that is wrong, in one line; an unknown schema before all others, since it explains them."""
    problems = error.errors(include_url=False)
    first = next((p for p in problems if p["loc"][1:] == ("schema",)), problems[0])
    tagged = first["input"] if isinstance(first["input"], dict) else {}
    schema = first["input"] if first["loc"][1:] == ("schema",) else tagged.get("schema", SCHEMA)
    match first["type"]:
        case "json_invalid" if "EOF" in first["msg"]:
            return "is cut off: the JSON ends in the middle"
        case "json_invalid":
            return f"is not JSON: {first['msg'].removeprefix('Invalid JSON: ')}"
        case "literal_error" | "union_tag_invalid" | "union_tag_not_found" if schema != SCHEMA:
            return f"has the schema {str(schema)[:40]!r}; this version reads {SCHEMA}"
        case "union_tag_not_found":
            return f"is no profile: it has no kind (one of {', '.join(KINDS)})"
        case "union_tag_invalid":
            return f"has the kind {str(tagged.get('kind'))[:40]!r}; known: {', '.join(KINDS)}"
        case _:
            where = ".".join(str(step) for step in first["loc"][1:]) or "the whole"
            return f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}"
