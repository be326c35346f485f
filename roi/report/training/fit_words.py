"""The words of `roi fit`: what a method trains, what a run takes on a card, its room, and what its speed rests on."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from roi.answers.fit import FitReport, GpuLine
from roi.estimate.fitting.distance import UNCOUNTED
from roi.estimate.step.calibration import Evidence
from roi.estimate.training.memory import MemoryBreakdown
from roi.estimate.training.peft_methods import TUNERS
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.targets import ENDS
from roi.evidence.training_speed import PACED_ROWS, pieces_told
from roi.report.layout.wording import figure, from_to, number_of, percent, rate_usd
from roi.units import GIB, dollars

TRAINS: Final = {
    "full": "every weight", "lora": "low-rank adapters", "rslora": "low-rank adapters, scaled by the root of their rank",
    "dora": "low-rank adapters and a magnitude an output", "qlora": "low-rank adapters",
    "qdora": "low-rank adapters and a magnitude an output", "lora-int8": "low-rank adapters",
    "path": "a narrow path beside each target", "weight": "a change of each target's weight that is made whole",
    "scale": "a scale of each target", "adaption_prompt": "a prompt in the last attentions", "ln_tuning": "the norms",
    "p_tuning": "an encoder of virtual tokens", "prefix_tuning": "keys and values before those of every layer",
    "prompt_tuning": "virtual tokens before the text", "trainable_tokens": "rows of the embedding",
    "llama_adapter": "a prompt in every attention from the third layer on",
    "llama_adapter_v2": "a prompt in every attention from the third layer on, a scale and a bias of every product, norms",
    "houlsby": "a bottleneck behind every MLP", "llamapro": "copies of layers, spread over the stack",
    "lisa": "some layers at a time, embedding, head and last norm",
    "osf": "the r least singular directions of each target (peft's rank_pattern is how many it keeps: the smaller side less r)",
    "oft": "rotations of each target's inputs, in r blocks, fewer parameters the more blocks (peft's own are 32 wide)",
    "c3a": "circular convolutions beside each target, fewer parameters the larger block_size (peft's own is 256)",
}
"""Method, or the family of a tuner with targets -> what it trains."""


def method_words(plan: TrainingPlan) -> str:
    """The method of training, with the rank and the targets of its adapters (qlora r16, all), or a tuner's size."""
    targets = plan.targets if isinstance(plan.targets, str) else ",".join(plan.targets)
    targets += f",{','.join(ENDS)}" * plan.ends
    size = f" r{plan.rank:g}"
    if plan.tuner is not None and plan.tuner.size not in ("r", "rank_pattern"):
        size = f" {plan.tuner.size} {plan.rank:g}" if plan.tuner.size else ""
    return plan.method + (size if plan.method != "full" or plan.projected else "") + (f", {targets}" if plan.targeted else "")


def trained_words(plan: TrainingPlan, memory: MemoryBreakdown) -> str:
    """What the plan trains, the type of the base where it is frozen, and what its cast to fp32 adds, or why there is none."""
    named = plan.method in TRAINS or plan.tuner is None
    trained = TRAINS[plan.method if named else plan.tuner.family]  # type: ignore[union-attr]  # by the line above
    package = "" if plan.tuner is None or plan.tuner.package == "peft" else f" ({plan.tuner.package}'s {plan.method})"
    if not plan.adapter:
        return trained + package
    base = f"GPTQ of {plan.gptq} bits" if plan.gptq else "NF4" if plan.quantised else "int8" if plan.int8 else plan.dtype
    added = float(memory.preparation_bytes) / GIB
    rest = f", what is not quantised cast to fp32: {added:,.1f} GiB more" if added else ""
    if plan.shards_parameters and replace(plan, gpus=1, sharding="none", offload=False).prepared:
        rest = f", what is not quantised in {plan.dtype}, not cast to fp32: {plan.sharding} gathers one dtype"
    trained += ", embedding and head whole" * plan.ends
    return f"{trained}{package}; base in {base}{rest}"


MAYBE = "maybe: fits only as torch gives back the cache that it would keep on a larger card"


