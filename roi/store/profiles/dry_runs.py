"""A stored dry run as the estimators take it."""

from typing import Any

from roi.estimate.training.dry_peaks import DryPeak, DryPeaks
from roi.facts.profiles import DryRunProfile
from roi.store.profiles.loading import Store, StoredProfile


def dry_peaks(profile: DryRunProfile, source: str) -> DryPeaks:
    """Peaks of the profile's plan at its own size and around it; `source` names it in reports."""
    plan = profile.plan
    own = DryPeak(int(plan["micro_batch"]), int(plan["seq"]), profile.allocated_bytes, profile.reserved_bytes)
    ladder = tuple(DryPeak(p.micro_batch, p.seq, p.allocated_bytes, p.reserved_bytes) for p in profile.searched)
    limits = {limit.gpu: (limit.largest_micro_batch, limit.longest_seq) for limit in profile.limits}
    return DryPeaks(own, ladder or (own,), dict(profile.parts_bytes), profile.phase, profile.workspace_bytes, source, limits)


def equal_dry_run(store: Store, profile: DryRunProfile) -> StoredProfile[DryRunProfile] | None:
    """The newest stored run that says the same of the same model, plan and library versions; the clock alone may differ."""
    said = _said(profile)
    for stored in store.profiles:
        if isinstance(stored.profile, DryRunProfile) and _said(stored.profile) == said:
            return StoredProfile(stored.path, stored.profile, stored.folder)
    return None


def _said(profile: DryRunProfile) -> dict[str, Any]:  # Any: JSON
    return profile.model_dump(mode="json", exclude={"started", "wall_s"})


def stored_peaks(stored: StoredProfile[DryRunProfile]) -> DryPeaks:
    """`dry_peaks` of a file of the store."""
    return dry_peaks(stored.profile, stored.name)
