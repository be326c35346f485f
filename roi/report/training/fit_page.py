"""`roi fit --html`: the card to rent, what fills its memory, and a step from end to end where it was run dry."""

from roi.answers.fit import FitReport
from roi.facts.profiles import DryRunProfile
from roi.report.charts.style import ROW, THICK, THIN, Spec, own_colours, rows_of, spec
from roi.report.layout.blocks import Heading, Verbatim
from roi.report.layout.figures import highest
from roi.report.page.parts import Page, Picture, told
from roi.report.training.fit import fit_blocks
from roi.report.training.fit_details import detail_blocks, memory_parts
from roi.units import GIB

SHOWN, FEW = 12, 3
"""Cards of the picture, the cheapest that fit; and of those that have too little, the largest, so many at most."""
STATES = ("fits", "tight", "does not fit")
POINTS = 400
"""Columns of a timeline: each holds the highest of its slices."""


def fit_page(report: FitReport) -> Page:
    """The report as a page."""
    dry = report.dry_run
    more = [block for block in detail_blocks(report) if dry is None or not isinstance(block, Verbatim)]
    pictures = {
        "What each card needs and has": [Picture(room_of_cards(report), "Bar: peak of the process; thin line: its 5th to 95th"
                                                 " percentile; thick line: the card's memory.")],
        "What fills the memory at the peak": [Picture(parts_at_peak(report), "The parts sum to the memory of the process.")],
        "One training step from end to end": [] if dry is None else [
            Picture(timeline(dry), "Memory that tensors hold, as the dry run of this step allocated and freed it.")],
    }
    return told((*fit_blocks(report, full=False), Heading("All that is known"), *more), pictures)


def room_of_cards(report: FitReport) -> Spec:
    """Peak of the process on each card, GiB, with its 5th to 95th percentile, and the memory that the card has."""
    size = {line.fit.gpu.id: line.fit.gpu.memory_bytes for line in report.lines}
    small = sorted((line for line in report.lines if not line.fit.fits), key=lambda line: -size[line.fit.gpu.id])
    found = sorted((*report.usable[: SHOWN - min(len(small), FEW)], *small[:FEW]), key=lambda line: size[line.fit.gpu.id])
    rows: list[Spec] = []
    for k, line in enumerate(found):
        fit = line.fit
        state = STATES[2] if not fit.fits else STATES[1] if fit.tight else STATES[0]
        rows.append({"card": fit.gpu.id, "state": state, "zero": 0, "peak": _gib(float(fit.memory.process_bytes)),
                     "low": _gib(fit.low_bytes), "high": _gib(fit.high_bytes), "room": _gib(fit.gpu.memory_bytes),
                     "top": k + THIN, "middle": k + (THIN + THICK) / 2, "bottom": k + THICK})
    y, labels = rows_of([f"{row['card']}: {row['peak']:,.1f} of {row['room']:,.1f} GiB, {row['state']}" for row in rows])
    x = {"field": "peak", "type": "quantitative", "title": "memory, GiB"}
    ends = {"y": {**y, "field": "top"}, "y2": {"field": "bottom"}}
    told = [{"field": "card"}, *({"field": name, "title": title, "format": ",.2f"} for name, title in (
        ("peak", "peak, GiB"), ("low", "5%"), ("high", "95%"), ("room", "card, GiB")))]
    layer: list[Spec] = [
        {"mark": {"type": "rect", "opacity": 0.85}, "encoding": {
            "x": {**x, "field": "zero"}, "x2": {"field": "peak"}, **ends, "tooltip": told,
            "color": {"field": "state", "type": "nominal", "legend": {},
                      "scale": {"domain": [STATES[2], STATES[0], STATES[1]], "range": "diverging"}}}},
        {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": {
            "x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": {**y, "field": "middle"}}},
        {"mark": {"type": "rule", "strokeWidth": 3}, "encoding": {"x": {**x, "field": "room"}, **ends}},
        labels,
    ]
    said = "; ".join(f"{row['card']} {row['peak']:,.1f} of {row['room']:,.1f} GiB ({row['state']})" for row in rows)
    return spec("What each card needs and has", f"Peak of the process by card: {said}.", height=ROW * len(rows), layer=layer,
                data={"values": rows})


def parts_at_peak(report: FitReport) -> Spec:
    """The parts alive at the peak on the card of the answer, else on the first, GiB; they sum to the process's memory."""
    found = memory_parts(report)
    rows: list[Spec] = [{"part": name, "zero": 0, "gib": _gib(size), "top": k + THIN, "bottom": k + THICK}
                        for k, (name, size, _) in enumerate(found)]
    y, labels = rows_of([f"{name}: {size / GIB:,.2f} GiB" for name, size, _ in found])
    bars = {"mark": {"type": "rect"}, "encoding": {
        "x": {"field": "zero", "type": "quantitative", "title": "memory at the peak, GiB"}, "x2": {"field": "gib"},
        "y": {**y, "field": "top"}, "y2": {"field": "bottom"},
        "color": {"datum": "parts", "type": "nominal", "legend": None, "scale": {"domain": ["", "parts"]}},
        "tooltip": [{"field": "part"}, {"field": "gib", "title": "GiB", "format": ",.3f"}]}}
    said = "; ".join(f"{name} {size / GIB:,.2f}" for name, size, _ in found)
    return spec("What fills the memory at the peak", f"Memory at the peak, GiB: {said}.", height=ROW * max(len(rows), 1),
                layer=[bars, labels], data={"values": rows})


def timeline(dry: DryRunProfile) -> Spec:
    """Memory over one training step, GiB, by operator in their order, with the phases of the step."""
    heights = highest(dry.timeline_bytes, POINTS)
    count = len(heights)
    starts = [(name, at * count / len(dry.timeline_bytes)) for name, at in dry.timeline_phases]
    rows: list[Spec] = [
        {"at": k, "to": k + 1, "zero": 0, "gib": _gib(height),
         "phase": next((n for n, at in reversed(starts) if at <= k), starts[0][0])}
        for k, height in enumerate(heights)
    ]
    phases = list(dict.fromkeys(name for name, _ in starts))
    x = {"field": "at", "type": "quantitative", "title": "operators of one step, in order",
         "axis": {"labels": False, "ticks": False, "grid": False}, "scale": {"domain": [0, count], "nice": False}}
    y = {"field": "gib", "type": "quantitative", "title": "allocated, GiB"}
    layer: list[Spec] = [
        {"mark": {"type": "rect"}, "encoding": {
            "x": x, "x2": {"field": "to"}, "y": y, "y2": {"field": "zero"}, "color": own_colours("phase", phases),
            "tooltip": [{"field": "phase"}, {"field": "gib", "title": "GiB", "format": ",.3f"}]}},
    ]
    peak = max(rows, key=lambda row: row["gib"])
    said = f"Memory over one training step: peak {peak['gib']:,.2f} GiB in {peak['phase']}; phases {', '.join(phases)}."
    return spec("One training step from end to end", said, height=260, layer=layer, data={"values": rows})


def _gib(size: float) -> float:
    return round(float(size) / GIB, 4)
