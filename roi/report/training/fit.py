"""How `roi fit` is told: on a terminal, as Markdown or as JSON. The answer comes first, everything else with `--full`."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from math import ceil

from roi.answers.fit import FP16, FitReport, GpuLine
from roi.errors import first_of
from roi.estimate.fitting.gpu_fit import GpuFit, apart_told, doubt_told
from roi.estimate.step.optimizer_time import paging_s
from roi.estimate.training.memory import PHASES
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.setting import STACKED_BEFORE
from roi.estimate.training.sharding import HOST_BYTES_PER_S, HOST_MEMORY_BYTES_PER_S, host_bytes
from roi.estimate.training.stacks import trainer_habits
from roi.estimate.training.targets import trains_experts
from roi.evidence.training_speed import LARGEST_JOB
from roi.report.layout.blocks import Block, Gap, Notes, Paragraph, Row, Table, Title
from roi.report.layout.wording import from_to, number_of, old_prices, rate_usd
from roi.report.training.fit_details import detail_blocks
from roi.report.training.fit_words import (
    MAYBE,
    count_words,
    fits_word,
    formula_words,
    link_words,
    method_words,
    room_words,
    run_cells,
    run_words,
    short,
    speed_words,
    trained_words,
    way_words,
)
from roi.units import GIB

SCHEMA = "roi.fit/1"
TRAINER_WORDS = {"plain": "plain loop", "hf": "HF Trainer", "trl": "TRL SFTTrainer"}
SHOWN = 5
"""Cards of the short answer at most."""
NAMED = 3
"""Cards without room that the short answer names."""


def fit_blocks(report: FitReport, *, full: bool) -> Iterable[Block]:
    """The parts of the report: the card to rent; with `full` behind that all else that is known."""
    yield from _lead(report, full=full)
    if full:
        yield from (Gap(), *detail_blocks(report))


def _lead(report: FitReport, *, full: bool) -> Iterable[Block]:
    """The cheapest card that fits, how sure that is, the cards next to it, and what did not fit."""
    best = report.recommended
    title, *plan = _title(report)
    yield title
    yield Paragraph(_answer(report, best), strong=True)
    sure = [] if best is None else [_how_sure(report, best), *link_words(report.plan.gpus, best)]
    shown = report.usable[:SHOWN]
    if best is not None and best not in shown:
        shown = (*shown[:-1], best)
    if best is not None and (tight := [x.fit.gpu.id for x in report.usable[: report.usable.index(best)]]):
        sure.append(f"Cheaper, but tight (not at the 95th percentile): {', '.join(tight)}")
    elif best is not None and not best.fit.tight and any(x.fit.tight for x in shown):
        sure.append("tight: fits, but not at the 95th percentile")
    if any(x.fit.squeezed for x in shown if x is not best):
        sure.append(MAYBE)
    yield Notes((*(sure or [_need(report)]), *_lead_remarks(report, shown)))
    yield from (Gap(), *plan)
    if best is not None and len(shown) > 1:
        yield from (Gap(), _cards(shown, best))
    if pointers := tuple(_pointers(report, full=full)):
        yield from (Gap(), Notes(pointers))


def _answer(report: FitReport, best: GpuLine | None) -> str:
    """Which card to rent for what; or with one card asked for, whether the plan fits on it; or why it fits on none."""
    alone = len(report.lines) == 1
    if best is None:
        largest = max(report.lines, key=lambda line: line.fit.gpu.memory_bytes)
        if largest.fit.fits:
            return f"{'Not usable' if alone else 'No card is usable'}: {largest.fit.gpu.id}: {largest.note}."
        card = f"{largest.fit.gpu.id}{'' if alone else ', the largest card'}"
        return f"Fits: no. {room_words(largest)} on {card}; {way_words(report, largest)}."
    fit = best.fit
    able = "may fit" if fit.squeezed else "fits"
    least = "Cheapest" if best.offer else "Smallest"
    rank = f"Fits: {'maybe' if fit.squeezed else 'yes'}," if alone else f"{least} card that {able}:"
    return f"{rank} {', '.join(filter(None, (fit.gpu.id, doubt_told(fit))))}. {run_words(report, best)}. {room_words(best)}."


def _how_sure(report: FitReport, best: GpuLine) -> str:
    """The intervals of memory, hours and USD, and what they rest on."""
    fit = best.fit
    beyond = fit.high_bytes > fit.gpu.memory_bytes >= fit.needed_high_bytes
    rest = f" (of that the allocator gives back what is beyond {fit.needed_high_bytes / GIB:,.1f})" * beyond
    low, high = (f"{x / GIB:,.1f}" for x in (fit.low_bytes, fit.high_bytes))
    spans = [f"{'needs ' * fit.squeezed}{from_to(low, high, '-')} GiB{rest}"]
    if best.hours is None:
        slow, fast = (f"{x:,.0f}" for x in best.tokens_per_s_range)
        spans.append(f"{from_to(slow, fast, '-')} tokens a second")
    else:
        spans.append(f"{from_to(short(best.hours[1]), short(best.hours[2]), '-')} hours")
    if best.usd is not None:
        spans.append(f"${from_to(f'{best.usd[1]:,.2f}', f'{best.usd[2]:,.2f}', '-')}")
    known, memory = best.evidence.record, _memory_words(report, fit)
    what = "rows of tuners" if best.evidence.level == "tuner" else "rows"
    held = "" if known is None else f"; {known[1]:.0f} of 100 {what} left out lay inside such an interval"
    near = sum(best.cost[0] < x.cost[0] and x.cost[1] < best.cost[2] for x in report.usable)
    rivals = f" Ranges overlap: a run may cost less on {number_of(near, 'other card')}." if near else ""
    speed = speed_words(best.evidence.level, report.plan.method)
    return (f"How sure (5-95%): {', '.join(spans)}. Memory: {memory}. Speed: {speed}"
            f" ({count_words(best.evidence)}{held}).{rivals}")


def _need(report: FitReport) -> str:
    """The least that a card must have where the plan runs on none, its interval, and what it rests on."""
    fit = min((line.fit for line in report.lines), key=lambda fit: fit.needed_bytes)
    each = " of each GPU" * (report.plan.gpus > 1)
    return (f"How sure (5-95%): needs {fit.needed_bytes / GIB:,.1f} GiB{each} at the least, {fit.low_bytes / GIB:,.1f}-"
            f"{fit.needed_high_bytes / GIB:,.1f}. Memory: {_memory_words(report, fit)}. No speed: none of the cards runs it.")


def _memory_words(report: FitReport, fit: GpuFit) -> str:
    """What the memory on a card rests on."""
    between = ", between two sizes" * (report.dry is not None and report.dry_run is None)
    return f"dry run of this step{between}" if fit.run_dry else formula_words(report)


def _lead_remarks(report: FitReport, shown: Iterable[GpuLine]) -> Iterable[str]:
    """What changes the answer: no room, no number format, old prices of the cards shown, an architecture read in part."""
    without = sorted((x for x in report.lines if not x.fit.fits), key=lambda x: (x.offer is None, -x.fit.gpu.memory_bytes))
    if without and len(report.lines) > 1:
        names = ", ".join(x.fit.gpu.id for x in without[:NAMED])
        more = f" and {len(without) - NAMED} more" if len(without) > NAMED else ""
        way = f". {without[0].fit.gpu.id}: {way_words(report, without[0])}" if len(without) < len(report.lines) else ""
        yield f"Does not fit: {names}{more}{way}"
    for note in dict.fromkeys(x.note for x in report.lines if x.note and x.fit.fits and len(report.lines) > 1):
        noted = sorted((x for x in report.lines if x.note == note and x.fit.fits), key=lambda x: x.offer is None)
        yield f"{first_of([x.fit.gpu.id for x in noted], NAMED)}: {note}"
    whole = [f"{x.fit.gpu.id} ({x.paid_gpus} for {report.plan.gpus})" for x in shown
             if x.paid_gpus not in (None, report.plan.gpus)]
    if whole:
        yield f"Whole instances are rented, and all their GPUs are in the USD: {', '.join(whole)}"
    if told := apart_told((report.recommended or report.lines[0]).fit):
        yield told[0].upper() + told[1:]
    ages = {x.fit.gpu.id: (report.as_of - x.offer.date).days for x in shown if x.offer and report.as_of}
    yield from old_prices(ages)
    yield from _model_remarks(report)


def _cards(shown: Iterable[GpuLine], best: GpuLine) -> Table:
    """The cheapest cards that fit, the one of the answer among them."""
    timed = best.hours is not None
    run_heads = ("hours", "5-95%", "USD") if timed else ("tokens/s", "USD/Mtok")
    rows = []
    for line in shown:
        fit, peak = line.fit, float(line.fit.memory.process_bytes)
        run = run_cells(line) if timed else run_cells(line)[::2]
        cells = (fit.gpu.id, fits_word(line), "-" if line.offer is None else rate_usd(line.offer.usd_per_gpu_hour), *run,
                 f"{peak / GIB:,.1f}", f"{(fit.gpu.memory_bytes - peak) / GIB:,.1f}")
        rows.append(Row(cells, strong=line is best))
    return Table(("GPU", "fits", "USD/GPU-h", *run_heads, "peak GiB", "free"), tuple(rows), align="ll")


def _pointers(report: FitReport, *, full: bool) -> Iterable[str]:
    """What else can be asked, and with `full` is told already."""
    if report.training_set is None:
        yield "--examples N (--epochs, --tokens-per-example): hours and USD of a run"
    elif report.usable:
        yield "USD: one successful run on demand (roi compare takes spot too); failed runs, evaluation, idle time are not in it"
    if report.plan.gpus == 1 and not any(x.fit.fits for x in report.lines):
        fp16 = " --dtype fp16" * all(FP16 in x.note for x in report.lines)
        yield f"--gpus 8 --sharding fsdp{fp16}: the plan split over several GPUs"
    if full:
        return
    more = len(report.usable) - SHOWN
    cards = f"{more} more cards, " if more > 0 else ""
    timeline = "" if report.dry_run is None else ", tensors at the peak and its timeline"
    yield f"--full: {cards}memory by part{timeline}, largest batch and length, sources"


def _title(report: FitReport) -> tuple[Block, ...]:
    plan = report.plan
    second = (f"micro-batch {plan.micro_batch:g}, {plan.seq:,.0f} tokens, {plan.dtype}, {plan.attention}, {plan.optimizer},"
              f" {'' if plan.checkpointing else 'no '}checkpointing, {TRAINER_WORDS[plan.trainer]}")
    third = f"{report.trained_parameters:,.0f} trained parameters: {trained_words(plan, report.lines[0].fit.memory)}"
    if plan.gpus > 1:
        third += f"; {plan.gpus} GPUs, {'data parallel' if plan.sharding == 'none' else plan.sharding}"
    if report.training_set:
        data = report.training_set
        third += f"; {number_of(round(data.examples), 'example')} x {number_of(round(data.tokens_per_example), 'token')} x"
        third += f" {number_of(data.epochs, 'epoch')}"
        if plan.packed:
            third += f", in {number_of(ceil(data.examples * data.tokens_per_example / plan.seq), 'full row')} an epoch"
    return (Title(f"{report.model.id}: {method_words(plan)}"), Paragraph(", ".join([second, *_unusual(plan)])),
            Paragraph(third))


def _unusual(plan: TrainingPlan) -> list[str]:
    """The options that change memory or time, where they are not the command's own defaults."""
    habits = trainer_habits(plan.trainer, plan.dtype)
    told = (
        (plan.kernels != "none", f"{plan.kernels} kernels"), (plan.loss != "fp32", f"{plan.loss} loss"),
        (plan.checkpoints != "inputs", f"{plan.checkpoints} checkpoints"), (plan.stack != "transformers", plan.stack),
        (plan.split_experts, "experts apart"),
        (bool(plan.packed), "packed"),
        (plan.adapter and bool(plan.dropout), f"dropout {plan.dropout:g}"),
        (plan.quantised and not plan.double_quant, "single quantisation"),
        (plan.accumulation > 1, f"{plan.accumulation} micro-steps a step"),
        (plan.logits_kept != habits.logits_kept, "logits kept" if plan.logits_kept else "logits let go"),
        (plan.autocast != habits.autocast, "autocast" if plan.autocast else "no autocast"),
    )
    return [words for said, words in told if said]


