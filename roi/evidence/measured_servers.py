"""The engine's step as the user's own servers were measured: of one profile, and of a plan by the profiles on its card."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.serving_efficiencies import METAL, EngineEfficiencies, engine_habits, engine_on, find_engine
from roi.catalog.models.shapes import find_model
from roi.errors import InputError, first_of
from roi.estimate.replay.held_out import AdapterSpeed, HoldOut, adapter_speeds, held_out
from roi.estimate.serving.iteration import Iteration, kv_bytes_per_gpu, kv_element_bytes, roofline_iteration
from roi.estimate.serving.line_scatter import load_half
from roi.estimate.serving.measured_range import Mix
from roi.estimate.serving.plausibility import theory_step
from roi.estimate.serving.replica_memory import EngineHabits, as_cached
from roi.estimate.serving.request_shape import RequestShape
from roi.estimate.serving.step_fit import StepFit, fit_profile
from roi.evidence.own_speed import OwnSpeed, PlanSpeed, SpeedPiece, half_of, own_speed
from roi.evidence.same_server import Pooled, pooled, software
from roi.evidence.served_rows import ServedRows, row_speeds
from roi.evidence.serving_speed import known_ends, on_card
from roi.facts.fact import Basis, Fact
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.serve_profile import ServeProfile
from roi.store.profiles.folders import canonical_model
from roi.store.profiles.loading import Store, StoredProfile
from roi.store.profiles.lookup import of_card

STAND_IN: Final = "vllm"
"""The engine whose published efficiencies shape a transfer where the catalog lacks the profile's own."""
NO_GPU: Final = "its server has no GPU (a processor counts as a card of your own: docs/guides/add-a-gpu.md)"
ASIDE: Final = 2
"""Profiles that are named of those that are not taken."""


class ServeFit(NamedTuple):
    """What a profile says of its server's step."""

    fit: StepFit
    held_out: tuple[HoldOut, ...]
    theory: Iteration | None
    """The roofline, KV per token; None where shape, card or weight format is unknown."""
    adapters: tuple[AdapterSpeed, ...]
    """Speed with unmerged adapters over that without, where the profile has both."""


def unused(profile: ServeProfile, fit: StepFit) -> tuple[str, ...]:
    """Why `size` and `compare` take nothing from this profile; empty where they do (`measured_servers`)."""
    found, (shape, gpu) = ["nothing is fitted on it"] if fit.iteration is None else [], _known(profile)
    if gpu is None:
        found.append(NO_GPU if profile.gpu == "cpu" else "no card is stated (--gpu)")
    if profile.weight_dtype is None and (gpu is not None or profile.gpu != "cpu"):
        found.append("no format of the weights (--weight-dtype)")
    if shape is None:
        found.append(f"the catalog has no model {profile.model[:40]!r} (--catalog-model)")
    return tuple(found)


def fit_serve(profile: ServeProfile) -> ServeFit:
    """The fit of this profile alone, with the shape and the card where the catalog knows them."""
    shape, gpu = _known(profile)
    fit = _fitted(profile, shape, gpu)
    return ServeFit(fit, _held_out(profile, fit, shape), theory_step(profile, shape, gpu), adapter_speeds(profile, fit, shape))


def _held_out(profile: ServeProfile, fit: StepFit, shape: ModelShape | None) -> tuple[HoldOut, ...]:
    """What the fit says of open loops, with requests admitted as its engine does."""
    return held_out(profile, fit, shape, reserved=_habits(profile).reserves)


def _fitted(profile: ServeProfile, shape: ModelShape | None, gpu: Gpu | None) -> StepFit:
    """The fit of its step, as its engine schedules."""
    return fit_profile(profile, shape, gpu, prompts_alone=_habits(profile).prompts_alone)


def _habits(profile: ServeProfile) -> EngineHabits:
    return engine_habits(profile.engine or STAND_IN)


def _known(profile: ServeProfile) -> tuple[ModelShape | None, Gpu | None]:
    """The shape as the profile's engine runs it, and the card, each None where the catalog does not know it."""
    shape, gpu = None, None
    with suppress(InputError):
        shape = as_cached(find_model(profile.model), _habits(profile))
    with suppress(InputError):
        gpu = None if profile.gpu is None else find_gpu(profile.gpu)
    return shape, gpu


