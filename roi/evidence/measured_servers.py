"""The engine's step as the user's own servers were measured: of one profile, and of a plan by the profiles on its card."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.serving_efficiencies import find_engine
from roi.catalog.models.shapes import find_model
from roi.errors import InputError
from roi.estimate.replay.held_out import AdapterSpeed, HoldOut, adapter_speeds, held_out
from roi.estimate.serving.iteration import Iteration, kv_bytes_per_gpu, kv_element_bytes, roofline_iteration
from roi.estimate.serving.plausibility import theory_step
from roi.estimate.serving.step_fit import StepFit, fit_profile
from roi.estimate.step.calibration import half_width
from roi.evidence.serving_speed import on_card
from roi.facts.fact import Basis, Fact
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.serve_profile import ServeProfile
from roi.numerics.spreads import TAIL
from roi.store.profiles.folders import canonical_model
from roi.store.profiles.loading import Store, StoredProfile
from roi.store.profiles.lookup import serve_profiles

REPEATS: Final = 0.039
"""Standard deviation of log speed between runs of one server, until hold-outs say otherwise: MLPerf Llama-2-70B on 8 H100,
Server scenario, v4.1, coefficient of variation over 20 submissions."""
STAND_IN: Final = "vllm"
"""The engine whose published efficiencies shape a transfer where the catalog lacks the profile's own."""


class ServeFit(NamedTuple):
    """What a profile says of its server's step."""

    fit: StepFit
    held_out: tuple[HoldOut, ...]
    theory: Iteration | None
    """The roofline, KV per token; None where shape, card or weight format is unknown."""
    adapters: tuple[AdapterSpeed, ...]
    """With unmerged adapters over without, where the profile has both."""


def unused(profile: ServeProfile, fit: StepFit) -> tuple[str, ...]:
    """Why `size` and `compare` take nothing from this profile; empty where they do (`measured_servers`)."""
    found, (shape, gpu) = ["nothing is fitted on it"] if fit.iteration is None else [], _known(profile)
    if gpu is None:
        found.append("its server has no GPU" if profile.gpu == "cpu" else "no card is stated (--gpu)")
    if profile.weight_dtype is None and profile.gpu != "cpu":
        found.append("no format of the weights (--weight-dtype)")
    if shape is None:
        found.append(f"the catalog has no model {profile.model[:40]!r} (--catalog-model)")
    return tuple(found)


def fit_serve(profile: ServeProfile) -> ServeFit:
    """The fit of this profile alone, with the shape and the card where the catalog knows them."""
    shape, gpu = _known(profile)
    fit = fit_profile(profile, shape, gpu)
    return ServeFit(fit, held_out(profile, fit, shape), theory_step(profile, shape, gpu), adapter_speeds(profile, fit, shape))


def _known(profile: ServeProfile) -> tuple[ModelShape | None, Gpu | None]:
    """The shape and the card of the profile, each None where the catalog does not know it."""
    shape, gpu = None, None
    with suppress(InputError):
        shape = find_model(profile.model)
    with suppress(InputError):
        gpu = None if profile.gpu is None else find_gpu(profile.gpu)
    return shape, gpu


@dataclass(frozen=True)
class MeasuredServer:
    """A profile that says what a step takes."""

    stored: StoredProfile[ServeProfile]
    shape: ModelShape
    gpu: Gpu
    fit: StepFit
    held_out: tuple[HoldOut, ...]
    adapters: tuple[AdapterSpeed, ...] = ()
    """With unmerged adapters over the base, where the profile has both."""

    @property
    def step(self) -> Iteration:
        """The fitted step, KV in bytes on each GPU."""
        assert self.fit.iteration is not None
        profile = self.stored.profile
        token = kv_token_bytes(self.shape, profile.gpus, profile.kv_dtype or "bf16")
        return replace(self.fit.iteration, kv_byte_s=self.fit.iteration.kv_byte_s / token)

    @property
    def half_log_speed(self) -> float:
        """Half of the 90% interval of log speed on the next load: hold-outs of TPOT, and how far points lie from the line."""
        logs = [float(np.log1p(one.errors[0])) for one in self.held_out]
        scatter = self.fit.point_scatter or 0.0
        squares = sum(x * x for x in logs) + scatter**2 * self.fit.points
        return half_width(max(len(logs) + self.fit.points, 1), squares, REPEATS)


