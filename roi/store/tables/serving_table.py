"""A table of measured serving runs, one row a run: its columns, and the run that a row becomes."""

from dataclasses import replace
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from roi.catalog.cards.gpus import card_called, find_gpu
from roi.catalog.efficiencies.serving_efficiencies import engine_on
from roi.catalog.models.shapes import find_model
from roi.errors import InputError
from roi.estimate.accuracy.error_blocks import SkippedRow
from roi.estimate.accuracy.serving_errors import ServingLabel
from roi.estimate.accuracy.serving_run import (
    ServingRun,
    ServingSystem,
    TpotKind,
    above_roofline,
    contradiction,
    impossible,
)
from roi.estimate.replay.load_curve import Slo
from roi.estimate.replay.loads import SLO, LoadKind, ServingLoad
from roi.estimate.serving.replica_memory import SEQUENCE_LIMIT
from roi.estimate.serving.weight_formats import IN_TURN, OF_GGUF, stored_as, weight_bytes
from roi.facts.model import ModelShape
from roi.store.tables.canonical_row import CanonicalRow, Flag, Positive, Several, UnusableCell, Whole, card_id, read_rows
from roi.store.tables.csv_table import CsvTable, TextRow
from roi.units import GIB

RATES: Final = ("req_per_s", "output_tok_per_s", "total_tok_per_s")
"""Columns of throughput."""
DEFAULT_PROMPTS: Final = 1000.0
"""Requests of an open run that does not say: the default of vLLM's benchmark script, which most published runs use."""
FACTORS: Final = {
    "gpu": 1.2,  # of those that carry the name A100: 1,555 to 2,039 GB/s
    "model": 1.35,  # of the same size: layers and KV heads differ (7B models: 28 to 32 layers, 4 to 32 KV heads)
    "design": 1.2,  # engines of 2024 took 1.1 to 1.4 times the step
    "weight_dtype": 1.3,
    "kv_dtype": 1.1,  # halving KV or not, on most rows
    "replicas": 1.1, "tp": 1.25,
    "lengths": 1.2,
    # 39 closed loops whose batch of one worker was inferred from the load on several: TPOT of nine in ten within this factor
    "concurrency": 5.5,
    "load": 1.5,  # anything up to all that the server gives
}  # fmt: skip
"""Columns whose cell may stand in for what the source does not say -> the factor by which the speed may be off."""
ONE_BATCH_TP: Final = 1.1
"""The factor of tp where a static batch runs on all GPUs."""
INT4_FACTOR: Final = 1.35
"""Kernels of weight-only 4 bits unpack as they read, each release its own way: single streams of 8B on H20 lie 0.7 to 1.35 of
predicted (SGLang 0.4.6 and transformers 4.51, the model left out)."""
INT4_EXPERTS_FACTOR: Final = 4.0
"""The factor of 4-bit experts: grouped kernels that unpack were written later, and SGLang 0.4.6 took 4.4 times the step of 16
bits (Qwen3-30B-A3B on H20)."""
Engine = Literal[
    "vllm", "tensorrt-llm", "sglang", "tgi", "lmdeploy", "deepspeed-mii", "s-lora", "lorax", "llama.cpp", "ollama",
    "transformers", "gpt-fast", "other",
]