@dataclass(frozen=True)
class MeasuredServer:
    """A profile that says what a step takes."""

    stored: StoredProfile[ServeProfile]
    shape: ModelShape
    """The model as the profile's engine runs it (`as_cached`)."""
    gpu: Gpu
    fit: StepFit
    held_out: tuple[HoldOut, ...]
    adapters: tuple[AdapterSpeed, ...] = ()
    """Speed with unmerged adapters over the base's, where the profile has both."""
    older: tuple[str, ...] = ()
    """Names of older profiles of the same server and software whose loads are fitted with the newest's."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the profiles that it was fitted on, newest first."""
        return self.stored.name, *self.older

    @property
    def family(self) -> str | None:
        """The engine whose fit speaks for its speed on its card; None where the profile names none."""
        engine = self.stored.profile.engine
        return METAL if engine is None and self.gpu.apple else engine and engine_on(self.gpu, engine)

    @property
    def step(self) -> Iteration:
        """The fitted step, KV in bytes on each GPU."""
        assert self.fit.iteration is not None
        profile = self.stored.profile
        token = kv_token_bytes(self.shape, profile.gpus, profile.kv_dtype or "bf16")
        return replace(self.fit.iteration, kv_byte_s=self.fit.iteration.kv_byte_s / token)

    @property
    def half_log_speed(self) -> float:
        """Half of the 90% interval of log speed on a load in the range that was measured (`half_at`)."""
        measured, step = self.fit.measured, self.fit.iteration
        return self.half_at(0.0 if measured is None or step is None else measured.leverage(step))

    @property
    def published_as(self) -> str:
        """The engine whose published efficiencies speak for it: its own, or the one that stands in."""
        return _published(self.family).engine

    @property
    def published(self) -> tuple[float, float] | None:
        """Ends of the published speed of its plan over what is published; None where what was measured lies outside them."""
        engine = _published(self.family)
        ends = known_ends(engine, self.gpu.id, self.shape.id, mixture=self.shape.mixture)
        return None if abs(speed_over(self, engine.engine)) > half_of(ends) else ends

    def half_at(self, leverage: float) -> float:
        """Half of the 90% interval of log speed on a load of this leverage: how far loads lie from the line, and hold-outs.

        Each coefficient has one of the points follow it, so that points count for as many values as are left of them.
        """
        logs = [float(np.log1p(one.errors[0])) for one in self.held_out]
        scatter = self.fit.point_scatter or 0.0
        free = max(self.fit.points - sum(c.value > 0.0 for c in self.fit.coefficients), 0)
        return load_half(sum(x * x for x in logs) + scatter**2 * free, len(logs) + free, scatter, leverage)

    def further(self, requests: RequestShape, kv_read_bytes: float) -> float:
        """What these requests add to `half_log_speed`, a logarithm whose square adds: lengths unlike those measured.

        To no more than what is published leaves, where that is not contradicted. `kv_read_bytes` is what a step reads on each
        GPU for one of them.
        """
        measured, step = self.fit.measured, self.fit.iteration
        if measured is None or step is None:
            return 0.0
        profile = self.stored.profile
        context = kv_read_bytes / kv_token_bytes(self.shape, profile.gpus, profile.kv_dtype or "bf16")
        mix = Mix(np.array([context]), np.array([float(requests.uncached_tokens / requests.output_tokens)]))
        known = self.published
        half = min(self.half_at(measured.leverage(step, mix)), np.inf if known is None else half_of(known))
        return float(np.sqrt(max(half**2 - self.half_log_speed**2, 0.0)))


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
    prompts_alone: bool = False
    """How its engine schedules (`Server.prompts_alone`)."""
    adapters: tuple[AdapterSpeed, ...] = ()
    """Speed with unmerged adapters over the base's, from the profile `adapters_of`; empty where none shows it."""
    adapters_of: str = ""
    as_many: bool = True
    """Whether a profile or row behind it is of as many GPUs (`OwnSpeed.as_many`)."""
    of_model: bool = True
    """Whether a profile or row behind it is of this model (`OwnSpeed.of_model`)."""
    server: MeasuredServer | None = None
    """The server whose step it is, where one was measured of this very plan."""


def kv_token_bytes(shape: ModelShape, tensor_parallel: int, kv_dtype: str) -> float:
    """Bytes on each GPU of one more token in a short context, the unit in which fits count KV."""
    element = kv_element_bytes(kv_dtype)
    two, one = (float(kv_bytes_per_gpu(shape, tokens, tensor_parallel, element)) for tokens in (2.0, 1.0))
    return two - one if two > one else 1.0


