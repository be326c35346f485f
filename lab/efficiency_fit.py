"""Efficiencies of an engine from measured runs, fitted through the replay that predicts them.

What a run's replay does in steps does not depend on how long they take: requests of a batch, a burst or a closed loop are there
when the engine has room. So the seconds of a request, TTFT and TPOT are linear in the five coefficients of an `Iteration`, and
what multiplies each follows from five replays (`work_of`). Efficiencies enter the coefficients through `roofline_iteration`
itself. They are fitted in their logarithms, by least squares of log errors, reweighted towards least absolute ones (some labels
are wrong), with what is known of hardware before any row as a prior: a source with a few hundred rows alike counts for no more
than EFFECTIVE of them.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roi.catalog.efficiencies.serving_efficiencies import METAL, engine_habits
from roi.estimate.accuracy.serving_errors import STREAMED, unsure_of
from roi.estimate.accuracy.serving_run import ServingRun, holding_one, room_spread, run_figures
from roi.estimate.replay.engine import Server
from roi.estimate.replay.loads import LENGTH_SCATTER, loop_means
from roi.estimate.replay.replica_plan import ReplicaPlan
from roi.estimate.replay.router import Requests, replay
from roi.estimate.serving.efficiencies import PERFECT, Efficiencies
from roi.estimate.serving.iteration import Iteration
from roi.estimate.serving.routing import UNEVEN, expert_share
from roi.evidence.serving_speed import reached
from roi.facts.model import Number
from roi.numerics.spreads import joint_deviation

Array = NDArray[np.float64]

NOISE: Final = 0.15
"""Residual of a log that counts as one: sources repeat themselves to 5 to 10%, and such a model is no closer."""
EFFECTIVE: Final = 8.0
"""Rows that all rows of one model, card and engine count for together."""
ROUNDS: Final = 16
ROWS: Final = 24
"""Runs of one model, format, card and engine that a fit looks at."""
MOST_BURST: Final = 6000
"""Requests of a burst whose work is counted; longer ones go on as they were in the second half of these."""


class Prior(NamedTuple):
    """What is known of a coefficient before any row: its middle, the spread of its log, and the most and least it can be."""

    middle: float
    spread: float
    least: float = 0.0
    most: float = math.inf


PRIORS: Final = {
    # copy kernels reach 90 to 93% of the datasheet bandwidth on A100, H100 and B200
    "decode_mbu": Prior(0.90, 0.10, most=1.1), "kv_mbu": Prior(0.85, 0.20, most=1.1),
    # large products reach 70 to 80% of the dense peak before power limits
    "decode_mfu": Prior(0.80, 0.40, most=1.5), "prefill_mfu": Prior(0.60, 0.20, most=0.85),
    "step_overhead_s": Prior(3e-4, 1.0), "layer_overhead_s": Prior(1.5e-5, 0.6), "sequence_overhead_s": Prior(5e-6, 1.5),
    # one-shot all-reduce over NVLink of a few KB: 5 to 15 us with its launch (nccl-tests, TensorRT-LLM's custom kernels)
    "collective_latency_s": Prior(1e-5, 0.5),
    # NCCL bus bandwidth over NVLink's one-direction rate: 0.75 to 0.85 of 450 GB/s on HGX H100 (nccl-tests)
    "link_efficiency": Prior(0.70, 0.15, most=0.9),
    # beyond the links' 3.9 us a MB takes 8 H100s 9 up to 1 MB, 5 up to 4 (ByteDance-Seed/Triton-distributed issue 57)
    "reduce_bytes_per_s": Prior(2.5e11, 0.4),
    # two collectives of NCCL, of some 20 us each where messages are small (nccl-tests, 8 GPUs) and as late as the slowest GPU
    "exchange_latency_s": Prior(1e-4, 0.7),
    # of the tokens of a step, as of those of a layer; prompts of benchmarks are random
    "expert_imbalance": Prior(UNEVEN, 0.5),
    # engines that schedule ahead spend 1 to 4 ms a step in Python, and 10 to 100 us a sequence (profiles of vLLM V1's and
    # TensorRT-LLM's executors); a layer outside graphs has some 15 kernels of 5 to 10 us, and collectives
    "host_step_s": Prior(2.5e-3, 0.5), "host_sequence_s": Prior(4e-5, 0.7), "host_prompt_layer_s": Prior(1e-4, 0.7),
    "overlap": Prior(0.8, 0.2, most=1.0), "kv_reread": Prior(0.05, 1.5),
    # some five kernels: router, top k, sorting, gathering, weighted sum
    "expert_layer_s": Prior(1e-5, 0.7),
    # below 1: routing is uneven, and prompts of random tokens go to the same experts: fewer are read than if it were uniform
    "expert_reading": Prior(1.0, 0.3, least=0.5), "expert_products": Prior(2.0, 0.6, least=1.0),
    # a grouped kernel unpacks an expert for few tokens; dense ones (Marlin) are near the ideal at few rows (arXiv 2408.11743)
    "unpacking": Prior(0.15, 0.7), "expert_unpacking": Prior(0.3, 0.7),
    # four launches of 2 to 3 us: two norms, a rotation, a copy
    "head_norm_s": Prior(8e-6, 0.7),
    # Hopper's wgmma multiplies 64 rows (PTX ISA), kernels that exchange the operands 8 to 16
    "least_rows": Prior(24.0, 0.6, least=1.0, most=128.0),
    # four launches of 2 to 3 us that quantise activations
    "quantise_layer_s": Prior(8e-6, 0.7),
    # the same with scales of blocks, laid out as the units want them: 3 to 4 us each
    "quantise4_layer_s": Prior(1.4e-5, 0.5),
    # H100 fp8 products reach 0.6 to 0.65 of their peak where bf16 reaches 0.75 to 0.8; B200 fp4 0.5 to 0.6
    "fp8_products": Prior(1.2, 0.06, least=1.0), "fp4_products": Prior(1.4, 0.15, least=1.0),
    # Marlin unpacks and uses mma.sync, which reaches two thirds of wgmma's rate on H100 (arXiv 2407.08608)
    "packed_products": Prior(1.6, 0.15, least=1.0),
    # norms and activations reach 75 to 90% of the bandwidth over thousands of tokens, where copies reach 90 to 93%
    "activation_traffic": Prior(1.2, 0.3),
    # tiled attention reaches what dense products do, within a third (arXiv 2307.08691)
    "attention_products": Prior(1.0, 0.2, least=0.7),
}
"""Coefficients of the fit."""
HOSTED: Final = {
    # some 15 kernels a layer, started one by one from Python at about 40 us each, and of 5 to 8 us on the device
    "host_layer_s": Prior(6e-4, 0.2), "host_expert_s": Prior(8e-5, 0.5), "host_linear_s": Prior(1e-4, 0.5),
    "step_overhead_s": Prior(5e-4, 0.5), "layer_overhead_s": Prior(1e-4, 0.5), "host_step_s": Prior(5e-4, 0.5),
    # caches are copied to grow by a token (DynamicCache.update: torch.cat), and written out once for every query head
    # (repeat_kv of transformers' attention): 3 + 2 g passes over keys and values that g query heads share, so that each further
    # head adds 2 / 5 of what one takes, by kernels of one sequence, which keep few bytes in flight (1.1e12 bytes/s below: a
    # quarter of the bandwidth of a card with HBM3)
    "kv_mbu": Prior(0.05, 0.5, most=0.93), "kv_reread": Prior(0.4, 0.15),
}
"""Priors of transformers, whose steps are as long as Python takes to start their kernels."""
SINGLE: Final = {
    # kernels of one sequence keep few bytes in flight: an A100 reads no more than a 4090
    "read_limit_bytes_per_s": Prior(1.1e12, 0.1), "step_overhead_s": Prior(3e-4, 0.7), "layer_overhead_s": Prior(5e-5, 0.4),
    # attention in three products, its scores written and read (before flash attention, 2024-05)
    "attention_products": Prior(4.0, 0.5),
}
"""Priors of llama.cpp."""
UNTUNED: Final = {
    # kernels of 16 rows that read the weights anew for every 16 reach 5% of an MI300X's rate (16 FLOPs a byte, 5.3e12 bytes/s),
    # those tuned for a shape several times that; experts have kernels of their own (Triton's), as long as elsewhere
    "decode_mfu": Prior(0.1, 1.0, most=1.5), "expert_products": Prior(0.5, 0.6, least=0.1),
    # one block for every query head (vLLM's paged attention, V1 and V2): each reads the keys and values anew
    "kv_reread": Prior(1.0, 0.3),
}
"""Priors of vLLM's early build for AMD."""
UNIFIED: Final = {
    # about a dozen kernels a layer, each dispatched with a barrier before it: 5 to 10 us on Metal
    "layer_overhead_s": Prior(1e-4, 0.7), "step_overhead_s": Prior(3e-4, 0.7),
    # mul_mv of a query head with its keys, soft_max, mul_mv with the values: each query head reads its keys and values anew,
    # a few rows at a time; before flash attention (2024-05)
    "kv_mbu": Prior(0.4, 0.7, most=1.0), "kv_reread": Prior(0.7, 0.5), "attention_products": Prior(4.0, 0.5),
    # mul_mv multiplies one row
    "least_rows": Prior(1.0, 0.05, least=1.0),
    # mul_mm, whose tile of 32 rows is as slow for one, is taken from 11 rows of Q4_K and 15 of Q4_0 on (ne11_mm_min of
    # ggml-metal.m): a row of mul_mv more takes about a tenth of what such a tile takes beyond one row, three times a row of it
    "decode_mfu": Prior(0.3, 0.5, most=1.0), "decode_mbu": Prior(0.90, 0.10, most=1.0),
    # ALUs that unpack a tile do not multiply meanwhile
    "packed_products": Prior(1.2, 0.15, least=1.0),
}
"""Priors of llama.cpp on Apple's GPUs."""
OF_THEIR_OWN: Final = {"transformers": HOSTED, METAL: UNIFIED, "llama.cpp": SINGLE, "vllm-rocm": UNTUNED}
COMPILED: Final = {"head_norm_s": Prior(2e-6, 0.5)}
"""Priors of engines whose layers are compiled, whatever the base: norms and rotation of queries and keys are one kernel."""
COMPILED_ENGINES: Final = ("vllm", "gpt-fast-2024")
NATIVE: Final = {
    # a loop in C++, or one graph a token: tens of us a step, a few a sequence
    "host_step_s": Prior(2e-4, 0.7), "host_sequence_s": Prior(5e-6, 0.7), "host_prompt_layer_s": Prior(2e-5, 0.7),
}
"""Priors of engines whose steps no Python schedules, whatever the base."""
NATIVE_ENGINES: Final = ("llama.cpp", "tensorrt-llm-2024", "lmdeploy-2024", "gpt-fast-2024")


