"""How many GPUs keep the answer times? The fleet at the peak, what a tighter limit costs, and the same on a recorded trace.

    marimo edit notebooks/size_for_an_slo.py         python notebooks/size_for_an_slo.py
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Size for an SLO")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # Size for an SLO

    A limit on the 95th percentile of the time to the first token (TTFT) and of the time per further token (TPOT) decides how
    many GPUs are needed, and with that the price of a token. Every plan is replayed: arrivals, batches, queues.
    """)


@app.cell
def _():
    from pathlib import Path
    from tempfile import TemporaryDirectory

    import marimo as mo
    import numpy as np

    import roi
    from roi.answers.size import size_service
    from roi.report.layout.blocks import render
    from roi.report.serving.size import size_blocks
    from roi.report.serving.size_page import day_of_load, rent_against_latency
    from roi.store.traces import read_trace

    runs = roi.open_runs()
    return (
        Path, TemporaryDirectory, day_of_load, mo, np, read_trace, render, rent_against_latency, roi, runs, size_blocks,
        size_service,
    )  # fmt: skip


@app.cell
def _(mo, render, roi, runs, size_blocks, size_service):
    resolved = roi.resolve(roi.load_scenario(), runs)
    sizing = size_service(resolved)
    mo.md(f"```text\n{render(size_blocks(sizing))}\n```")
    return resolved, sizing


@app.cell
def _(rent_against_latency, roi, sizing):
    roi.Chart(rent_against_latency(sizing))


@app.cell
def _(day_of_load, roi, sizing):
    roi.Chart(day_of_load(sizing)) if sizing.day else None


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## The frontier: what a tighter limit costs

    The cheapest fleet for each limit on TTFT, TPOT as in the scenario. GPUs are whole, so the line has steps; where no plan
    holds a limit, it ends.
    """)


@app.cell
def _(roi, runs, size_service):
    def cheapest(limit):
        """The cheapest fleet that holds this limit on TTFT; None where there is none."""
        resolved = roi.resolve(roi.load_scenario(workload={"ttft_p95_s": limit}), runs)
        try:
            return size_service(resolved).plans[0]
        except roi.InputError:  # of what is resolved only this is left: no plan holds the limit
            return None

    limits = [0.15, 0.25, 0.5, 1.0, 2.0, 4.0]
    found = [
        {"ttft_p95_s": limit, "usd_per_month": plan.fleet.usd_per_month, "fleet": f"{plan.fleet.gpus:.0f} x {plan.gpu}"}
        for limit, plan in ((limit, cheapest(limit)) for limit in limits)
        if plan is not None
    ]
    frontier = [{**x, "label": x["fleet"] if x["fleet"] != before else ""}  # a fleet is named where it begins
                for x, before in zip(found, [None, *(x["fleet"] for x in found)], strict=False)]  # fmt: skip
    return (frontier,)


@app.cell
def _(frontier, roi):
    roi.Chart({
        "title": "Cheapest fleet by limit on TTFT",
        "description": "; ".join(f"{f['ttft_p95_s']:g} s: ${f['usd_per_month']:,.0f}, {f['fleet']}" for f in frontier),
        "height": 260, "data": {"values": frontier},
        "encoding": {
            "x": {"field": "ttft_p95_s", "type": "quantitative", "scale": {"type": "log"}, "title": "TTFT, P95 limit, s",
                  "axis": {"values": [f["ttft_p95_s"] for f in frontier], "format": "~g"}},
            "y": {"field": "usd_per_month", "type": "quantitative", "title": "USD a month, spares included",
                  "axis": {"format": "$,.0f"}},
        },
        "layer": [
            {"mark": {"type": "line", "interpolate": "step-before"}},
            {"mark": {"type": "point", "filled": True, "size": 70}},
            {"mark": {"type": "text", "align": "left", "dx": 6, "dy": -9}, "encoding": {"text": {"field": "label"}}},
        ],
    })  # fmt: skip


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## The same on a trace

    A trace has bursts that a Poisson stream has not. This one is drawn here, with a seed: 2,000 calls, after every ten of them
    at half, once or twice the mean rate. Give your own file to `roi size --trace`; `roi usage --trace` writes one from a log of
    calls.
    """)


@app.cell
def _(Path, TemporaryDirectory, mo, np, read_trace, resolved, sizing, size_service):
    draw = np.random.default_rng(7)
    rate = sizing.mean_requests_per_s * np.exp2(draw.integers(-1, 2, 200))  # of ten calls each
    arrivals = np.cumsum(draw.exponential(1.0 / np.repeat(rate, 10)))
    prompt, output = (draw.lognormal(np.log(mean), 0.6, arrivals.size).round() + 1 for mean in (1600, 22))
    rows = "\n".join(f"{at:.4f},{p:.0f},{o:.0f}" for at, p, o in zip(arrivals, prompt, output, strict=True))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace.csv"
        path.write_text(f"arrival_s,input_tokens,output_tokens\n{rows}\n", encoding="utf-8")
        trace = read_trace(path)
    on_trace = size_service(resolved, trace=trace)
    first, same = sizing.plans[0], on_trace.plans[0]
    mo.md(f"""
    | arrivals | cheapest fleet | USD a month |
    |---|---|---:|
    | Poisson, at the peak of the day | {first.fleet.gpus:.0f} x {first.gpu} | {first.fleet.usd_per_month:,.0f} |
    | the trace, at its own mean | {same.fleet.gpus:.0f} x {same.gpu} | {same.fleet.usd_per_month:,.0f} |
    """)
    return (on_trace,)


@app.cell(hide_code=True)
def _(mo, on_trace, render, size_blocks, sizing):
    if mo.app_meta().mode == "script":
        print(render(size_blocks(sizing)), render(size_blocks(on_trace)), sep="\n\n")


if __name__ == "__main__":
    app.run()
