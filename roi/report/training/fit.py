"""How `roi fit` is told: on a terminal or as Markdown. The answer comes first, everything else with `--full`."""

from collections.abc import Iterable
from datetime import date as Date
from math import ceil

from roi.answers.fit import FitReport, GpuLine
from roi.errors import first_of
from roi.estimate.fitting.gpu_fit import MICRO_BATCHES
from roi.estimate.training.memory import PHASES
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.sharding import HOST_BYTES_PER_S, HOST_MEMORY_BYTES_PER_S, has_collectives, host_bytes
from roi.estimate.training.stacks import trainer_habits
from roi.estimate.training.targets import trains_experts
from roi.evidence.training_speed import LARGEST_JOB
from roi.facts.fact import STALE_DAYS
from roi.facts.price import RentalOffer
from roi.facts.profiles import DryRunProfile
from roi.report.layout.blocks import Block, Gap, Notes, Paragraph, Row, Table, Title, Verbatim
from roi.report.layout.figures import timeline_rows
from roi.report.layout.wording import number_of, old_prices, rate_usd
from roi.report.training.method_words import method_words, trained_words
from roi.report.training.speed_sources import link_words, speed_sources, speed_words
from roi.units import GIB

TRAINER_WORDS = {"plain": "plain loop", "hf": "HF Trainer", "trl": "TRL SFTTrainer"}
HEADS = ("GPU", "fits", "batch", "longest", "tokens/s", "hours", "5-95%", "USD")
WIDTHS = (15, 5, 5, 9, 8, 7, 13, 10)
SHOWN = 5
"""Cards of the short answer at most."""
MAYBE = "maybe: fits only as torch gives back the cache that it would keep on a larger card"
NAMED = 3
"""Cards without room that the short answer names."""


def fit_blocks(report: FitReport, *, full: bool) -> Iterable[Block]:
    """The parts of the report: the card to rent, or all that is known."""
    return _full(report) if full else _lead(report)


def _lead(report: FitReport) -> Iterable[Block]:
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
    yield Notes((*sure, *_lead_remarks(report, shown)))
    yield from (Gap(), *plan)
    if best is not None and len(shown) > 1:
        yield from (Gap(), _cards(shown, best))
    yield from (Gap(), Notes(tuple(_pointers(report))))


def _answer(report: FitReport, best: GpuLine | None) -> str:
    """Which card to rent for what; or with one card asked for, whether the plan fits on it; or why it fits on none."""
    alone = len(report.lines) == 1
    if best is None:
        largest = max(report.lines, key=lambda line: line.fit.gpu.memory_bytes)
        if largest.fit.fits:
            return f"{'Not usable' if alone else 'No card is usable'}: {largest.fit.gpu.id}: {largest.note}."
        card = f"{largest.fit.gpu.id}{'' if alone else ', the largest card'}"
        return f"Fits: no. {_room(largest)} on {card}; {_way(report, largest)}."
    fit = best.fit
    able = "may fit" if fit.squeezed else "fits"
    least = "Cheapest" if best.offer else "Smallest"
    rank = f"Fits: {'maybe' if fit.squeezed else 'yes'}," if alone else f"{least} card that {able}:"
    tight = "" if not fit.tight else ", tight: not at the 95th percentile" if not fit.squeezed else (
        f", {min(round(10 * fit.chance), 9)} chances in 10: only as torch gives its cache back")
    return f"{rank} {fit.gpu.id}{tight}. {_run(report, best)}. {_room(best)}."


def _run(report: FitReport, line: GpuLine) -> str:
    """What a run takes and costs: hours and USD, or without a training set USD a million tokens."""
    gpus, links = report.plan.gpus, " over PCIe" if line.fit.gpu.pcie else ""
    took = f"{line.tokens_per_s:,.0f} tokens a second" if line.hours is None else (
        f"A run takes {_three(line.hours[0])} hours"
        + (f" on {gpus} GPUs{links}, {_three(gpus * line.hours[0])} GPU-hours" if gpus > 1 else ""))
    if line.offer is None:
        return f"{took}; no offer is known"
    cost = f"${line.usd_per_mtok:.3g} a million tokens" if line.usd is None else f"${line.usd[0]:,.2f}"
    paid = "" if line.paid_gpus == 1 else f"{line.paid_gpus} x "
    return f"{took}, {cost} ({line.offer.vendor}, {paid}${rate_usd(line.offer.usd_per_gpu_hour)} a GPU-hour)"


