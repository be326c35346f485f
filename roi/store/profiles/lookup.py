"""The profile store: what was measured or run dry, found by card, model and plan; reading and writing pass through it."""

from collections.abc import Iterator
from typing import Any, Final, TypeVar

from roi.estimate.fitting.dry_peaks import DryPeak, DryPeaks
from roi.estimate.training.plan import TrainingPlan
from roi.facts.profiles import DryRunProfile, Profile
from roi.store.profiles.folders import canonical_model, gpu_id, profile_gpu, profile_place, save_profile
from roi.store.profiles.loading import Store, StoredProfile, is_of, load_profiles
from roi.store.profiles.places import profile_folders
from roi.store.profiles.plan_record import memory_record, plan_record, read_plan

__all__ = [
    "Store", "StoredProfile", "dry_peaks", "equal_dry_run", "find_dry_peak", "find_dry_run",
    "load_profiles", "of_card", "of_kind", "plan_record", "previous_profile", "profile_folders", "read_plan", "save_profile",
]  # fmt: skip
SIZES: Final = ("micro_batch", "seq")
"""Fields of a plan in which dry runs of one plan differ."""
P = TypeVar("P", bound=Profile)


def find_dry_run(
    store: Store, model_id: str, plan: TrainingPlan, config_hash: str | None = None
) -> StoredProfile[DryRunProfile] | None:
    """The newest dry run of this model and plan, apart from fields that memory on one GPU does not depend on.

    With `config_hash` the shape must be the same too. A dry run is of one GPU: None for a plan that is sharded.
    """
    record = memory_record(plan) if plan.sharding == "none" else None
    return next((s for s, held in _dry_runs(store, model_id, config_hash) if held == record), None)


def find_dry_peak(
    store: Store, model_id: str, plan: TrainingPlan, config_hash: str | None = None
) -> tuple[StoredProfile[DryRunProfile], DryPeaks] | None:
    """The dry run that says what this plan needs, and its peaks: one of this size, else between two sizes of a newest run."""
    same = find_dry_run(store, model_id, plan, config_hash)
    if same is not None:
        return same, dry_peaks(same.profile, same.name)
    if plan.sharding != "none":
        return None
    record = memory_record(plan)
    for stored, held in _dry_runs(store, model_id, config_hash):
        if {**held, **{name: record[name] for name in SIZES}} == record:
            peaks = dry_peaks(stored.profile, stored.name).sized(int(record["micro_batch"]), int(record["seq"]))
            if peaks is not None:
                return stored, peaks
    return None


def equal_dry_run(store: Store, profile: DryRunProfile) -> StoredProfile[DryRunProfile] | None:
    """The newest stored run that says the same of the same model, plan and library versions; the clock alone may differ."""

    def said(run: DryRunProfile) -> dict[str, Any]:  # Any: JSON
        return run.model_dump(mode="json", exclude={"started", "wall_s"})

    return next((stored for stored in of_kind(store, DryRunProfile) if said(stored.profile) == said(profile)), None)


def dry_peaks(profile: DryRunProfile, source: str) -> DryPeaks:
    """Peaks of the profile's plan at its own size and around it, as the estimators take them; `source` names it in reports."""
    plan = profile.plan
    own = DryPeak(int(plan["micro_batch"]), int(plan["seq"]), profile.allocated_bytes, profile.reserved_bytes)
    ladder = tuple(DryPeak(p.micro_batch, p.seq, p.allocated_bytes, p.reserved_bytes, p.ran) for p in profile.searched)
    return DryPeaks(
        own=own, ladder=ladder or (own,), parts_bytes=dict(profile.parts_bytes), phase=profile.phase,
        workspace_bytes=profile.workspace_bytes, source=source,
        limits={limit.gpu: (limit.largest_micro_batch, limit.longest_seq) for limit in profile.limits})


def of_card(store: Store, kind: type[P], gpu: str) -> tuple[StoredProfile[P], ...]:
    """The profiles of this kind that were made on this card (any of its names, or cpu), newest first."""
    return tuple(s for s in of_kind(store, kind) if profile_gpu(s.profile) == gpu_id(gpu))


def previous_profile(store: Store, profile: Profile) -> StoredProfile[Profile] | None:
    """The newest stored profile of the same kind, card and model; None where there is none."""
    place = profile_place(profile).parent
    same = (s for s in store.profiles if s.profile.kind == profile.kind and profile_place(s.profile).parent == place)
    return next(same, None)


def _dry_runs(
    store: Store, model_id: str, config_hash: str | None
) -> Iterator[tuple[StoredProfile[DryRunProfile], dict[str, Any]]]:  # Any: JSON
    """The dry runs of this model on one GPU with their memory records, newest first."""
    wanted = canonical_model(model_id)
    for stored in of_kind(store, DryRunProfile):
        plan = read_plan(stored.profile.plan)
        same_shape = is_of(stored.profile.model, wanted) and config_hash in {None, stored.profile.config_hash}
        if same_shape and plan.sharding == "none":
            yield stored, memory_record(plan)


def of_kind(store: Store, kind: type[P]) -> Iterator[StoredProfile[P]]:
    """The profiles of this kind, newest first."""
    for stored in store.profiles:
        if isinstance(stored.profile, kind):
            yield StoredProfile(stored.path, stored.profile, stored.folder)
