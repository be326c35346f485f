"""From a usage export to a decision: what to do about an API bill, before money is committed.

    marimo run notebooks/payback_before_committing.py      the live page: sliders, two scenarios side by side
    marimo edit notebooks/payback_before_committing.py     the same with its code
    python notebooks/payback_before_committing.py          no browser: prints both answers
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="Payback before committing")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # Payback before committing

    From a usage export to a decision: stay, pay less, or train and serve. Move what you know; the answer follows. Every
    figure is that of `roi compare`, and *save as YAML* gives a file for it. An export (CSV, JSON, JSON lines) stays on the
    machine that serves this page.
    """)


@app.cell
def _():
    from functools import cache
    from pathlib import Path

    import marimo as mo

    import roi

    root = Path(__file__).parents[1] if "__file__" in globals() else Path.cwd().parent
    runs = roi.open_runs()  # what was measured, opened once
    live = mo.app_meta().mode in {"run", "edit"}  # else a script, or Jupyter: no sliders to move
    return Path, cache, live, mo, roi, root, runs


@app.cell(hide_code=True)
def _(mo):
    export = mo.ui.file(label="Your usage export", kind="button")
    export
    return (export,)


@app.cell
def _(Path, export, live, mo, roi, root):
    def measured(files):
        """The part of a scenario that the exports settle, and a sentence about it; the example where none is given."""
        from tempfile import TemporaryDirectory

        if not files:
            return roi.measure_usage(root / "examples/openai_export.csv", incumbent="gpt-6-sol"), "The example's export"
        with TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{k}{Path(each.name).suffix}" for k, each in enumerate(files)]
            for path, each in zip(paths, files, strict=True):
                path.write_bytes(each.contents)
            return roi.measure_usage(*paths), "Your export"

    try:
        part, whose = measured(export.value)
    except roi.RoiError as error:
        if not live:
            raise
        mo.stop(True, mo.callout(mo.plain_text(str(error)), kind="danger"))
    workload, model = part["workload"], part["incumbent"]["model"]
    a_day = workload["requests_per_day"]
    a_day = a_day["value"] if isinstance(a_day, dict) else a_day  # beside its low and high, where days vary
    mo.md(f"""
    {whose}: **{a_day:,.0f} requests a day** on {model},
    {workload["input_tokens"]:,.0f} tokens in and {workload["output_tokens"]:,.0f} out each.
    """)
    return a_day, model, part


@app.cell(hide_code=True)
def _(a_day, mo, roi):
    from roi.catalog.cards.gpus import find_gpu
    from roi.catalog.prices.gpu_offers import rental_offers

    card, tuned, draws = find_gpu("L40S").id, "qwen3-8b+lora", 1024
    offers = [o for o in rental_offers(roi.load_scenario().as_of) if o.kind == "on-demand"]
    if card not in (rented := {o.gpu for o in offers}):
        raise roi.InputError(f"card: no price of {card} on demand is listed; there are {', '.join(sorted(rented))}")
    rent = min(o.usd_per_gpu_hour for o in offers if o.gpu == card)
    grid = [round(m * 10.0**k, 3) for k in range(-1, 5) for m in (1, 2, 5)]

    def controls(thousands, usd):
        """The sliders of one scenario; volume and the cost of wrong answers go in steps of 1, 2, 5."""
        look = {"show_value": True, "full_width": True}
        return mo.ui.dictionary({
            "thousands": mo.ui.slider(steps=sorted({*grid, thousands}), value=thousands, **look,
                                      label="thousand requests a day"),
            "rent": mo.ui.slider(steps=[round(rent * x / 20, 3) for x in range(4, 61)], value=round(rent, 3), **look,
                                 label=f"rent of an {card}, USD an hour"),
            "right": mo.ui.slider(80, 99, 0.5, value=91, **look, label="right answers of your own tuned model, %"),
            "items": mo.ui.slider(steps=[0, 50, 100, 200, 500, 1000, 2000], value=500, **look,
                                  label="tested on so many items (0: not tested)"),
            "usd": mo.ui.slider(steps=sorted({0, *grid, usd}), value=usd, **look, label="what 1,000 wrong answers cost, USD"),
        })  # fmt: skip

    first = controls(round(a_day / 1000, 3), 2.0)
    second = controls(1000.0, 50.0)
    return card, draws, tuned, first, second