def _host_remarks(report: FitReport) -> Iterable[str]:
    """Which rates of the host the speed rests on."""
    own, link = HOST_MEMORY_BYTES_PER_S / 1e9, HOST_BYTES_PER_S / 1e9
    if report.plan.offload:
        held = float(host_bytes(report.model, report.plan))
        yield (f"Offload: at least {held / GIB:,.0f} GiB of the host's memory, all GPUs together. Its speed is assumed,"
               f" {own:.0f} GB/s and {link:.0f} to each GPU; the interval takes half and twice of it")
    elif any(paging_s(report.model, report.plan, line.fit.gpu) > 0.0 for line in report.usable):
        yield (f"Paged moments: what has no room on a card crosses its link to the host at {link:.0f} GB/s, assumed; the"
               " interval takes half and twice of it")


def _model_remarks(report: FitReport) -> Iterable[str]:
    """What the speed does not count, and what the catalog's shape of the model does not say."""
    if report.plan.gpus > LARGEST_JOB:
        yield f"Speed beyond {LARGEST_JOB} GPUs rests on no run: the network between them is taken to keep its pace"
    if report.plan.checkpoints == "offloaded" and report.usable:
        yield "Speed, hours and USD do not count the copies of offloaded checkpoints to the host and back (a longer step)"
    yield from _host_remarks(report)
    if report.plan.optimizer.startswith("galore") and report.usable:
        yield ("Speed, hours and USD do not count GaLore's projections and singular values: ms-swift measured 0.77 of full"
               " training's speed (Qwen-7B, 16 micro-steps a step, new projections every 50 steps)")
    data, plan = report.training_set, report.plan
    if data is not None and data.tokens_per_example < plan.seq and plan.micro_batch > 1 and not plan.packed:
        yield ("Not counted: rows of a micro-batch are padded to its longest; hours and USD grow as lengths"
               " spread (--packed pads nothing)")
    if report.model.mixture:
        split = plan.split_experts
        carried = trains_experts(report.model, plan.targets) or (split and plan.targets == "all-linear")
        adapters = "" if not plan.adapter else (
            ", and peft gives each of them an adapter (--targets attention leaves them out)"
            if carried else ", and they carry no adapter")
        cast = ", k-bit preparation casts them to fp32" * plan.prepared
        before = f"Experts are modules of their own, as before transformers 5: bitsandbytes quantises each{adapters}"
        yield (before if split else
               f"Experts are 3-D parameters in transformers 5: bitsandbytes leaves them unquantised{cast}{adapters}"
               + "; before they were modules (--split-experts)" * (
                   plan.quantised and report.model.family not in STACKED_BEFORE))
    if report.stored:
        yield report.stored
    if report.unquantised is not None and (less := report.unquantised.recommended) is not None:
        better = "Fits" if report.recommended is None else "Cheaper"
        yield (f"{better} without quantisation: --method {report.unquantised.plan.method}, {less.fit.gpu.id}"
               f"{f', {fits_word(less)}' * less.fit.tight}. {run_words(report.unquantised, less)}. {room_words(less)}")
    if report.model.licence == "unknown":
        yield (f"{report.model.id} ({report.model.family}, {report.model.parameters:,} parameters, as transformers builds them)"
               f" was {report.model.note}{'' if report.dry else '; --dry-run builds the architecture itself'}")