@dataclass(frozen=True)
class Served:
    """The step that holds for a plan, from measured servers."""

    iteration: Iteration
    """KV in bytes on each GPU."""
    request_s: float | None
    """Seconds of a request outside the engine's steps; None where no profile shows them."""
    speed: Fact
    """1 with the spread of the engine's speed; basis measured, or calibrated where the profile is of another plan."""
    profiles: tuple[str, ...]
    """Names of the profiles behind it."""
    step_tokens: float | None = None
    """Prompt tokens of a step, where the profile shows them."""
    sequence_limit: float | None = None
    """Requests that it decodes together at most, where the profile shows that others waited."""
    kv_capacity_tokens: float | None = None
    """Tokens that the replica's KV cache holds, where its server said so."""
    adapters: tuple[AdapterSpeed, ...] = ()
    """With unmerged adapters over the base, from the profile `adapters_of`."""
    adapters_of: str = ""


def kv_token_bytes(shape: ModelShape, tensor_parallel: int, kv_dtype: str) -> float:
    """Bytes on each GPU of one more token in a short context, the unit in which fits count KV."""
    element = kv_element_bytes(kv_dtype)
    two, one = (float(kv_bytes_per_gpu(shape, tokens, tensor_parallel, element)) for tokens in (2.0, 1.0))
    return two - one if two > one else 1.0


def measured_servers(store: Store, gpu: str) -> tuple[tuple[MeasuredServer, ...], tuple[tuple[str, str], ...]]:
    """(servers measured on this card that a step was fitted on, newest first; (profile, why not) of the others)."""
    found, passed = [], []
    for stored in serve_profiles(store, gpu):
        profile = stored.profile
        try:
            shape, card = find_model(profile.model, exact=True), find_gpu(gpu)
        except InputError as error:
            passed.append((stored.name, str(error)))
            continue
        fit = fit_profile(profile, shape, card)
        if all(point.adapter == "unmerged" for point in profile.points):
            passed.append((stored.name, "it holds unmerged adapters alone, and not the base beside them"))
        elif fit.iteration is None:
            passed.append((stored.name, fit.rejected[0]))
        elif profile.weight_dtype is None:
            passed.append((stored.name, "nobody said in which format the weights were: --weight-dtype of roi profile serve"))
        else:
            slower = adapter_speeds(profile, fit, shape)
            found.append(MeasuredServer(stored, shape, card, fit, held_out(profile, fit, shape), slower))
    return tuple(found), tuple(passed)


def find_served(
    servers: Sequence[MeasuredServer], shape: ModelShape, tensor_parallel: int, weight_dtype: str, kv_dtype: str = "bf16",
    *, prefill_context: float, engine: str | None = None,
) -> Served | None:
    """The step of this plan on the card of `servers`; None where none was measured.

    The newest profile of the same model, GPUs and formats is taken as it is. Otherwise one speed carries over: measured
    over published step times of the profiles on this card with one engine (`engine`, else that of the newest), times the
    published coefficients of the plan. `prefill_context` is the mean number of tokens before a computed prompt token.
    """
    mine = [s for s in servers if engine is None or s.stored.profile.engine in {None, engine}]
    served, adapted = None, next((s for s in mine if s.adapters), None)
    for server in mine:
        p = server.stored.profile
        same = (canonical_model(p.model), p.gpus, p.weight_dtype, p.kv_dtype or "bf16")
        if same == (shape.id, tensor_parallel, weight_dtype, kv_dtype):
            adapted = server if server.adapters else adapted
            unchecked = ", whose open loop was cut short: not checked" if server.fit.check_missing else ""
            against = float(np.exp(speed_over(server, _published(p.engine, server.gpu)[0])))
            said = f"profile {server.stored.name}, at {against:.2f} of the published speed{unchecked}"
            speed = _speed(server.half_log_speed, Basis.MEASURED, said, p)
            served = Served(iteration=server.step, request_s=server.fit.request_s, speed=speed, profiles=(server.stored.name,),
                            step_tokens=server.fit.step_tokens, sequence_limit=server.fit.sequence_limit,
                            kv_capacity_tokens=p.kv_capacity_tokens)
            break
    if served is None and mine:
        served = _transferred(mine, shape, tensor_parallel, weight_dtype, prefill_context)
    if served is None or adapted is None:
        return served
    return replace(served, adapters=adapted.adapters, adapters_of=adapted.stored.name)


