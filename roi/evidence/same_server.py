"""Loads of one server that several profiles hold, as one profile: what a newer one did not measure again still holds."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from roi.estimate.serving.step_fit import usable_though_cut
from roi.facts.serve_profile import ServePoint, ServeProfile
from roi.store.profiles.folders import canonical_model
from roi.store.profiles.loading import StoredProfile


class Pooled(NamedTuple):
    """Profiles of one server and software as one."""

    stored: StoredProfile[ServeProfile]
    """The newest, with the loads of all of them."""
    older: tuple[str, ...] = ()
    """Names of the others, newest first."""


def pooled(profiles: Sequence[StoredProfile[ServeProfile]]) -> list[tuple[Pooled, tuple[StoredProfile[ServeProfile], ...]]]:
    """Profiles, newest first, those of one server and software together; each beside the profiles that it is made of.

    A step depends on the card, its driver and power limit, the model, its formats, and the engine and its version: where all
    of that is the same, a load of an older profile says as much as one of a newer one, which stands for both where they are
    of the same load. What has another version, or one that nobody knows, may be another step and stays apart.
    """
    groups: dict[object, list[StoredProfile[ServeProfile]]] = {}
    for number, stored in enumerate(profiles):
        groups.setdefault(_server(stored.profile) or number, []).append(stored)
    return [(_joined(group), tuple(group)) for group in groups.values()]


def software(profile: ServeProfile) -> str:
    """Engine, version, driver and power limit of a profile, as far as they are known, in words."""
    e = profile.environment
    known = [profile.engine_version, f"driver {e.driver}" if e.driver else None,
             f"limit {e.power_limit_w:.0f} W" if e.power_limit_w else None]
    return " ".join(filter(None, (profile.engine, *known))) if any(known) else "of a version that nobody says"


def _server(profile: ServeProfile) -> tuple[object, ...] | None:
    """What is the same for two profiles of one server and software; None where its version is not known, or nothing whole."""
    p, e = profile, profile.environment
    whole = p.complete and all(point.complete for point in p.points)
    if p.engine is None or p.engine_version is None or not (whole or usable_though_cut(p)):
        return None
    return (canonical_model(p.model), p.gpus, p.weight_dtype, p.kv_dtype or "bf16", p.engine, p.engine_version, p.ends_only,
            e.driver, e.power_limit_w, e.mig)


def _joined(group: Sequence[StoredProfile[ServeProfile]]) -> Pooled:
    newest, *others = group
    points, added = _loads(newest.profile.points, others)
    if not added:
        return Pooled(newest)
    profile = newest.profile.model_copy(update={"points": points})
    return Pooled(StoredProfile(newest.path, profile, newest.folder), added)


def _loads(
    points: tuple[ServePoint, ...], others: Iterable[StoredProfile[ServeProfile]],
) -> tuple[tuple[ServePoint, ...], tuple[str, ...]]:
    """The points, with those of loads that only older profiles have; and the names of these."""
    seen, names = {_load(point) for point in points if point.complete}, list[str]()
    for stored in others:
        more = tuple(point for point in stored.profile.points if point.complete and _load(point) not in seen)
        seen |= {_load(point) for point in more}
        points, names = points + more, [*names, *[stored.name] * bool(more)]
    return points, tuple(names)


def _load(point: ServePoint) -> tuple[object, ...]:
    return (point.input_tokens, point.output_tokens, point.concurrency, point.requests_per_s, point.arrivals, point.adapter,
            point.adapters)