def fit_json(report: FitReport) -> str:
    """The answer as JSON: bytes, hours, USD; null where a figure was not asked for or no offer gives it."""
    memory, dry, best = report.lines[0].fit.memory, report.dry_run, report.recommended
    run = report.dry if report.lines[0].fit.run_dry else None
    usual, split = report.unquantised, report.sharded
    cheaper = None if usual is None else usual.recommended
    return json.dumps({
        "schema": SCHEMA, "model": report.model.id, "parameters": report.model.parameters,
        "model_note": report.model.note or None, "stored": report.stored or None,
        "method": report.plan.method, "plan": asdict(report.plan),
        "training_set": asdict(report.training_set) if report.training_set else None,
        "trained_parameters": report.trained_parameters,
        "memory": {
            **{name: float(x) for name, x in asdict(memory).items() if name not in ("peak_phase", "phase_bytes")},
            "peak_phase": PHASES[int(memory.peak_phase)],
            "phase_bytes": None if run else dict(zip(PHASES, (float(x) for x in memory.phase_bytes), strict=True)),
            "instrument": "closed form" if run is None else "dry run",
            "source": "roi.estimate.training.memory" if run is None else run.source,
        },
        "dry_run": None if dry is None else dry.model_dump(mode="json", by_alias=True, exclude={"operators"}),
        "unquantised": None if usual is None or cheaper is None else {"method": usual.plan.method, **_gpu_json(cheaper)},
        "sharded": None if split is None else {"sharding": split.plan.sharding, "gpus": [*map(_gpu_json, split.usable)]},
        "recommended": None if best is None else best.fit.gpu.id, "gpus": [_gpu_json(line) for line in report.lines],
    }, indent=1, allow_nan=False)