def run_words(report: FitReport, line: GpuLine) -> str:
    """What a run takes and costs: hours and USD, or without a training set USD a million tokens."""
    gpus, links = report.plan.gpus, " over PCIe" if line.fit.gpu.pcie else ""
    took = f"{line.tokens_per_s:,.0f} tokens a second" if line.hours is None else (
        f"A run takes {three(line.hours[0])} hours"
        + (f" on {gpus} GPUs{links}, {three(gpus * line.hours[0])} GPU-hours" if gpus > 1 else ""))
    if line.offer is None:
        return f"{took}; no offer is known"
    cost = f"{dollars(line.usd_per_mtok or 0.0, 3)} a million tokens" if line.usd is None else f"${line.usd[0]:,.2f}"
    paid = "" if line.paid_gpus == 1 else f"{line.paid_gpus} x "
    return f"{took}, {cost} ({line.offer.vendor}, {paid}${rate_usd(line.offer.usd_per_gpu_hour)} a GPU-hour)"


def room_words(line: GpuLine) -> str:
    """The peak of the process and the room of the card, GiB, to the digit that tells them apart where the plan does not fit."""
    fit = line.fit
    peak, room = float(fit.memory.process_bytes) / GIB, fit.gpu.memory_bytes / GIB
    if fit.squeezed:
        return f"Needs {fit.needed_bytes / GIB:,.1f} of {room:,.1f} GiB, and fills it"
    places = next(n for n in range(1, 10) if n == 9 or fit.fits or f"{peak:.{n}f}" != f"{room:.{n}f}")
    return f"Peak {peak:,.{places}f} of {room:,.{places}f} GiB"


def way_words(report: FitReport, line: GpuLine) -> str:
    """What is largest where a plan does not fit, and the nearest plan that does, with what the card lacks for it.

    The nearest to one that every GPU holds whole is the same plan split over them.
    """
    fit, lacks, split = line.fit, f"; {line.note}" if line.note else "", report.sharded
    found = () if split is None else [each for each in split.usable if each.fit.gpu == fit.gpu]
    if split is not None and found:
        run = run_words(split, found[0])
        return (f"mostly {fit.binds}; with --sharding {split.plan.sharding} it fits ({room_words(found[0])[5:]}"
                f"{', tight' * found[0].fit.tight}): {run[0].lower()}{run[1:]}")
    other = fit.nearest
    lacks = ", tight" * other.tight + lacks
    if other.name:
        way = f"fits: {other.name} ({other.process_bytes / GIB:.1f} GiB{lacks})"
    else:
        way = "no smaller plan fits" + f", not even {other.least} ({other.least_bytes / GIB:,.1f} GiB)" * bool(other.least)
    return f"mostly {fit.binds}; {way}"


def run_cells(line: GpuLine) -> tuple[str, ...]:
    """Cells of a table: hours, their interval and USD; without a training set tokens/s, their interval and USD/Mtok."""
    if line.hours is None:
        (slow, fast), per_mtok = (f"{x:,.0f}" for x in line.tokens_per_s_range), line.usd_per_mtok
        return f"{line.tokens_per_s:,.0f}", from_to(slow, fast, "-"), "-" if per_mtok is None else f"{per_mtok:.3g}"
    usd = "-" if line.usd is None else f"{line.usd[0]:,.2f}"
    return three(line.hours[0]), from_to(short(line.hours[1]), short(line.hours[2]), "-"), usd


def fits_word(line: GpuLine) -> str:
    """Whether the plan fits: in every case, not at the 95th percentile, or only as torch gives back its cache."""
    return "maybe" if line.fit.squeezed else "tight" if line.fit.tight else "yes"


def three(hours: float) -> str:
    """Hours with three digits or more, so that USD can be worked out again."""
    if 0.0 < hours < 0.001:
        return "<0.001"
    places = 0 if hours >= 100.0 else 1 if hours >= 10.0 else 2 if hours >= 1.0 else 3
    return f"{hours:,.{places}f}"


def short(hours: float) -> str:
    """Hours with as few digits as the ends of an interval need."""
    if 0.0 < hours < 0.005:
        return "<0.01"
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.1f}" if hours >= 1 else f"{hours:.2f}"