class ServingRow(CanonicalRow):
    """One measured serving run."""

    gpu: Annotated[str, card_id("tp x pp x replicas")]
    """Card, by any of its names."""
    engine: Engine
    """Inference engine."""
    design: Literal["recent", "2024", "rocm-2024"] | None = None
    """Design of the engine's release: recent (vLLM from 0.8, TensorRT-LLM from 0.17, SGLang from 0.4, TGI from 3.0, LMDeploy
    from 0.7; other engines from 2025 on), 2024 (all before), rocm-2024 (vLLM to 0.6.1 on AMD in 16 bits); blank: recent stands
    in."""
    weight_dtype: Literal[
        "fp32", "bf16", "fp16", "fp8", "int8", "int4", "nvfp4", "mxfp4", "iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s",
        "iq2_m", "q2_k_s", "q2_k", "iq3_xxs", "iq3_xs", "q3_k_s", "iq3_s", "iq3_m", "q3_k_m", "q3_k_l", "iq4_xs", "q4_0",
        "q4_k_s", "iq4_nl", "q4_k_m", "q4_1", "q5_k_s", "q5_0", "q5_k_m", "q5_1", "q6_k", "q8_0", "f16",
    ] | None = None
    """Number format of the weights, those of GGUF files by their names; blank: bf16 stands in."""
    kv_dtype: Literal["bf16", "fp16", "fp8", "int8"] | None = None
    """Number format of the KV cache; blank: fp8 stands in for fp8 and nvfp4 weights on recent engines and TensorRT-LLM, else
    bf16."""
    tp: Whole = 1
    """GPUs of one replica. llama.cpp, Ollama and transformers hold the layers on them one after the other, as with pp."""
    pp: Whole = 1
    """Pipeline parallel: groups of tp GPUs that hold the layers one after the other, in one replica."""
    attention_parallel: Flag = False
    """True where attention runs on each of the tp GPUs for its own sequences and experts are spread over all of them."""
    replicas: Whole = 1
    """Equal replicas that share the load."""
    prefill_replicas: Annotated[int, Field(ge=0)] = 0
    """How many of the replicas compute prompts and nothing else (disaggregated serving); 0: every one does both."""
    load: LoadKind
    """Kind of load: static (a batch that starts together), closed (so many requests in flight), open (arrivals at a rate),
    saturated (more requests than the server takes at once)."""
    isl: Annotated[float, Field(ge=1, le=1e7)]
    """Mean prompt tokens."""
    cached_isl: Annotated[float, Field(ge=0, le=1e7)] = 0.0
    """Mean prompt tokens found in the prefix cache; less than isl."""
    osl: Annotated[float, Field(ge=1, le=1e7)]
    """Mean output tokens."""
    length_cv: Annotated[float, Field(ge=0, le=3)] = 0.0
    """Standard deviation over mean of both lengths."""
    concurrency: Annotated[float, Field(ge=1, le=1e6)] | None = None
    """Requests in flight or in the batch, over all replicas; static and closed loads need it."""
    offered_req_per_s: Positive | None = None
    """Arrivals a second over all replicas; open loads need it."""
    arrival_cv: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Standard deviation over mean of the gaps between arrivals; 1: Poisson."""
    prompts: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Requests of the whole run; blank where it is endless or not stated (an open load: 1,000; a closed one: ten for each in
    flight). Of a closed load with prefill_replicas its end counts in the rate."""
    sequence_limit: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Sequences that a replica was told to decode together at most; blank: the engine's default, or all of a static batch, as
    of a closed load on llama.cpp and Ollama, whose slots are set for it."""
    stream_interval: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Tokens of an answer that the server was told to send at a time (stream_interval of TensorRT-LLM and SGLang)."""
    held_to_slo: Flag = False
    """True where a saturated load is the most that keeps an SLO (MLPerf Server and Interactive)."""
    slo_ttft_ms: Positive | None = None
    """The SLO's limit of TTFT, ms; blank: that of MLPerf's Llama-2-70B, 2,000."""
    slo_tpot_ms: Positive | None = None
    """The SLO's limit of TPOT, ms; blank: that of MLPerf's Llama-2-70B, 200."""
    adapters: Annotated[int, Field(ge=0)] = 0
    """Unmerged LoRA adapters that share the batch."""
    req_per_s: Positive | None = None
    """Completed requests a second of the whole system."""
    output_tok_per_s: Positive | None = None
    """Output tokens a second of the whole system."""
    total_tok_per_s: Positive | None = None
    """Prompt and output tokens a second of the whole system."""
    ttft_ms: Positive | None = None
    """Time to the first token, ms."""
    ttft_stat: Literal["mean", "median"] | None = None
    """Statistic of ttft_ms: percentiles are not predicted."""
    tpot_ms: Positive | None = None
    """Time per output token, ms."""
    tpot_stat: Literal["mean", "median"] | None = None
    """Statistic of tpot_ms: percentiles are not predicted."""
    tpot_kind: TpotKind = "between-tokens"
    """What tpot_ms counts: between-tokens ((end - first token) / (output - 1)), over-all-tokens ((end - first token) / output,
    as GuideLLM counts it), end-to-end ((end - arrival) / output)."""
    implausible: Flag = False
    """True where the figures cannot be those of the stated hardware: the row stands apart from all errors."""
    assumed: Annotated[tuple[Literal[
        "gpu", "model", "design", "weight_dtype", "kv_dtype", "replicas", "tp", "lengths", "concurrency", "load",
    ], ...], Several] = ()
    """Columns, joined by "+", whose cell is not what the source says but what stands in for it (lengths: isl and osl): each
    widens the interval."""