@dataclass(frozen=True)
class Work:
    """What a run's replay does: for each time the steps, sequences, KV bytes, prompt tokens and reads of all experts."""

    run: ServingRun
    plan: ReplicaPlan
    parts: dict[str, Array]
    """pace (seconds of the replica a request), tpot, ttft -> five multipliers."""
    seconds: dict[str, float]
    """The same as measured, where it is."""
    prompt_steps: dict[str, float]
    """Of the steps of each time, those that compute prompts."""
    against: dict[str, float] = field(default_factory=dict)
    """Replayed over counted seconds (`replayed`): 1 where none was."""

    @cached_property
    def unsure(self) -> float:
        """log of what widens the run's interval beyond that of others of its engine."""
        return float(joint_deviation(unsure_of(self.run, self.plan)))

    @cached_property
    def room(self) -> float:
        """log of how far its sequences may be off, where memory may not hold what is sent."""
        return room_spread(self.run, self.plan)

    @property
    def setting(self) -> tuple[Hashable, ...]:
        """What its iteration depends on: runs that differ in concurrency alone share it."""
        system, load = self.run.system, self.run.load
        return (system.shape.id, system.gpu.id, system.tensor_parallel, system.weight_dtype, system.kv_dtype, system.stages,
                system.attention_parallel, system.stream_interval, load.requests, self.run.engine)

    def predicted(
        self, efficiencies: Efficiencies, steps: dict[tuple[Hashable, ...], Iteration] | None = None,
    ) -> dict[str, Number]:
        """Seconds of each at these efficiencies, which broadcast; `steps` keeps the iterations of a setting."""
        load, kept = self.run.load, {} if steps is None else steps
        if self.setting not in kept:
            kept[self.setting] = self.plan.iteration(load.requests, reached(efficiencies, self.run.system.gpu))
        step = self.plan.loaded(kept[self.setting], load.computed_tokens, _busy(self.run) / self.run.system.replicas)
        values = (step.step_s, step.sequence_s, step.kv_byte_s, step.prefill_token_s, step.experts_s)
        found = {name: sum(part * value for part, value in zip(parts.tolist(), values, strict=True))
                 for name, parts in self.parts.items()}
        for name, parts in self.parts.items():
            steps, sequences, kv, tokens, _ = parts.tolist()
            with_prompts, alone = min(self.prompt_steps[name], steps), self.plan.habits.prompts_alone
            decoding = max(steps - with_prompts, 1e-9) if alone else steps
            found[name] = found[name] + (0.0 if steps <= 0.0 else step.apart_s(
                steps, with_prompts, sequences / decoding, kv / decoding, tokens, alone=alone))
        if "ttft" in found:
            ahead = np.maximum(step.request_steps - 1.5, 0.0) * step.decode_s(1.0, 0.0)
            found["ttft"] = found["ttft"] + step.request_s + ahead
        return {name: value * self.against.get(name, 1.0) for name, value in found.items()}


