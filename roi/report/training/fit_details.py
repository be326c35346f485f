"""What `roi fit --full` adds to the answer: memory by part, a dry run's peak and timeline, every card, and the sources."""

from collections.abc import Iterable
from datetime import date as Date
from typing import Final

from roi.answers.fit import FitReport, GpuLine
from roi.estimate.fitting.gpu_fit import MICRO_BATCHES
from roi.estimate.training.memory import PHASES
from roi.estimate.training.sharding import has_collectives
from roi.facts.fact import STALE_DAYS
from roi.facts.price import RentalOffer
from roi.facts.profiles import DryRunProfile
from roi.report.layout.blocks import Block, Gap, Notes, Paragraph, Row, Table, Verbatim
from roi.report.layout.figures import timeline_rows
from roi.report.layout.wording import from_to, rate_usd
from roi.report.training.fit_words import MAYBE, fits_word, formula_words, room_words, run_cells, speed_sources, way_words
from roi.units import GIB

_CARD: Final = ("GPU", "fits", "batch", "longest", "tokens/s")
_CARD_WIDTHS: Final = (15, 5, 5, 9, 8)
TIMED, TIMED_WIDTHS = (*_CARD, "hours", "5-95%", "USD"), (*_CARD_WIDTHS, 7, 13, 10)
"""The cards' table where hours were asked for."""
UNTIMED, UNTIMED_WIDTHS = (*_CARD, "5-95%", "USD/Mtok"), (*_CARD_WIDTHS, 15, 10)
"""The cards' table without a training set."""


def detail_blocks(report: FitReport) -> list[Block]:
    """All that the short answer leaves out; with a dry run where its peak lies, and its timeline."""
    dry = report.dry_run
    blocks: list[Block] = [_memory_table(report), Gap(), *(() if dry is None else _peak(dry))]
    if fitting := sorted((line for line in report.lines if line.fit.fits), key=lambda line: line.cost[0]):
        heads, widths = (TIMED, TIMED_WIDTHS) if fitting[0].hours is not None else (UNTIMED, UNTIMED_WIDTHS)
        blocks += (Table(heads, tuple(Row(_cells(line)) for line in fitting), align="ll", widths=widths), Gap())
    return [*blocks, Notes(tuple(_remarks(report)))]


def _cells(line: GpuLine) -> tuple[str, ...]:
    """A card's row: the largest batch and length there, and what a run takes."""
    fit, largest = line.fit, line.fit.largest_micro_batch
    run = run_cells(line)
    return (
        fit.gpu.id[:15], "dtype" if line.note else fits_word(line),
        f">{largest - 1}" if largest == int(MICRO_BATCHES[-1]) else str(largest), f"{fit.longest_seq:,}",
        *(run if line.hours is None else (f"{line.tokens_per_s:,.0f}", *run)),
    )


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
    """The parts alive at the peak, each with what it rests on; they sum to the process's memory.

    They are those of the card of the answer, else of the first.
    """
    fit = (report.recommended or report.lines[0]).fit
    m, parts = fit.memory, memory_parts(report)
    wide = max(len(mark) for _, _, mark in parts)
    rows = [Row((f"  {name}", f"{value / GIB:.2f} {mark:{wide}s}", "")) for name, value, mark in parts]
    interval = f"5-95%: {from_to(f'{fit.low_bytes / GIB:.2f}', f'{fit.high_bytes / GIB:.2f}', '-')}"
    rows.append(Row(("  process", f"{float(m.process_bytes) / GIB:.2f} {'c':{wide}s}", interval)))
    heads = (f"Peak on {fit.gpu.id}, phase: {PHASES[int(m.peak_phase)]}", "GiB" + " " * (wide + 1), "")
    return Table(heads, tuple(rows), align="lrl", widths=(44, 7 + wide))