def measured_servers(store: Store, gpu: str) -> tuple[tuple[MeasuredServer, ...], tuple[tuple[str, str], ...]]:
    """(servers measured on this card that a step was fitted on, newest first; (profile, why not) of the others).

    Profiles of one server and software count as one (`pooled`); where nothing can be fitted on all of them, each by itself.
    """
    found, passed = list[MeasuredServer](), list[tuple[str, str]]()
    for joined, alone in pooled(of_card(store, ServeProfile, gpu)):
        server = _server(joined, gpu)
        if isinstance(server, str) and joined.older:
            apart = [(stored.name, _server(Pooled(stored), gpu)) for stored in alone]
        else:
            apart = [(joined.stored.name, server)]
        found += [each for _, each in apart if isinstance(each, MeasuredServer)]
        passed += [(name, why) for name, why in apart if isinstance(why, str)]
    return tuple(found), tuple(passed)


def _server(joined: Pooled, gpu: str) -> MeasuredServer | str:
    """The server that these profiles measured on the card, or why nothing can be taken from them."""
    profile = joined.stored.profile
    try:
        shape, card = as_cached(find_model(profile.model, exact=True), _habits(profile)), find_gpu(gpu)
    except InputError as error:
        return str(error)
    fit = _fitted(profile, shape, card)
    if all(point.adapter == "unmerged" for point in profile.points):
        return "it holds unmerged adapters alone, and not the base beside them"
    if fit.iteration is None:
        return fit.rejected[0]
    if profile.weight_dtype is None:
        return "nobody said in which format the weights were: --weight-dtype of roi profile serve"
    slower = adapter_speeds(profile, fit, shape)
    return MeasuredServer(joined.stored, shape, card, fit, _held_out(profile, fit, shape), slower, joined.older)


def find_served(
    servers: Sequence[MeasuredServer], shape: ModelShape, tensor_parallel: int, weight_dtype: str, kv_dtype: str = "bf16",
    *, prefill_context: float, engine: str | None = None, rows: Sequence[ServedRows] = (),
) -> Served | None:
    """The step of this plan on the card of `servers`; None where none was measured.

    The newest profile of the same model, GPUs and formats is taken as it is, with the loads of older ones of its server and
    software; its interval is at most that of what is published, unless it contradicts it. Otherwise the published coefficients
    of the plan hold at the speed that profiles of other plans on this card with one engine (`engine`, else that of the newest),
    and `rows` of tables, leave of the published one (own_speed). `prefill_context` is the mean number of tokens before a
    computed prompt token.
    """
    mine = [s for s in servers if engine is None or s.stored.profile.engine is None or s.family == engine]
    adapted = next((s for s in mine if s.adapters), None)
    same = [s for s in mine if _plan_of(s.stored.profile) == (shape.id, tensor_parallel, weight_dtype, kv_dtype)]
    served: Served | None
    if same:
        server, fit = same[0], same[0].fit
        adapted = server if server.adapters else adapted
        served = Served(
            iteration=server.step, request_s=fit.request_s, speed=_as_measured(server, same[1:]), profiles=server.names,
            step_tokens=fit.step_tokens, sequence_limit=fit.sequence_limit, prompts_alone=fit.prompts_alone, server=server,
            kv_capacity_tokens=server.stored.profile.kv_capacity_tokens)
    else:
        served = _transferred(mine, shape, tensor_parallel, weight_dtype, prefill_context, rows) if mine else None
    if served is None or adapted is None:
        return served
    return replace(served, adapters=adapted.adapters, adapters_of=adapted.stored.name)


def _plan_of(profile: ServeProfile) -> tuple[str, int, str | None, str]:
    return canonical_model(profile.model), profile.gpus, profile.weight_dtype, profile.kv_dtype or "bf16"


def _as_measured(server: MeasuredServer, aside: Sequence[MeasuredServer]) -> Fact:
    """The spread of a profile of this very plan, and what it did to what is published; `aside`: others of it, not taken."""
    profile, engine = server.stored.profile, _published(server.family)
    ends = known_ends(engine, server.gpu.id, server.shape.id, mixture=server.shape.mixture)
    over = speed_over(server, engine.engine)
    contradicts = abs(over) > half_of(ends)
    half = server.half_log_speed if contradicts else min(server.half_log_speed, half_of(ends))
    low, high = (float(np.exp(over + side)) for side in (-half, half))
    told = OwnSpeed(float(np.exp(over)), half, ends,
                    (SpeedPiece(server.stored.name, server.fit.points, low, high, contradicts, float(np.exp(over))),)).told
    measured = server.fit.measured
    loaded = "" if measured is None else f" with up to {measured.in_flight:,.0f} in flight"
    unchecked = ", whose open loop was cut short: not checked" if server.fit.check_missing else ""
    more = f" and {len(server.older)} older of the same server, {server.fit.points} loads," if server.older else ""
    said = f"profile {server.stored.name}{more}{loaded}, at {np.exp(over):.2f} of the published speed; {told}{unchecked}"
    if left := [f"{name} ({software(each.stored.profile)})" for each in aside for name in each.names]:
        said += f"; older, and not known to be of its software ({software(profile)}), so not taken: {first_of(left, ASIDE)}"
    return _speed(half, Basis.MEASURED, said, profile)