def work_of(run: ServingRun) -> Work | None:
    """The work of a run; None where its arrivals have a pace of their own, or adapters or another stage share its steps."""
    load, system = run.load, run.system
    if run.implausible or load.kind == "open" or load.slo is not None or load.adapters or system.prefill_replicas:
        return None
    seconds = _measured(run)
    if not seconds:
        return None
    plan = system.plan(engine_habits(run.engine))
    server = holding_one(plan.server(load.requests, PERFECT), plan, load)
    busy = _busy(run)
    base = _times(run, plan, server, Iteration(1.0, 0.0, 0.0, 0.0), busy)
    share = server.iteration.expert_share
    found = {name: [value] for name, value in base.items()}
    for more in (Iteration(1.0, 1.0, 0.0, 0.0), Iteration(1.0, 0.0, 1.0, 0.0), Iteration(1.0, 0.0, 0.0, 1.0),
                 Iteration(1.0, 0.0, 0.0, 0.0, 1.0, share)):
        times = base if more.experts_s and not share else _times(run, plan, server, more, busy)
        for name, value in times.items():
            found[name].append(value - base[name])
    counted = _times(run, plan, server, Iteration(1e-6, 0.0, 0.0, 0.0, host_prompt_s=1.0), busy)
    return Work(run, plan, {name: np.maximum(np.array(values), 0.0) for name, values in found.items()}, seconds, counted)