def _transferred(
    servers: Sequence[MeasuredServer], shape: ModelShape, tensor_parallel: int, weight_dtype: str, prefill_context: float
) -> Served:
    """Published coefficients at the speed that profiles of other plans on the card and engine reach."""
    newest = servers[0].stored.profile
    alike = [s for s in servers if s.stored.profile.engine == newest.engine]
    published, fitted = _published(newest.engine, servers[0].gpu)
    logs = np.array([speed_over(s, published) for s in alike])
    centre = float(np.median(logs))
    # what one model's speed says of the next: the published error with models left out, until several profiles show it
    half = half_width(logs.size, float(np.sum(np.square(logs - centre))), fitted)
    names = tuple(s.stored.name for s in alike)
    base = roofline_iteration(shape, servers[0].gpu, tensor_parallel, weight_dtype, prefill_context,
                              on_card(find_engine(published), servers[0].gpu))
    outside = [s.fit.request_s for s in alike if s.fit.request_s is not None]
    mine = [s for s in alike if canonical_model(s.stored.profile.model) == shape.id]
    models = {canonical_model(s.stored.profile.model) for s in alike} - {shape.id}
    kind = "this model in another set-up" if mine else "other model" if len(models) == 1 else f"{len(models)} other models"
    of = f"{len(alike)} profile{'s' if len(alike) > 1 else ''}, {servers[0].gpu.id}, {kind}"
    source = f"published {published} step at {np.exp(centre):.2f} of its speed, by {of}"
    return Served(iteration=base.at_speed(float(np.exp(centre))), request_s=float(np.median(outside)) if outside else None,
                  speed=_speed(half, Basis.CALIBRATED, f"{source}: {', '.join(names)}", newest), profiles=names,
                  step_tokens=servers[0].fit.step_tokens)


def speed_over(server: MeasuredServer, engine: str) -> float:
    """log of the published over the measured time of the profile's mean step: 0 where the publication holds."""
    profile = server.stored.profile
    assert profile.weight_dtype is not None
    whole = [p for p in profile.points if p.complete]
    done = [r for p in whole for r in p.requests if r.error is None and r.output_tokens > 1]
    prompt, output = (float(np.mean([getattr(r, name) for r in done])) for name in ("prompt_tokens", "output_tokens"))
    sequences = float(np.median([p.concurrency for p in profile.points if p.concurrency] or [1]))
    base = roofline_iteration(server.shape, server.gpu, profile.gpus, profile.weight_dtype, prompt / 2.0,
                              on_card(find_engine(engine), server.gpu))
    context = prompt + output / 2.0
    kv = float(kv_bytes_per_gpu(server.shape, context, profile.gpus, kv_element_bytes(profile.kv_dtype or "bf16")))

    def seconds(step: Iteration) -> float:
        """A request's share of the engine: its decode steps among `sequences`, and its prefill."""
        decoding = float(step.decode_s(sequences, sequences * kv)) / sequences
        return output * decoding + prompt * float(step.prefill_token_s)

    return float(np.log(seconds(base) / seconds(server.step)))


def _published(engine: str | None, gpu: Gpu) -> tuple[str, float]:
    """(catalog name of the engine, or of the one that stands in; standard deviation of its log speed between models)."""
    try:
        known = find_engine(engine or STAND_IN)
    except InputError:
        known = find_engine(STAND_IN)
    spread = known.speed(gpu.id)
    assert spread.low is not None
    assert spread.high is not None
    return known.engine, float(np.log(spread.high / spread.low)) / (2.0 * TAIL)


def _speed(half: float, basis: Basis, source: str, profile: ServeProfile) -> Fact:
    low, high = float(np.exp(-half)), float(np.exp(half))
    return Fact(value=1.0, low=low, high=high, unit="ratio", basis=basis, source=source, date=profile.started.date())