class ServingTable(NamedTuple):
    """What a table holds."""

    runs: tuple[ServingRun, ...]
    """Rows that became a run."""
    skipped: tuple[SkippedRow, ...]
    labels: tuple[ServingLabel, ...]
    """What every row states, the skipped ones included."""


def serving_table(table: CsvTable, *, own: bool = False) -> ServingTable:
    """The runs of a table, in its order; a row with a cell that is not canonical is skipped, with what is allowed.

    Of a table of one's `own` a row above the roofline, or against itself, is skipped too, with the figure and the limit.
    Published rows that are a little above it stay, so that nobody judges predictions on the rows that suit them; those far
    above stand apart.
    """
    found = read_rows(ServingRow, table, _possible_run if own else serving_run)
    figures = (*RATES, "ttft_ms", "tpot_ms")
    if not any(name in table.columns for name in figures):
        raise InputError(f"TABLE: {table.path} has nothing to compare; one of the columns {', '.join(figures)} is needed")
    return ServingTable(
        runs=tuple(each for each in found.values() if isinstance(each, ServingRun)),
        skipped=tuple(each for each in found.values() if isinstance(each, SkippedRow)),
        labels=tuple(_label(row, found[row.id]) for row in table.rows))


def _label(row: TextRow, found: ServingRun | SkippedRow) -> ServingLabel:
    cells = row.cells
    stated = {name for name, columns in (("throughput", RATES), ("ttft", ("ttft_ms",)), ("tpot", ("tpot_ms",)))
              if any(column in cells for column in columns)}
    engine, design = cells.get("engine", "unstated"), cells.get("design", "recent")
    ran = found if isinstance(found, ServingRun) else None
    return ServingLabel(
        id=row.id, source=cells.get("source", "own"), quantities=frozenset(stated),
        engine=ran.engine if ran else _family(engine, design),
        gpu=card_called(cells.get("gpu", "unstated")),
        model=ran.system.shape.id if ran else cells.get("model", "unstated"),
        implausible=bool(ran.implausible) if ran else cells.get("implausible") == "true")


def _family(engine: str, design: str) -> str:
    """The engine's group of one design: vllm, vllm-2024, vllm-rocm-2024, ..."""
    return engine if design == "recent" else f"{engine}-{design}"