def replayed(work: Work, efficiencies: Efficiencies) -> Work:
    """The work of a closed loop with what its replay at these efficiencies takes over what was counted.

    Work is counted without the time that a request is on its way to the engine. A loop has fewer requests in the engine for it,
    and they meet its prompts in other places: TPOT is up to 9% shorter, and TTFT longer by half where prompts are most of it.
    """
    run, plain = work.run, replace(work, against={})
    if run.load.kind != "closed":
        return work
    counted, found = plain.predicted(efficiencies), run_figures(
        run, reached(efficiencies, run.system.gpu), engine_habits(run.engine))(1.0)
    seconds = {"pace": _busy(run) / found.requests_per_s, "tpot": found.tpot_s, "ttft": found.ttft_s}
    return replace(work, against={name: seconds[name] / float(value) for name, value in counted.items() if value > 0.0})


def _busy(run: ServingRun) -> float:
    """Replicas that the load keeps busy."""
    whole = run.load.concurrency or math.inf
    return min(run.system.replicas * run.system.stages, whole)


def _measured(run: ServingRun) -> dict[str, float]:
    load, busy = run.load, _busy(run)
    rate = run.requests_per_s
    if run.output_tokens_per_s is not None:
        rate = run.output_tokens_per_s / load.output_tokens
    elif run.total_tokens_per_s is not None:
        rate = run.total_tokens_per_s / (load.input_tokens + load.output_tokens)
    if rate is None and run.ttft_s is not None and run.tpot_s is not None and run.tpot_kind == "between-tokens":
        rate = (load.concurrency or math.inf) / (run.ttft_s + (load.output_tokens - 1.0) * run.tpot_s)  # Little's law
    found = {} if rate is None or math.isinf(rate) else {"pace": busy / rate}
    if run.tpot_s is not None and run.tpot_kind == "between-tokens" and load.output_tokens > 1.0:
        found["tpot"] = run.tpot_s
    if run.ttft_s is not None:
        found["ttft"] = run.ttft_s
    return found


