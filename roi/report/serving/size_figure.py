"""Cost against latency as a figure: every fleet that was replayed, the ones that no cheaper one beats joined by a line."""

from pathlib import Path
from typing import Any, Final

from roi.answers.size import Sizing
from roi.errors import InputError, MissingExtra
from roi.report.serving.size import frontier, plan_name, slo_words

KINDS: Final = (".svg", ".png", ".html")


def check_figure(path: Path) -> None:
    """Raise where the figure could not be written, before the work is done and not after it."""
    if path.suffix.lower() not in KINDS:
        raise InputError(f"--figure: {path.name!r} is not usable; a name that ends in {', '.join(KINDS)}")
    if not path.parent.is_dir():
        raise InputError(f"--figure: no folder {path.parent}")
    _altair()


def write_figure(sizing: Sizing, path: Path) -> None:
    """Write the figure to `path`, completely or not at all; a browser that shows it fetches nothing."""
    part = path.with_name(f".roi-{path.stem}{path.suffix.lower()}")
    try:
        _chart(sizing).save(str(part), **({"inline": True} if path.suffix.lower() == ".html" else {}))
        part.replace(path)
    except OSError as error:
        raise InputError(f"--figure: cannot write {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _altair() -> Any:  # Any: altair ships no types for its charts' keywords
    try:
        import altair as alt
        import vl_convert  # noqa: F401 -- altair needs it to draw without a browser
    except ImportError as error:
        raise MissingExtra("report", "Altair and vl-convert") from error
    return alt


def _chart(sizing: Sizing) -> Any:  # Any: as above
    alt = _altair()
    rows = [
        {"plan": plan_name(plan), "replicas": fleet.replicas, "USD a month": round(fleet.usd_per_month),
         "E2E p95, s": fleet.load.e2e_p95_s, "SLO": "holds" if fleet.holds else "broken",
         "TTFT p95, s": fleet.load.ttft_p95_s, "TPOT p95, ms": 1e3 * fleet.load.tpot_p95_s}
        for plan in sizing.plans for fleet in plan.fleets
    ]
    best = [{"USD a month": round(f.usd_per_month), "E2E p95, s": f.load.e2e_p95_s, "order": k}
            for k, (_, f) in enumerate(frontier(sizing))]
    x = alt.X("E2E p95, s:Q", scale=alt.Scale(type="log", nice=False, padding=20), title="time to the last token, p95, s")
    rent = "rent, USD a month, spares included"
    y = alt.Y("USD a month:Q", scale=alt.Scale(zero=True), title=rent, axis=alt.Axis(format=",.0f"))
    points = alt.Chart(alt.Data(values=rows)).mark_point(size=70, filled=True).encode(
        x=x, y=y, color=alt.Color("plan:N", title="plan", legend=alt.Legend(labelLimit=300)),
        shape=alt.Shape("SLO:N", scale=alt.Scale(domain=["holds", "broken"], range=["circle", "cross"]), title="SLO"),
        tooltip=[alt.Tooltip("plan:N"), alt.Tooltip("replicas:Q"), alt.Tooltip("USD a month:Q", format=",.0f"),
                 alt.Tooltip("TTFT p95, s:Q", format=".2f"), alt.Tooltip("TPOT p95, ms:Q", format=".1f")],
    )
    line = alt.Chart(alt.Data(values=best)).mark_line(strokeDash=[4, 3], color="#666").encode(x=x, y=y, order="order:Q")
    labels = alt.Chart(alt.Data(values=rows)).mark_text(dy=-14, fontSize=9).encode(x=x, y=y, text="replicas:Q")
    first = sizing.plans[0].fleet
    ring = alt.Chart(alt.Data(values=[{"E2E p95, s": first.load.e2e_p95_s, "USD a month": round(first.usd_per_month)}]))
    ring = ring.mark_point(size=320, filled=False, strokeWidth=2, color="#000").encode(x=x, y=y)
    rate = f"{'the trace at ' if sizing.trace else ''}{sizing.peak_requests_per_s:.3g} requests a second"
    below = [f"SLO: {slo_words(sizing.slo)}; ring: the cheapest plan with the replicas that it needs",
             "numbers: replicas that serve; dashed: fleets that no cheaper one beats"]
    title = alt.Title(f"{sizing.system} under {rate}", subtitle=below)
    return (line + points + labels + ring).properties(width=520, height=340, title=title)