def memory_parts(report: FitReport) -> list[tuple[str, float, str]]:
    """(What lies in memory at the peak on the card of the answer, else of the first; its bytes; the letter of its source)."""
    fit = (report.recommended or report.lines[0]).fit
    m = fit.memory
    prepared, (pools, gaps) = float(m.preparation_bytes), m.beyond_bytes
    own = "d" if fit.run_dry else "f"
    slack, spaces = ("r", "workspaces, blocks rounded up") if fit.run_dry else ("c", "cuBLAS workspaces")
    gradients = own if not _bucket(report) else "df" if report.dry and report.dry.parts_bytes.get("gradients") else "f"
    weights = f"weights (fp32 preparation {prepared / GIB:.2f} of it)" if prepared else "weights"
    return [(name, float(value), mark) for name, value, mark in (
        (weights, m.weights_bytes, own), ("adapters", m.adapters_bytes, own), ("gathered layers", m.gathered_bytes, own),
        ("gradients", m.gradients_bytes, gradients), ("optimizer", m.optimizer_bytes, own),
        ("activations", m.activations_bytes, own), ("logits, loss and their gradients", m.logits_bytes, own),
        (spaces, m.workspaces_bytes, own), ("pools of FSDP's streams", pools, slack), ("allocator slack", gaps, slack),
        ("CUDA context" + ", collectives" * has_collectives(report.plan), m.context_bytes, "c"),
    ) if value > 0]


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
    between = ", ".join(fit.gpu.id for fit in fitting if fit.limits_run is False)
    if not between:
        return "; each was run dry with the whole model"
    if not ran:
        alone = ", or by formula beside the one that was" * (report.dry_run is None)
        return (f"; interpolated between sizes that were run dry{alone}, so not run themselves: --dry-run --gpu NAME runs the"
                " limits of the cards named")
    return f"; run dry with the whole model for {ran}; interpolated for {between} (--dry-run --gpu NAME runs them)"


def _memory_source(report: FitReport) -> str:
    """What the letters beside the memory's parts mean."""
    if report.dry is None:
        if not report.plan.runs_dry:
            return "f = formula; no dry run knows this step"
        return f"f = {formula_words(report)} of the real training step; --dry-run runs that step"
    told = (f"d = dry run of the real training step ({report.dry.source}), r = its allocations replayed through torch's"
            " allocator")
    return f"{told}, f = formula: the buckets of gradients that replicas exchange" if _bucket(report) else told


def _bucket(report: FitReport) -> bool:
    """True where the closed form adds the buckets that replicas exchange to a dry run, which is one of a single GPU."""
    return report.dry is not None and report.plan.gpus > 1 and report.plan.adapter


def _remarks(report: FitReport) -> list[str]:
    """Cards that the plan does not fit, the offers behind USD, and what each figure rests on."""
    texts = []
    for line in report.lines:
        if not line.fit.fits:
            texts.append(f"{line.fit.gpu.id}: does not fit, {room_words(line)[5:]}; {way_words(report, line)}")
        elif line.note:
            texts.append(f"{line.fit.gpu.id}: {line.note}")
    offers = [_offer(x, x.offer, report.as_of) for x in report.lines if x.offer and x.fit.fits]
    if offers:
        timed = report.training_set is not None
        what = "USD: cheapest on-demand offer of that date, for one successful run" if timed else (
            "USD/Mtok: cheapest on-demand offer of that date, a million tokens that are trained")
        texts.append(f"{what} (q): " + "; ".join(offers))
    texts.append("batch, longest: largest micro-batch at this length, longest sequence at this micro-batch (at most the model's"
                 f" context), central estimate{_limits(report)}")
    texts.append(f"Memory: {_memory_source(report)}")
    if report.dry is not None and (others := [x.fit.gpu.id for x in report.lines if not x.fit.run_dry]):
        texts.append(f"{', '.join(others)}: by formula; without FlashAttention grouped heads keep their scores there,"
                     " which the dry run does not (--attention sdpa-math runs that)")
    texts.append(f"tokens/s and hours (c; 5-95% from runs left out of the fit): {speed_sources(report)}")
    texts.append("c = calibrated; q = quoted. tight: fits, but not at the 95th percentile of what it cannot do without; dtype:"
                 " would fit, but the card lacks the number format")
    if any(line.fit.squeezed for line in report.lines):
        texts.append(MAYBE)
    return texts