def _times(run: ServingRun, plan: ReplicaPlan, server: Server, step: Iteration, busy: float) -> dict[str, float]:
    """pace, tpot and ttft of a replay with these coefficients."""
    load, server = run.load, replace(server, iteration=step, request_s=0.0)
    if load.kind == "closed":
        each = max(round((load.concurrency or 1.0) / busy), 1)
        count = load.looped(busy)
        means = loop_means(plan.requests(load.drawn(count, LENGTH_SCATTER), np.zeros(count)), server, each)
        return dict(zip(("pace", "ttft", "tpot"), (means[0] / each, *means[1:]), strict=True))
    whole = (load.concurrency or 1.0) if load.kind == "static" else (load.prompts or 1000.0)
    count = max(round(whole / busy), 1)
    requests = plan.requests(load.drawn(min(count, MOST_BURST)), np.zeros(min(count, MOST_BURST)))
    found = replay(requests, server)
    pace = found.span_s / found.arrival_s.size
    if count > MOST_BURST:
        half = _first(requests, MOST_BURST // 2)
        further = (found.span_s - replay(half, server).span_s) / (MOST_BURST - MOST_BURST // 2)
        pace = (found.span_s + (count - MOST_BURST) * further) / count
    tpot = found.tpot_s
    return {"pace": pace, "ttft": float(np.mean(found.ttft_s)), "tpot": float(np.mean(tpot)) if tpot.size else 0.0}


def _first(requests: Requests, count: int) -> Requests:
    arrays = {name: value[:count] for name, value in vars(requests).items() if isinstance(value, np.ndarray)}
    return replace(requests, **arrays)


def works_of(runs: Iterable[ServingRun]) -> list[Work]:
    """The work of the runs that have any."""
    return [work for run in runs if (work := work_of(run)) is not None]


def fitted_times(work: Work) -> tuple[str, ...]:
    """Which times of a run its step is fitted to: TPOT where there is one, else the pace; a single token is its prefill.

    Where prompts are computed alone, how a closed loop's requests lie in time says what of a prompt's step is TTFT and what is
    others' TPOT: those in step with each other wait at once, and decode undisturbed. Their pace does not depend on it.
    """
    if work.plan.habits.prompts_alone and work.run.load.kind == "closed" and "pace" in work.seconds:
        return ("pace",)
    if "tpot" in work.seconds:
        return ("tpot",)
    if "pace" in work.seconds:
        return ("pace",)
    return ("ttft",) if work.run.load.output_tokens == 1.0 else ()


def backlogged(work: Work) -> bool:
    """True where so many tokens are sent that first ones may wait behind them: such a TTFT says nothing of the engine's."""
    tokens = work.run.load.output_tokens
    return work.run.load.kind == "closed" and "pace" in work.seconds and tokens / work.seconds["pace"] > STREAMED


def same_shape(run: ServingRun) -> tuple[float, ...]:
    """What names one architecture and size, whatever the release."""
    shape = run.system.shape
    return (shape.hidden, shape.layers, shape.vocab, shape.parameters)


OF_EXPERTS: Final = ("expert_layer_s", "expert_reading", "expert_products")
"""Coefficients of kernels of experts."""
CARD_SPREAD: Final = 0.3
"""Spread of the coefficients between cards with one engine over that between engines."""
OF_A_CARD: Final = ("expert_layer_s", "fp8_products", "fp4_products", "collective_latency_s")
"""Those that differ between cards as between engines: kernels of experts are others for every generation of cards (Triton's on
Hopper and trtllm-gen's on Blackwell for gpt-oss in TensorRT-LLM), power, which a card has more or less of, limits narrow
products, and an all-reduce of a few KB takes what a card's links and switches do, and does the norm after it too where a kernel
was written for that card (FlashInfer's on Blackwell, which InferenceX's scripts turn on for vLLM there)."""


def priors_of(family: str, base: Efficiencies | None = None, width: float = 1.0) -> dict[str, Prior]:
    """The priors of an engine family; around the coefficients of another engine where they are given, `width` times as wide."""
    found = dict(PRIORS)
    if base is not None:
        found = {name: prior._replace(middle=max(float(getattr(base, name)), 1e-12),
                                      spread=(1.0 if name in OF_A_CARD else width) * prior.spread)
                 for name, prior in found.items()}
    own = next((priors for name, priors in OF_THEIR_OWN.items() if family.startswith(name)), {})
    native = NATIVE if family.startswith(NATIVE_ENGINES) else {}
    native = native | (COMPILED if family in COMPILED_ENGINES else {})
    if base is None:
        return found | own | native
    found |= {name: prior._replace(middle=float(getattr(base, name)), spread=width * prior.spread)
              for name, prior in own.items() if getattr(base, name) > 0.0 and np.isfinite(getattr(base, name))}
    return found | native


def fit_common(works: Sequence[Work]) -> Efficiencies:
    """What several engines have in common: what they say of one that was not fitted.

    Of experts few engines say anything, and their kernels are their own: where k engines ran a mixture, a coefficient of
    experts goes k of k + 1 parts of the way from the prior's middle to the fit.
    """
    found, k = fit_efficiencies(works), len({work.run.engine for work in works if expert_share(work.run.system.shape)})
    middles = {name: PRIORS[name].middle for name in OF_EXPERTS}
    return replace(found, **{name: middle * (float(getattr(found, name)) / middle) ** (k / (k + 1.0))
                             for name, middle in middles.items()})


def fit_efficiencies(works: Sequence[Work], base: Efficiencies | None = None, width: float = 1.0) -> Efficiencies:
    """Efficiencies from step times, and what a request waits besides from TTFT where runs state it."""
    family = works[0].run.engine if works else ""
    priors = priors_of(family, base, width)
    names = list(priors)
    middle = np.log([priors[n].middle for n in names])
    spread = np.array([priors[n].spread for n in names])
    low = np.log([max(priors[n].least, 1e-12) for n in names])
    high = np.log([priors[n].most for n in names])
    rows = [(replace(work, parts={name: work.parts[name]}), name) for work in thinned(works) for name in fitted_times(work)]
    measured = np.log([work.seconds[name] for work, name in rows])
    groups = [(same_shape(work.run), work.run.system.gpu.id, work.run.engine) for work, _ in rows]
    counts = Counter(groups)
    weight = np.array([min(1.0, EFFECTIVE / counts[g]) for g in groups])

    def errors(theta: Array) -> tuple[Array, Array]:
        """Log errors of every row, and how they move with each coefficient."""
        moved = np.concatenate([theta[None], theta + 1e-3 * np.eye(len(names))])
        engine = Efficiencies(**{name: np.exp(moved[:, k]) for k, name in enumerate(names)})
        steps: dict[tuple[Hashable, ...], Iteration] = {}
        found = np.log([np.broadcast_to(work.predicted(engine, steps)[name], len(moved)) for work, name in rows])
        return found[:, 0] - measured, (found[:, 1:] - found[:, :1]) / 1e-3

    theta = np.clip(middle, low, high)
    for _ in range(ROUNDS if rows else 0):
        e, jacobian = errors(theta)
        pull = weight / np.maximum(np.abs(e) / NOISE, 1.0) / NOISE**2
        gram = (jacobian * pull[:, None]).T @ jacobian + np.diag(spread**-2.0)
        moment = (jacobian * pull[:, None]).T @ e + (theta - middle) / spread**2
        new = np.clip(theta + np.clip(np.linalg.solve(gram, -moment), -0.7, 0.7), low, high)
        done = bool(np.max(np.abs(new - theta)) < 1e-2)
        theta = new
        if done:
            break
    return with_first_token(works, _efficiencies(names, theta), base)


def thinned(works: Sequence[Work]) -> list[Work]:
    """At most ROWS runs of one model, format, card and engine, evenly chosen in the table's order."""
    groups: dict[Hashable, list[Work]] = defaultdict(list)
    for work in works:
        groups[same_shape(work.run), work.run.system.weight_dtype, work.run.system.gpu.id, work.run.engine].append(work)
    return [group[int(k)] for group in groups.values()
            for k in np.unique(np.linspace(0, len(group) - 1, min(len(group), ROWS)).round())]


def _efficiencies(names: Sequence[str], theta: Array) -> Efficiencies:
    return Efficiencies(**dict(zip(names, np.exp(theta).tolist(), strict=True)))


def with_first_token(works: Sequence[Work], engine: Efficiencies, base: Efficiencies | None = None) -> Efficiencies:
    """request_s and request_steps: those by which most first tokens are nearest, of loads that answer more than one."""
    rows = [w for w in works if "ttft" in w.seconds and w.run.load.output_tokens > 1.0 and not backlogged(w)]
    if len(rows) < 5:
        like = base or engine
        return replace(engine, request_s=like.request_s, request_steps=like.request_steps)
    plain = replace(engine, request_s=0.0, request_steps=1.5)
    both = np.array([w.predicted(replace(plain, request_steps=np.array([1.5, 2.5])))["ttft"] for w in rows])
    without, step = both[:, 0], both[:, 1] - both[:, 0]
    measured, against = np.array([w.seconds["ttft"] for w in rows]), np.array([w.against.get("ttft", 1.0) for w in rows])
    best = min((float(np.mean(np.abs(np.log((without + s * against + k * step) / measured)))), s, k)
                for s in np.arange(0.0, 0.101, 0.004) for k in np.arange(0.0, 6.1, 0.5))
    return replace(engine, request_s=best[1], request_steps=1.5 + best[2])
