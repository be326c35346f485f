"""One card of `roi fit` in words: what a run takes there, its room, and the way to a plan that fits."""

from roi.answers.fit import FitReport, GpuLine
from roi.report.layout.wording import rate_usd
from roi.units import GIB

MAYBE = "maybe: fits only as torch gives back the cache that it would keep on a larger card"


def run_words(report: FitReport, line: GpuLine) -> str:
    """What a run takes and costs: hours and USD, or without a training set USD a million tokens."""
    gpus, links = report.plan.gpus, " over PCIe" if line.fit.gpu.pcie else ""
    took = f"{line.tokens_per_s:,.0f} tokens a second" if line.hours is None else (
        f"A run takes {three(line.hours[0])} hours"
        + (f" on {gpus} GPUs{links}, {three(gpus * line.hours[0])} GPU-hours" if gpus > 1 else ""))
    if line.offer is None:
        return f"{took}; no offer is known"
    cost = f"${line.usd_per_mtok:.3g} a million tokens" if line.usd is None else f"${line.usd[0]:,.2f}"
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
        (slow, fast), per_mtok = line.tokens_per_s_range, line.usd_per_mtok
        return f"{line.tokens_per_s:,.0f}", f"{slow:,.0f}-{fast:,.0f}", "-" if per_mtok is None else f"{per_mtok:.3g}"
    usd = "-" if line.usd is None else f"{line.usd[0]:,.2f}"
    return three(line.hours[0]), f"{short(line.hours[1])}-{short(line.hours[2])}", usd


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