def _room(line: GpuLine) -> str:
    """The peak of the process and the room of the card, GiB, to the digit that tells them apart where the plan does not fit."""
    fit = line.fit
    peak, room = float(fit.memory.process_bytes) / GIB, fit.gpu.memory_bytes / GIB
    if fit.squeezed:
        return f"Needs {fit.needed_bytes / GIB:,.1f} of {room:,.1f} GiB, and fills it"
    places = next(n for n in range(1, 10) if n == 9 or fit.fits or f"{peak:.{n}f}" != f"{room:.{n}f}")
    return f"Peak {peak:,.{places}f} of {room:,.{places}f} GiB"


def _way(report: FitReport, line: GpuLine) -> str:
    """What is largest where a plan does not fit, and the nearest plan that does, with what the card lacks for it.

    The nearest to one that every GPU holds whole is the same plan split over them.
    """
    fit, lacks, split = line.fit, f"; {line.note}" if line.note else "", report.sharded
    found = () if split is None else [each for each in split.usable if each.fit.gpu == fit.gpu]
    if split is not None and found:
        run = _run(split, found[0])
        return (f"mostly {fit.binds}; with --sharding {split.plan.sharding} it fits ({_room(found[0])[5:]}"
                f"{', tight' * found[0].fit.tight}): {run[0].lower()}{run[1:]}")
    other = fit.nearest
    lacks = ", tight" * other.tight + lacks
    if other.name:
        way = f"fits: {other.name} ({other.process_bytes / GIB:.1f} GiB{lacks})"
    else:
        way = "no smaller plan fits" + f", not even {other.least} ({other.least_bytes / GIB:,.1f} GiB)" * bool(other.least)
    return f"mostly {fit.binds}; {way}"


def _how_sure(report: FitReport, best: GpuLine) -> str:
    """The intervals of memory, hours and USD, and what they rest on."""
    fit = best.fit
    spans = [f"{'needs ' * fit.squeezed}{fit.low_bytes / GIB:,.1f}-{fit.high_bytes / GIB:,.1f} GiB"]
    if best.hours is None:
        spans.append(f"{best.tokens_per_s_range[0]:,.0f}-{best.tokens_per_s_range[1]:,.0f} tokens a second")
    else:
        spans.append(f"{_short(best.hours[1])}-{_short(best.hours[2])} hours")
    if best.usd is not None:
        spans.append(f"${best.usd[1]:,.2f}-{best.usd[2]:,.2f}")
    known = best.evidence.record
    held = "" if known is None else f"; {known[1]:.0f} of 100 rows left out lay inside such an interval"
    formula = "formula, held to dry runs" if report.plan.runs_dry else "formula"
    memory = formula if report.dry is None else "dry run of this step"
    near = sum(best.cost[0] < x.cost[0] and x.cost[1] < best.cost[2] for x in report.usable)
    rivals = f" Ranges overlap: a run may cost less on {number_of(near, 'other card')}." if near else ""
    speed = speed_words(best.evidence.level, report.plan.method)
    return (f"How sure (5-95%): {', '.join(spans)}. Memory: {memory}. Speed: {speed}"
            f" (n = {best.evidence.n}{held}).{rivals}")


def _lead_remarks(report: FitReport, shown: Iterable[GpuLine]) -> Iterable[str]:
    """What changes the answer: no room, no number format, old prices of the cards shown, an architecture read in part."""
    without = sorted((x for x in report.lines if not x.fit.fits), key=lambda x: (x.offer is None, -x.fit.gpu.memory_bytes))
    if without and len(report.lines) > 1:
        names = ", ".join(x.fit.gpu.id for x in without[:NAMED])
        more = f" and {len(without) - NAMED} more" if len(without) > NAMED else ""
        way = f". {without[0].fit.gpu.id}: {_way(report, without[0])}" if len(without) < len(report.lines) else ""
        yield f"Does not fit: {names}{more}{way}"
    for note in dict.fromkeys(x.note for x in report.lines if x.note and x.fit.fits and len(report.lines) > 1):
        noted = sorted((x for x in report.lines if x.note == note and x.fit.fits), key=lambda x: x.offer is None)
        yield f"{first_of([x.fit.gpu.id for x in noted], NAMED)}: {note}"
    whole = [f"{x.fit.gpu.id} ({x.paid_gpus} for {report.plan.gpus})" for x in shown
             if x.paid_gpus not in (None, report.plan.gpus)]
    if whole:
        yield f"Whole instances are rented, and all their GPUs are in the USD: {', '.join(whole)}"
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
        run = _cells(line)[5:] if timed else (
            f"{line.tokens_per_s:,.0f}", "-" if line.usd_per_mtok is None else f"{line.usd_per_mtok:.3g}")
        cells = (fit.gpu.id, _fits(line), "-" if line.offer is None else rate_usd(line.offer.usd_per_gpu_hour), *run,
                 f"{peak / GIB:,.1f}", f"{(fit.gpu.memory_bytes - peak) / GIB:,.1f}")
        rows.append(Row(cells, strong=line is best))
    return Table(("GPU", "fits", "USD/GPU-h", *run_heads, "peak GiB", "free"), tuple(rows), align="ll")


