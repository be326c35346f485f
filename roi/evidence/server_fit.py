"""The step fitted on one server's profile, what it predicts unseen, and the roofline beside it."""

from typing import NamedTuple

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.errors import InputError
from roi.estimate.replay.held_out import HoldOut, held_out
from roi.estimate.serving.iteration import Iteration
from roi.estimate.serving.plausibility import theory_step
from roi.estimate.serving.runtime_adapters import AdapterSpeed, adapter_speeds
from roi.estimate.serving.step_fit import StepFit, fit_profile
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.serve_profile import ServeProfile


class ServeFit(NamedTuple):
    """What a profile says of its server's step."""

    fit: StepFit
    held_out: tuple[HoldOut, ...]
    theory: Iteration | None
    """The roofline, KV per token; None where shape, card or weight format is unknown."""
    adapters: tuple[AdapterSpeed, ...]
    """With unmerged adapters over without, where the profile has both."""


def unused(profile: ServeProfile, fit: StepFit) -> tuple[str, ...]:
    """Why `size` and `compare` take nothing from this profile; empty where they do (`served.measured_servers`)."""
    found = ["nothing is fitted on it"] if fit.iteration is None else []
    if _gpu(profile.gpu) is None:
        found.append("its server has no GPU" if profile.gpu == "cpu" else "no card is stated (--gpu)")
    if profile.weight_dtype is None and profile.gpu != "cpu":
        found.append("no format of the weights (--weight-dtype)")
    if _shape(profile.model) is None:
        found.append(f"the catalog has no model {profile.model[:40]!r} (--catalog-model)")
    return tuple(found)


def fit_serve(profile: ServeProfile) -> ServeFit:
    """The fit of this profile alone, with the shape and the card where the catalog knows them."""
    shape, gpu = _shape(profile.model), _gpu(profile.gpu)
    fit = fit_profile(profile, shape, gpu)
    return ServeFit(fit, held_out(profile, fit, shape), theory_step(profile, shape, gpu), adapter_speeds(profile, fit, shape))


def _shape(name: str) -> ModelShape | None:
    try:
        return find_model(name)
    except InputError:
        return None


def _gpu(name: str | None) -> Gpu | None:
    try:
        return None if name is None else find_gpu(name)
    except InputError:
        return None