def _gpu_json(line: GpuLine) -> dict[str, object]:
    fit = line.fit
    hours, usd = line.hours or (None, None, None), line.usd or (None, None, None)
    return {
        "gpu": fit.gpu.id, "memory_bytes": fit.gpu.memory_bytes, "fits": fit.fits, "tight": fit.tight,
        "squeezed": fit.squeezed, "chance": fit.chance, "needed_bytes": fit.needed_bytes,
        "needed_high_bytes": fit.needed_high_bytes, "nearest_tight": fit.nearest.tight,
        "peak_bytes": float(fit.memory.process_bytes), "low_bytes": fit.low_bytes, "high_bytes": fit.high_bytes,
        "binds": fit.binds, "nearest": fit.nearest.name or None, "nearest_bytes": fit.nearest.process_bytes or None,
        "largest_micro_batch": fit.largest_micro_batch, "longest_seq_tokens": fit.longest_seq, "limits_run": fit.limits_run,
        "formula_bytes": fit.formula and dict(zip(("central", "low", "high"), fit.formula, strict=True)),
        "tokens_per_s": line.tokens_per_s, "tokens_per_s_low": line.tokens_per_s_range[0],
        "tokens_per_s_high": line.tokens_per_s_range[1], "speed_evidence": line.evidence.level, "speed_runs": line.evidence.n,
        "speed_before": line.evidence.before, "speed_pieces": [asdict(piece) for piece in line.evidence.pieces],
        "speed_sources": line.evidence.sources,
        "speed_left_out": line.evidence.record and dict(zip(("rows", "inside_percent"), line.evidence.record, strict=True)),
        "mfu_ceiling": line.ceiling and dict(zip(("share", "profile"), line.ceiling, strict=True)),
        "link_share": line.link_share, "link_bytes_per_s": line.link_bytes_per_s,
        "hours": hours[0], "hours_low": hours[1], "hours_high": hours[2], "usd": usd[0], "usd_low": usd[1], "usd_high": usd[2],
        "usd_per_mtok": line.usd_per_mtok, "paid_gpus": line.paid_gpus,
        "offer": line.offer.model_dump(mode="json") if line.offer else None, "note": line.note or None,
    }
