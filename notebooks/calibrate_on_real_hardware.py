"""From a profile to a decision: what this machine does, how far theory is from measured runs, and what that changes.

    marimo edit notebooks/calibrate_on_real_hardware.py      python notebooks/calibrate_on_real_hardware.py
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Calibrate on real hardware")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # Calibrate on real hardware

    Theory gives a floor: operations over peak, bytes over bandwidth. A profile gives what is achieved of it. This notebook
    measures the machine that it runs on for some seconds, compares theory with measured runs of GPUs, and asks what a load test
    of your own server would do to the decision.
    """)


@app.cell
def _():
    import json
    import subprocess
    import sys
    from pathlib import Path
    from tempfile import TemporaryDirectory

    import marimo as mo

    import roi
    from roi.answers.calibrate import calibrate_runs
    from roi.report.layout.wording import usd

    root = Path(__file__).parents[1] if "__file__" in globals() else Path.cwd().parent
    budget_s = 10
    return Path, TemporaryDirectory, budget_s, calibrate_runs, json, mo, roi, root, subprocess, sys, usd


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## This machine, live

    `roi profile device` times matrix products, copies and launches and keeps every timed call. On a CPU there is no datasheet
    to compare with; on a GPU each rate stands beside its peak. The same file would be taken into account by `roi fit`.
    """)


@app.cell
def _(TemporaryDirectory, budget_s, json, mo, subprocess, sys):
    with TemporaryDirectory() as folder:
        command = ["-m", "roi", "profile", "device", "--device", "cpu", "--budget", f"{budget_s}s", "--profiles", folder]
        done = subprocess.run([sys.executable, *command, "--format", "json"], capture_output=True, text=True, check=False)
    profile = json.loads(done.stdout) if done.returncode == 0 else {"rates": []}
    rates = [rate for rate in profile["rates"] if rate["regime"] != "launch"]
    heads = ["| regime | operator | format | best rate | calls |", "|---|---|---|---:|---:|"]
    rows = [f"| {r['regime']} | {r['name']} | {r['dtype']} | {r['best']:.3g} {r['unit']} | {r['calls']} |"
            for r in sorted(rates, key=lambda r: -r["best"])[:8]]  # fmt: skip
    mo.md("\n".join([*heads, *rows]) if rows else f"Nothing was measured here: {done.stderr.strip() or 'no output'}")
    return (profile,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## Theory against measured runs

    Published training runs, each with the time that the roofline gives for its plan. One scale per source, card and layout
    takes out what they share (software, habits); the error that remains is that of runs that were not used for the scale. A
    short profile of your own GPU gives its scale in the same way.
    """)


@app.cell
def _(calibrate_runs, root):
    calibration = calibrate_runs([root / "lab/tables/training-1.csv"]).calibration
    scale = {(g.source, g.gpu, g.layout): g.overall for g in calibration.groups}
    residuals = [
        {"card": run.gpu, "run": run.id, "source": run.source, "what": what,
         "error": 100 * (run.theory_s / by / run.measured_s - 1)}
        for run in calibration.runs
        for what, by in (("theory alone", 1.0), ("with the scale of its group", scale[run.source, run.gpu, run.layout]))
        if (run.source, run.gpu, run.layout) in scale
    ]  # fmt: skip
    return calibration, residuals


@app.cell
def _(residuals, roi):
    roi.Chart({
        "title": "Step time, predicted over measured",
        "description": "Residuals of published training runs, percent, by card.",
        "height": {"step": 22}, "data": {"values": residuals},
        "mark": {"type": "boxplot", "size": 8, "extent": 1.5, "outliers": {"size": 8}},
        "encoding": {
            "y": {"field": "card", "type": "nominal", "title": None},
            "yOffset": {"field": "what"},
            "x": {"field": "error", "type": "quantitative", "title": "predicted over measured - 1, %",
                  "scale": {"domain": [-100, 150], "clamp": True}},
            "color": {"field": "what", "type": "nominal", "legend": {"columns": 1}},
        },
    })  # fmt: skip