LEAST_LINKED: Final = 0.02
"""Share of the time in collectives from which on it is told."""
SERVER_GPUS: Final = 8
"""GPUs of a server."""
RACKS: Final = ("GB200", "GB300")
"""Cards that one NVLink joins in a rack, RACK_GPUS of them."""
RACK_GPUS: Final = 72
ETHERNET_BYTES_PER_S: Final = 12.5e9
"""100 Gbit/s. A ring over all cards leaves and enters each server once: that takes what one card sends of its network."""
_SPEED_WORDS = {
    "profile": "runs measured here", "device": "a dry run's operators over rates measured here",
    "mixture": "runs of dense models, none published is of a mixture",
    "gpu": "runs published for the card", "layout": "runs on other cards", "all": "runs on other cards",
}
"""The words for each level of evidence that a speed may rest on."""


def formula_words(report: FitReport) -> str:
    """What the formula of memory is held to; of a family whose layers keep more or less than it counts, that."""
    if report.model.family in UNCOUNTED:
        return f"formula, which does not count all that layers of {report.model.family} keep, not held to dry runs"
    checked = report.plan.runs_dry and not report.plan.split_experts
    return "formula, held to dry runs" if checked else "formula"


def speed_words(level: str, method: str) -> str:
    """The words for the evidence behind the method's speed; for a tuner, how many of the rows behind its pace are its own."""
    if level != "tuner":
        return _SPEED_WORDS[level]
    if (package := TUNERS[method].package) != "peft":
        return f"LoRA's, at the pace of peft's tuners without targets ({method} is {package}'s)"
    own = number_of(PACED_ROWS.get(method, 0), "row")
    return f"LoRA's, at the pace of tuners of its kind in peft's method comparison, {own} of {method} among them"


def count_words(found: Evidence) -> str:
    """How many runs the speed rests on, of LoRA where a tuner's follows from it: n = 2."""
    return f"{'LoRA: ' * (found.level == 'tuner')}n = {found.n}"


def speed_sources(report: FitReport) -> str:
    """What tokens/s and hours rest on, cards of the same evidence together, and the ceiling of MFU that a profile shows."""
    cards: dict[tuple[str, str], list[str]] = {}
    for line in [line for line in report.lines if line.fit.fits] or report.lines:
        found = line.evidence
        sources = f", {', '.join(found.sources[:2])}" if found.level in {"profile", "device", "gpu"} else ""
        words = f"{speed_words(found.level, report.plan.method)}{sources} ({count_words(found)})"
        told = ": ".join(filter(None, (words, pieces_told(found))))
        if line.ceiling is not None:
            told += f"; MFU at most {100.0 * line.ceiling[0]:.0f}%, by the best product of {line.ceiling[1]}"
        cards.setdefault((told, found.level), []).append(line.fit.gpu.id)
    return "; ".join(f"{', '.join(names) if len(cards) > 1 else 'all'}: {told}" for (told, _), names in cards.items())


def link_words(gpus: int, line: GpuLine) -> Iterable[str]:
    """How much of the time cards wait for PCIe or other servers, at which rate, and what a slower one would make of it."""
    pcie, apart = line.fit.gpu.pcie, gpus > (RACK_GPUS if line.fit.gpu.id.startswith(RACKS) else SERVER_GPUS)
    if line.link_bytes_per_s is None or not (pcie or apart) or line.link_share < LEAST_LINKED:
        return
    slowed = max(line.link_bytes_per_s / ETHERNET_BYTES_PER_S, 1.0) if apart else 2.0
    longer, rate = 1.0 + line.link_share * (slowed - 1.0), f"{line.link_bytes_per_s / 1e9:.0f} GB/s from each card"
    slow = f"{line.tokens_per_s / longer:,.0f} tokens a second" if line.hours is None else (
        f"{figure(line.hours[0] * longer)} hours")
    told = f"Link: {percent(line.link_share)} of the time is collectives{' over PCIe' * pcie}, none hidden, {rate}"
    measured = bool(line.evidence.efficiency.links)
    slower = f", taken between servers too; with 100 Gbit/s a server: {slow}" if apart else (
        "" if gpus == 2 else f", as two reach; at half of it, as {gpus} may without peer-to-peer: {slow}")
    yield f"{told}{', as measured' if measured else slower}"