@app.cell
def _(export, mo, model):
    # what your own evaluation says goes here, or roi.measure_quality(...): no score of the example is one of your task
    example = {
        "gpt-6-sol": {"value": 0.92, "low": 0.90, "high": 0.94, "source": "assumed"},
        "gpt-6-luna": {"value": 0.90, "low": 0.875, "high": 0.92, "source": "assumed"},
    }  # fmt: skip
    bar, scores = 0.85, {} if export.value else example
    assumed = ", ".join(f"{name} {score['value']:.0%}" for name, score in scores.items())
    untold = f"nobody tested one on your task, so that only {model} and your own tuned model are advised"
    mo.md(f"Right answers of API models: {f'assumed, {assumed}' if scores else untold}. At least {bar:.0%} must be right.")
    return bar, scores


@app.cell
def _(bar, card, draws, tuned, part, roi, scores):
    def ask(title, said):
        """The scenario that one set of sliders describes."""
        tested = {"value": said["right"] / 100, "items": said["items"]} if said["items"] else "not evaluated"
        return roi.load_scenario(
            part=part, title=title, draws=draws, workload={"requests_per_day": round(1000 * said["thousands"], 3)},
            quality={"bar": bar, "usd_per_error": said["usd"] / 1000, "scores": {**scores, tuned: tested}},
            gpu_rents=[{"gpu": card, "vendor": "your quote", "usd_per_gpu_hour": said["rent"]}],
            candidates={"self_hosted": [tuned.removesuffix("+lora")], "gpus": [card], "vendors": ["your quote"],
                        "own_hardware": False, "vendor_tuned": [], "hosted_adapters": []},
        )  # fmt: skip

    return (ask,)


@app.cell
def _(ask, first, roi, runs):
    comparison = roi.compare(ask("Scenario A", first.value), runs=runs, thresholds=False)
    return (comparison,)


@app.cell
def _(ask, roi, runs, second):
    other = roi.compare(ask("Scenario B", second.value), runs=runs, thresholds=False)
    return (other,)


@app.cell(hide_code=True)
def _(cache, comparison, first, live, mo, other, roi, runs, second):
    def headline(verdict):
        """The verdict in some words."""
        told = verdict.sentence.partition(":")[0].removesuffix(".")
        return f"{'measure first, else ' if verdict.measure_first else ''}{told[0].lower()}{told[1:]}"

    def column(name, sliders, found):
        """One scenario: sliders, the answer, its pictures, and what is worked out when it is looked at."""
        whole = cache(lambda: roi.compare(found.scenario, runs=runs))  # with the break-evens, which take longer
        return mo.vstack([
            mo.md(f"## {name}: {headline(found.verdict)}"),
            *sliders.elements.values(),
            mo.Html(found._repr_html_()),
            found.plot.cash(),
            found.plot.probability_best(),
            mo.accordion({
                "Break-even along the volume": lambda: whole().plot.break_even(),  # noqa: PLW0108 -- lazy
                "What moves it most": found.plot.drivers,
                "What it costs, by kind of cost": found.plot.cost_by_line,
                "What measuring is worth": found.plot.worth,
                "Every option and fact": lambda: mo.md(whole().to_markdown(full=True)),
            }, lazy=True),
            mo.download(found.to_yaml().encode(), filename=f"{name.lower().replace(' ', '-')}.yaml", label="Save as YAML"),
        ], gap=1)  # fmt: skip

    shown = (("Scenario A", first, comparison), ("Scenario B", second, other)) if live else ()
    columns = [column(*each) for each in shown]
    # side by side where there is room, below each other on a phone
    mo.Html('<div style="display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));gap:2.5rem;'
            f'align-items:start">{"".join(f"<div style=min-width:0>{each.text}</div>" for each in columns)}</div>')


@app.cell
def _(comparison, live):
    None if live else comparison


@app.cell
def _(comparison, live):
    None if live else comparison.plot.cash()


@app.cell
def _(live, other):
    None if live else other


@app.cell
def _(live, other):
    None if live else other.plot.cash()


@app.cell(hide_code=True)
def _(comparison, mo, other):
    if mo.app_meta().mode == "script":
        print(comparison, other, sep="\n\n")


if __name__ == "__main__":
    app.run()