@app.cell
def _(calibration, mo):
    left_out = calibration.run_left_out
    mo.md(f"""
    Of {left_out.n} runs, each predicted from the others of its group, the median error is **{left_out.median_error:.1f}%**;
    the stated 90% interval holds {left_out.coverage:.0f}% of them.
    """) if left_out is not None else mo.md("No group has two runs.")
    return (left_out,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## What it does to the decision

    Serving speed decides more than training speed: it is paid every month. Say a load test of your own server finds so many
    requests a second for one replica at the SLO. Half of the estimate, the estimate, twice the estimate: what changes?
    """)


@app.cell
def _(roi):
    runs = roi.open_runs()
    # a workload where self-hosting is near the edge: large, and wrong answers cost something
    asked = roi.load_scenario(
        title="Load test", draws=1024, workload={"requests_per_day": 1_000_000}, quality={"usd_per_error": 0.05},
        candidates={"gpus": ["L40S"], "own_hardware": False, "hybrid": False, "vendor_tuned": [], "hosted_adapters": []},
    )
    resolved = roi.resolve(asked, runs)
    published = roi.compare(resolved)
    plan = resolved.plans[published.option("self-hosted-adapter").id][0].capacity
    estimate, pooling = plan.alone.requests_per_s, plan.pooling

    def tested(times):
        """The comparison where the load test found `times` the estimate, give or take 5%."""
        found = {"value": times * estimate, "low": 0.95 * times * estimate, "high": 1.05 * times * estimate}
        row = {"model": "qwen3-8b+lora", "gpu": "L40S", "requests_per_s": found, "pooling": pooling}
        return roi.compare(asked, runs=runs, serving={"capacities": [row]})

    answers = {"published runs": published, **{f"load test: {times:g} x the estimate": tested(times) for times in (0.5, 1, 2)}}
    return answers, asked, estimate


@app.cell
def _(answers, mo, roi, usd):
    def line(what, c):
        o = c.option("self-hosted-adapter")
        low, _, high = o.npv_p10_p50_p90
        return {"what": what, "gpus": o.fleet.gpus, "npv": o.expected_npv_usd, "low": low, "high": high,
                "verdict": c.verdict.sentence.partition(":")[0]}  # fmt: skip

    lines = [line(what, c) for what, c in answers.items()]
    chart = roi.Chart({
        "title": "NPV of the own adapter, P10-P90",
        "description": "; ".join(f"{x['what']}: mean {usd(x['npv'])}" for x in lines),
        "height": {"step": 48}, "data": {"values": lines},
        "encoding": {"y": {"field": "what", "type": "nominal", "sort": None, "axis": None}},
        "layer": [
            {"mark": {"type": "text", "align": "left", "dy": -14}, "encoding": {"x": {"value": 0}, "text": {"field": "what"}}},
            {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": {
                "x": {"field": "low", "type": "quantitative", "title": "NPV against staying, USD", "axis": {"format": "$,.0f"}},
                "x2": {"field": "high"}}},
            {"mark": {"type": "point", "filled": True, "size": 90},
             "encoding": {"x": {"field": "npv", "type": "quantitative"}}},
        ],
    })  # fmt: skip
    heads_of = ["| capacity from | GPUs | mean NPV, USD | verdict |", "|---|---:|---:|---|"]
    rows_of = [f"| {x['what']} | {x['gpus']:.0f} | {x['npv']:,.0f} | {x['verdict']} |" for x in lines]
    mo.md("\n".join([*heads_of, *rows_of]))
    return chart, lines


@app.cell
def _(chart):
    chart


@app.cell(hide_code=True)
def _(estimate, left_out, lines, mo, profile, usd):
    if mo.app_meta().mode == "script":
        print(f"{len(profile['rates'])} rates of this machine; left-out error {left_out.median_error:.2f}% of {left_out.n}"
              f" runs; estimate {estimate:.2f} requests/s a replica")
        print(*(f"{x['what']}: {x['gpus']:.0f} GPUs, mean NPV {usd(x['npv'])}; {x['verdict']}" for x in lines), sep="\n")


if __name__ == "__main__":
    app.run()