def _pointers(report: FitReport) -> Iterable[str]:
    """What else can be asked."""
    if report.training_set is None:
        yield "--examples N (--epochs, --tokens-per-example): hours and USD of a run"
    elif report.usable:
        yield "USD: one successful run on demand (roi compare takes spot too); failed runs, evaluation, idle time are not in it"
    if report.plan.gpus == 1 and not report.usable:
        yield "--gpus 8 --sharding fsdp: the plan split over several GPUs"
    more = len(report.usable) - SHOWN
    cards = f"{more} more cards, " if more > 0 else ""
    timeline = "" if report.dry_run is None else ", tensors at the peak and its timeline"
    yield f"--full: {cards}memory by part{timeline}, largest batch and length, sources"


def _full(report: FitReport) -> list[Block]:
    """All that is known; with a dry run where its peak lies, and its timeline."""
    dry = report.dry_run
    blocks: list[Block] = [*_title(report), Gap(), _memory_table(report), Gap(), *(() if dry is None else _peak(dry))]
    if rows := tuple(Row(_cells(line)) for line in report.lines if line.fit.fits):
        blocks += (Table(HEADS, rows, align="ll", widths=WIDTHS), Gap())
    return [*blocks, Notes(tuple(_remarks(report)))]


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
        (bool(plan.packed), "packed"),
        (plan.adapter and bool(plan.dropout), f"dropout {plan.dropout:g}"),
        (plan.quantised and not plan.double_quant, "single quantisation"),
        (plan.accumulation > 1, f"{plan.accumulation} micro-steps a step"),
        (plan.logits_kept != habits.logits_kept, "logits kept" if plan.logits_kept else "logits let go"),
        (plan.autocast != habits.autocast, "autocast" if plan.autocast else "no autocast"),
    )
    return [words for said, words in told if said]


def _peak(dry: DryRunProfile) -> Iterable[Block]:
    """Where the peak lies, the largest tensors that the step itself has made by then, and the timeline of its memory."""
    operator = dry.operator.removeprefix("aten.").removesuffix(".default")
    yield Paragraph(f"Peak at {operator} in {dry.module or 'the loss'} ({dry.phase}); largest tensors of the step alive there,"
                    " GiB:")
    rows = tuple(Row((
        f"{size / GIB:.3f}", name.replace("aten.", "").replace(".default", "").replace("base_model.model.", "")[:34],
        (module.replace("base_model.model.", "").replace("base_model.model", "model") or "-")[-32:],
    )) for name, module, size in dry.largest[:6])
    yield Table(("GiB", "operator", "module"), rows, align="rll", widths=(10, 34), bare=True)
    yield from (Gap(), Verbatim(tuple(timeline_rows(dry.timeline_bytes, dry.timeline_phases, dry.timeline_bytes[0]))), Gap())


