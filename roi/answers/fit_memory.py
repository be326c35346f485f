"""Where `roi fit` takes memory from: a dry run made now, one among the profiles, or the closed form."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from roi.catalog.cards.gpus import load_gpus
from roi.catalog.efficiencies.cuda_contexts import training_overhead
from roi.catalog.models.config_shapes import ChosenModel
from roi.errors import InputError
from roi.estimate.fitting.dry_peaks import DryPeaks
from roi.estimate.fitting.gpu_fit import SEQ_STEP
from roi.estimate.training.adapters import check_rank
from roi.estimate.training.memory import workspace_bytes
from roi.estimate.training.plan import TrainingPlan, check_context
from roi.estimate.training.setting import refusal
from roi.estimate.training.targets import resolve_targets
from roi.facts.gpu import Gpu
from roi.facts.profiles import DryRunProfile, ProbeProfile
from roi.store.profiles.lookup import Store, dry_peaks, equal_dry_run, find_dry_peak, of_card, save_profile

MemoryEvidence = tuple[DryPeaks | None, DryRunProfile | None, str]
"""Peaks and the dry run that they come from, None: the closed form; what became of a dry run that was made now, else empty."""


def memory_evidence(
    chosen: ChosenModel, plan: TrainingPlan, named: Sequence[Gpu], store: Store, *, run_dry: bool, folder: Path | None = None,
) -> MemoryEvidence:
    """The best evidence for the plan's memory; with `run_dry` a new dry run, kept in `folder` unless an equal one is there.

    A new dry run tries the limits of the cards that are `named`; those of others lie between the sizes that it ran.
    """
    if run_dry:
        return _run_now(chosen, plan, named, store, folder)
    config = chosen.config
    found = None if config is None else find_dry_peak(store, chosen.shape.id, plan, config.config_hash)
    return (None, None, "") if found is None else (found[1], found[0].profile, "")


def _run_now(
    chosen: ChosenModel, plan: TrainingPlan, named: Sequence[Gpu], store: Store, folder: Path | None,
) -> MemoryEvidence:
    """The evidence of a dry run that is made now."""
    if plan.sharding != "none":
        raise InputError(f"--dry-run: runs one GPU; leave it out for --sharding {plan.sharding}, which the closed form takes")
    plan.check_runs_dry()
    from roi.profiling.card_kernels import FLASH, kernels_as_probed
    from roi.profiling.dry.dry_profile import profile_dry_run, settle_limits
    from roi.profiling.stack import torch

    if chosen.config is None:
        raise InputError(f"MODEL: {chosen.shape.id} ({chosen.shape.family}) has its own code, no class of transformers;"
                         " leave out --dry-run for the closed form")
    check_context(chosen.shape, plan)
    refused = refusal(chosen.shape, plan)
    if refused:
        raise InputError(refused)
    if plan.adapter:
        resolve_targets(chosen.shape, plan.targets)
    check_rank(chosen.shape, plan)
    torch.set_num_threads(1)  # shapes alone are worked out
    alone = replace(plan, gpus=1)
    cards_bytes = [card.memory_bytes for card in load_gpus()]
    probed = [probe for card in named for probe in of_card(store, ProbeProfile, card.id)[:1]] if len(named) == 1 else []
    kernels = kernels_as_probed(probed[0].profile.answers, f"as probed, {probed[0].name}") if probed else FLASH
    profile = profile_dry_run(chosen.config, alone, cards_bytes=cards_bytes, context_tokens=chosen.shape.context_tokens,
                              kernels=kernels)
    rooms = {}  # bytes that the plan may reserve on each card, the card's own cuBLAS workspace counted as the profile's
    for card in named:
        more = workspace_bytes(card) - profile.workspace_bytes
        rooms[card.id] = card.memory_bytes - training_overhead(card).context_bytes[0] - more
    profile = settle_limits(profile, chosen.config, alone, rooms, SEQ_STEP, kernels)
    held = equal_dry_run(store, profile)
    if held is not None:
        return dry_peaks(profile, held.path.name), profile, f"already kept as {held.path}, which says the same"
    place = save_profile(profile, folder)
    return dry_peaks(profile, place.name), profile, f"kept as {place}"