def serving_run(row: ServingRow) -> ServingRun:
    """The row as a run; UnusableCell where a figure, a size of the load, or room for the weights is missing."""
    needed = {"static": "concurrency", "closed": "concurrency", "open": "offered_req_per_s"}.get(row.load)
    if needed is not None and getattr(row, needed) is None:
        raise UnusableCell(needed, f"blank, and load {row.load} needs it")
    if all(getattr(row, name) is None for name in (*RATES, "ttft_ms", "tpot_ms")):
        raise UnusableCell("req_per_s", "no figure to compare: no throughput, no TTFT, no TPOT")
    if row.prefill_replicas >= row.replicas:
        raise UnusableCell("prefill_replicas", f"less than the {row.replicas:g} replicas, of which some must decode")
    if row.cached_isl >= row.isl:
        raise UnusableCell("cached_isl", f"less than isl, {row.isl:g}: the last token of a prompt is always computed")
    if row.tpot_ms is not None and row.osl <= 1.0 and row.tpot_kind != "end-to-end":
        raise UnusableCell("tpot_ms", "answers of one token (osl) have no time between tokens")
    shape, gpu = find_model(row.model), find_gpu(row.gpu)
    if gpu.apple:
        _check_mac(row)
    stages, tp = (row.pp * row.tp, 1) if row.engine in IN_TURN else (row.pp, row.tp)
    even = row.engine not in IN_TURN and not row.attention_parallel
    if even and (odd := [a.heads for a in shape.attention if a.heads % row.tp]):
        raise UnusableCell("tp", f"a divisor of the {odd[0]} attention heads, which engines share out evenly; layers that lie"
                           " one after the other are pp")
    recent = row.design in (None, "recent")
    told = ("static", "closed") if row.engine in OF_GGUF else ("static",)  # slots are set for so many
    weight = stored_as(shape, row.weight_dtype or "bf16")
    each = weight_bytes(shape, weight) / row.tp / row.pp
    if each > gpu.memory_bytes:
        raise UnusableCell("tp", f"{weight} weights of {each / GIB:,.0f} GiB a GPU are more"
                           f" than one {gpu.id} holds")
    kv = row.kv_dtype or ("fp8" if weight in ("fp8", "nvfp4") and (recent or row.engine == "tensorrt-llm") else "bf16")
    slo = None
    if row.held_to_slo:
        slo = Slo(SLO.ttft_p95_s if row.slo_ttft_ms is None else row.slo_ttft_ms / 1e3,
                  SLO.tpot_p95_s if row.slo_tpot_ms is None else row.slo_tpot_ms / 1e3)
    run = ServingRun(
        id=row.id, source=row.source,
        system=ServingSystem(
            shape=shape, gpu=gpu, replicas=row.replicas, tensor_parallel=tp, weight_dtype=weight, kv_dtype=kv,
            sequence_limit=row.sequence_limit or (
                max(row.concurrency or 1.0, SEQUENCE_LIMIT) * stages if row.load in told else None),
            prefill_replicas=row.prefill_replicas, stages=stages,
            attention_parallel=row.attention_parallel, stream_interval=row.stream_interval),
        load=ServingLoad(
            kind=row.load, input_tokens=row.isl, output_tokens=row.osl, cached_tokens=row.cached_isl, length_cv=row.length_cv,
            concurrency=row.concurrency if row.load in ("static", "closed") else None,
            requests_per_s=row.offered_req_per_s if row.load == "open" else None, arrival_cv=row.arrival_cv,
            prompts=row.prompts or (DEFAULT_PROMPTS if row.load == "open" else None),
            slo=slo, adapters=row.adapters),
        engine=engine_on(gpu, _family(row.engine, row.design or "recent")), recent=recent,
        requests_per_s=row.req_per_s, output_tokens_per_s=row.output_tok_per_s, total_tokens_per_s=row.total_tok_per_s,
        ttft_s=None if row.ttft_ms is None else row.ttft_ms / 1e3, tpot_s=None if row.tpot_ms is None else row.tpot_ms / 1e3,
        tpot_kind=row.tpot_kind, assumed=_assumed(row, shape, weight, kv))
    return replace(run, implausible="marked implausible" if row.implausible else impossible(run))


def _check_mac(row: ServingRow) -> None:
    """Raise where an engine, or more than one GPU a replica, is not estimated on Apple's GPUs."""
    if row.engine not in OF_GGUF:
        raise UnusableCell("engine", f"not estimated on Apple's GPUs; {' and '.join(OF_GGUF)} are")
    for column in ("tp", "pp"):
        if getattr(row, column) > 1.0:
            raise UnusableCell(column, "1 on Apple's GPUs: a model spread over several Macs is not estimated")


def _possible_run(row: ServingRow) -> ServingRun:
    """The row as a run; UnusableCell too where no engine reaches its figure, or its figures contradict each other."""
    run = serving_run(row)
    if (above := above_roofline(run)) is not None:
        raise UnusableCell(above.column, above.told)
    if (odd := contradiction(run)) is not None:
        raise UnusableCell(*odd)
    return run


def _assumed(row: ServingRow, shape: ModelShape, weight: str, kv: str) -> tuple[tuple[str, float], ...]:
    """What stands in for what the source does not say, with the factor by which the speed may be off."""
    values = {"design": row.design or "recent", "weight_dtype": weight, "kv_dtype": kv}
    blank = [name for name in values if getattr(row, name) is None]
    found = []
    for name in dict.fromkeys((*row.assumed, *blank)):
        factor = ONE_BATCH_TP if name == "tp" and row.load == "static" else FACTORS[name]
        value = values.get(name, getattr(row, name, ""))
        found.append((f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}".strip(), factor))
    if weight == "int4":
        grouped = shape.mixture
        found.append(("4-bit experts", INT4_EXPERTS_FACTOR) if grouped else ("4-bit kernels", INT4_FACTOR))
    return tuple(found)