def _memory_table(report: FitReport) -> Table:
    """The parts alive at the peak, each with what it rests on; they sum to the process's memory."""
    fit = report.lines[0].fit
    m, prepared = fit.memory, float(fit.memory.preparation_bytes)
    own = "f" if report.dry is None else "d"
    slack, spaces = ("c", "cuBLAS workspaces") if report.dry is None else ("r", "workspaces, blocks rounded up")
    gradients = own if not _bucket(report) else "df" if report.dry and report.dry.parts_bytes.get("gradients") else "f"
    weights = f"weights (fp32 preparation {prepared / GIB:.2f} of it)" if prepared else "weights"
    pools, gaps = m.beyond_bytes
    parts = [(name, float(value), mark) for name, value, mark in (
        (weights, m.weights_bytes, own), ("adapters", m.adapters_bytes, own), ("gathered layers", m.gathered_bytes, own),
        ("gradients", m.gradients_bytes, gradients), ("optimizer", m.optimizer_bytes, own),
        ("activations", m.activations_bytes, own), ("logits, loss and their gradients", m.logits_bytes, own),
        (spaces, m.workspaces_bytes, own), ("pools of FSDP's streams", pools, slack), ("allocator slack", gaps, slack),
        ("CUDA context" + ", collectives" * has_collectives(report.plan), m.context_bytes, "c"),
    ) if value > 0]
    wide = max(len(mark) for _, _, mark in parts)
    rows = [Row((f"  {name}", f"{value / GIB:.2f} {mark:{wide}s}", "")) for name, value, mark in parts]
    interval = f"5-95%: {fit.low_bytes / GIB:.2f}-{fit.high_bytes / GIB:.2f}"
    rows.append(Row(("  process", f"{float(m.process_bytes) / GIB:.2f} {'c':{wide}s}", interval)))
    heads = (f"Peak on {fit.gpu.id}, phase: {PHASES[int(m.peak_phase)]}", "GiB" + " " * (wide + 1), "")
    return Table(heads, tuple(rows), align="lrl", widths=(44, 7 + wide))


def _offer(line: GpuLine, offer: RentalOffer, as_of: Date | None) -> str:
    """An offer with every digit of its price, at least two decimals, and with its age where it is stale."""
    days = 0 if as_of is None else (as_of - offer.date).days
    age = f", {days} days old" if days > STALE_DAYS else ""
    each = "" if offer.gpus_per_instance == 1 else f", rented by {offer.gpus_per_instance}"
    return f"{line.fit.gpu.id} {rate_usd(offer.usd_per_gpu_hour)}/h {offer.vendor} ({offer.date}{age}{each})"


def _limits(report: FitReport) -> str:
    """What the largest micro-batch and the longest sequence rest on beside a dry run."""
    if report.dry is None:
        return ""
    fitting = [line.fit for line in report.lines if line.fit.fits] or [line.fit for line in report.lines]
    ran = ", ".join(fit.gpu.id for fit in fitting if fit.limits_run)
    between = ", ".join(fit.gpu.id for fit in fitting if not fit.limits_run)
    if not between:
        return "; each was run dry with the whole model"
    if not ran:
        return ("; interpolated between sizes that were run dry, so not run themselves: --dry-run --gpu NAME runs the limits of"
                " the cards named")
    return f"; run dry with the whole model for {ran}; interpolated for {between} (--dry-run --gpu NAME runs them)"


def _memory_source(report: FitReport) -> str:
    if report.dry is None:
        if not report.plan.runs_dry:
            return "f = formula; no dry run knows this step"
        return "f = formula, held to dry runs of the real training step; --dry-run runs that step"
    told = (f"d = dry run of the real training step ({report.dry.source}), r = its allocations replayed through torch's"
            " allocator")
    return f"{told}, f = formula: the buckets of gradients that replicas exchange" if _bucket(report) else told


def _bucket(report: FitReport) -> bool:
    """True where the closed form adds the buckets that replicas exchange to a dry run, which is one of a single GPU."""
    return report.dry is not None and report.plan.gpus > 1 and report.plan.adapter


def _cells(line: GpuLine) -> tuple[str, ...]:
    fit, largest = line.fit, line.fit.largest_micro_batch
    hours = ("-", "-") if line.hours is None else (_three(line.hours[0]), f"{_short(line.hours[1])}-{_short(line.hours[2])}")
    return (
        fit.gpu.id[:15], "dtype" if line.note else _fits(line),
        f">{largest - 1}" if largest == int(MICRO_BATCHES[-1]) else str(largest), f"{fit.longest_seq:,}",
        f"{line.tokens_per_s:,.0f}", *hours, "-" if line.usd is None else f"{line.usd[0]:,.2f}",
    )


def _fits(line: GpuLine) -> str:
    return "maybe" if line.fit.squeezed else "tight" if line.fit.tight else "yes"