def _transferred(
    servers: Sequence[MeasuredServer], shape: ModelShape, tensor_parallel: int, weight_dtype: str, prefill_context: float,
    rows: Sequence[ServedRows],
) -> Served:
    """Published coefficients at the speed that profiles of other plans on the card and engine, and rows, leave of them."""
    newest, gpu = servers[0].stored.profile, servers[0].gpu
    alike, engine = [s for s in servers if s.stored.profile.engine == newest.engine], _published(servers[0].family)
    measured = [PlanSpeed(s.stored.name, s.shape.id, (float(s.stored.profile.gpus), str(s.stored.profile.weight_dtype)),
                          speed_over(s, engine.engine),
                          half_of(known_ends(engine, gpu.id, s.shape.id, mixture=s.shape.mixture)), s.fit.points)
                for s in alike]
    found = own_speed(known_ends(engine, gpu.id, shape.id, mixture=shape.mixture),
                      [*row_speeds(rows, engine, gpu.id), *measured], shape.id, (float(tensor_parallel), weight_dtype))
    base = _published_step(engine, shape, gpu, tensor_parallel, weight_dtype, prefill_context)
    outside = [s.fit.request_s for s in alike if s.fit.request_s is not None]
    mine = [s for s in alike if s.shape.id == shape.id]
    others = {s.shape.id for s in alike} - {shape.id}
    kind = "this model in another set-up" if mine else "other model" if len(others) == 1 else f"{len(others)} other models"
    of = f"{len(alike)} profile{'s' if len(alike) > 1 else ''}, {gpu.id}, {kind}"
    source = f"published {engine.engine} step at {found.centre:.2f} of its speed, by {of}: {found.told}"
    return Served(iteration=base.at_speed(found.centre), request_s=float(np.median(outside)) if outside else None,
                  speed=_speed(found.half, Basis.CALIBRATED, source, newest),
                  profiles=tuple(name for s in alike for name in s.names), step_tokens=servers[0].fit.step_tokens,
                  prompts_alone=servers[0].fit.prompts_alone, as_many=found.as_many, of_model=found.of_model)


def _published_step(
    engine: EngineEfficiencies, shape: ModelShape, gpu: Gpu, gpus: int, weight_dtype: str, prefill_context: float,
) -> Iteration:
    """The step as it is published for the engine, with its habits, as plans without a profile have it."""
    habits = engine_habits(engine.engine)
    return roofline_iteration(as_cached(shape, habits), gpu, gpus, weight_dtype, prefill_context, on_card(engine, gpu),
                              experts_apart=habits.experts_apart, wgmma=habits.wgmma)


def speed_over(server: MeasuredServer, engine: str) -> float:
    """log of the published over the measured time of the profile's mean step: 0 where the publication holds."""
    profile = server.stored.profile
    assert profile.weight_dtype is not None
    whole = [p for p in profile.points if p.complete]
    done = [r for p in whole for r in p.requests if r.error is None and r.output_tokens > 1]
    prompt, output = (float(np.mean([getattr(r, name) for r in done])) for name in ("prompt_tokens", "output_tokens"))
    sequences = float(np.median([p.concurrency for p in profile.points if p.concurrency] or [1]))
    base = _published_step(find_engine(engine), server.shape, server.gpu, profile.gpus, profile.weight_dtype, prompt / 2.0)
    context = prompt + output / 2.0
    kv = float(kv_bytes_per_gpu(server.shape, context, profile.gpus, kv_element_bytes(profile.kv_dtype or "bf16")))

    def seconds(step: Iteration) -> float:
        """A request's share of the engine: its decode steps among `sequences`, and its prefill."""
        decoding = float(step.decode_s(sequences, sequences * kv)) / sequences
        return output * decoding + prompt * float(step.prefill_token_s)

    return float(np.log(seconds(base) / seconds(server.step)))


def _published(engine: str | None) -> EngineEfficiencies:
    """The catalog's row of the engine, or of the one that stands in."""
    try:
        return find_engine(engine or STAND_IN)
    except InputError:
        return find_engine(STAND_IN)


def _speed(half: float, basis: Basis, source: str, profile: ServeProfile) -> Fact:
    low, high = float(np.exp(-half)), float(np.exp(half))
    return Fact(value=1.0, low=low, high=high, unit="ratio", basis=basis, source=source, date=profile.started.date())