def _three(hours: float) -> str:
    """Hours with three digits or more, so that USD can be worked out again."""
    if 0.0 < hours < 0.001:
        return "<0.001"
    places = 0 if hours >= 100.0 else 1 if hours >= 10.0 else 2 if hours >= 1.0 else 3
    return f"{hours:,.{places}f}"


def _short(hours: float) -> str:
    """Hours with as few digits as the ends of an interval need."""
    if 0.0 < hours < 0.005:
        return "<0.01"
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.1f}" if hours >= 1 else f"{hours:.2f}"


def _remarks(report: FitReport) -> list[str]:
    texts = []
    for line in report.lines:
        if not line.fit.fits:
            texts.append(f"{line.fit.gpu.id}: does not fit, {_room(line)[5:]}; {_way(report, line)}")
        elif line.note:
            texts.append(f"{line.fit.gpu.id}: {line.note}")
    offers = [_offer(x, x.offer, report.as_of) for x in report.lines if x.offer and x.usd and x.fit.fits]
    if offers:
        texts.append("USD: cheapest on-demand offer of that date, for one successful run (q): " + "; ".join(offers))
    texts += _model_remarks(report)
    texts.append("batch, longest: largest micro-batch at this length, longest sequence at this micro-batch (at most the model's"
                 f" context), central estimate{_limits(report)}")
    texts.append(f"Memory: {_memory_source(report)}")
    texts.append(f"tokens/s and hours (c; 5-95% from runs left out of the fit): {speed_sources(report)}")
    texts.append("c = calibrated; q = quoted. tight: fits, but not at the 95th percentile of what it cannot do without; dtype:"
                 " would fit, but the card lacks the number format")
    if any(line.fit.squeezed for line in report.lines):
        texts.append(MAYBE)
    return texts


def _model_remarks(report: FitReport) -> Iterable[str]:
    """What the speed does not count, and what the catalog's shape of the model does not say."""
    if report.plan.gpus > LARGEST_JOB:
        yield f"Speed beyond {LARGEST_JOB} GPUs rests on no run: the network between them is taken to keep its pace"
    if report.plan.checkpoints == "offloaded" and report.usable:
        yield "Speed, hours and USD do not count the copies of offloaded checkpoints to the host and back (a longer step)"
    if report.plan.offload:
        held, own, link = host_bytes(report.model, report.plan), HOST_MEMORY_BYTES_PER_S / 1e9, HOST_BYTES_PER_S / 1e9
        yield (f"Offload: at least {float(held) / GIB:,.0f} GiB of the host's memory, all GPUs together. Its speed is assumed,"
               f" {own:.0f} GB/s and {link:.0f} to each GPU, and the interval leaves that out")
    if report.plan.optimizer.startswith("galore") and report.usable:
        yield ("Speed, hours and USD do not count GaLore's projections and singular values: ms-swift measured 0.77 of full"
               " training's speed (Qwen-7B, 16 micro-steps a step, new projections every 50 steps)")
    data, plan = report.training_set, report.plan
    if data is not None and data.tokens_per_example < plan.seq and plan.micro_batch > 1 and not plan.packed:
        yield ("Not counted: rows of a micro-batch are padded to its longest; hours and USD grow as lengths"
               " spread (--packed pads nothing)")
    if report.model.mixture:
        adapters = "" if not report.plan.adapter else (
            ", and peft gives each of them an adapter (--targets attention leaves them out)"
            if trains_experts(report.model, report.plan.targets) else ", and they carry no adapter")
        cast = ", k-bit preparation casts them to fp32" * report.plan.prepared
        yield f"Experts are 3-D parameters in transformers 5: bitsandbytes leaves them unquantised{cast}{adapters}"
    if report.unquantised is not None and (less := report.unquantised.recommended) is not None:
        better = "Fits" if report.recommended is None else "Cheaper"
        yield (f"{better} without quantisation: --method {report.unquantised.plan.method}, {less.fit.gpu.id}"
               f"{f', {_fits(less)}' * less.fit.tight}. {_run(report.unquantised, less)}. {_room(less)}")
    if report.model.licence == "unknown":
        yield (f"{report.model.id} ({report.model.family}, {report.model.parameters:,} parameters, as transformers builds them)"
               f" was {report.model.note}{'' if report.dry else '; --dry-run builds the architecture itself'}")
