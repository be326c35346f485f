"""Is a cheaper system good enough? Results of an evaluation, how sure they are, and what they do to the decision.

    marimo edit notebooks/is_it_good_enough.py       python notebooks/is_it_good_enough.py
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Is it good enough")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # Is it good enough?

    Results per item and system, from two tools, on the same items. Both files are made up. What decides is not the score but
    how sure the difference is, and what a wrong answer costs.
    """)


@app.cell
def _():
    from datetime import date
    from os import chdir
    from pathlib import Path

    import marimo as mo

    import roi
    from roi.answers.quality import QualityQuestion, answer_quality
    from roi.quality.result_rows import Asked
    from roi.report.layout.blocks import render
    from roi.report.quality.quality import quality_blocks
    from roi.report.quality.quality_page import differences, scores

    here = Path(__file__).parent if "__file__" in globals() else Path.cwd()
    chdir(here.parent if here.name == "notebooks" else here)  # a second run of this cell stands there already
    files = ["examples/quality_promptfoo.json", "examples/quality_rows.jsonl"]
    incumbent, bar = "gpt-6-sol", 0.85
    return (
        Asked, QualityQuestion, answer_quality, bar, date, differences, files, incumbent, mo, quality_blocks, render, roi,
        scores,
    )  # fmt: skip


@app.cell
def _(Asked, QualityQuestion, answer_quality, bar, date, files, incumbent, mo, quality_blocks, render):
    question = QualityQuestion(files=tuple(files), asked=Asked(), incumbent=incumbent, bar=bar)
    answer = answer_quality(question, date(2026, 11, 24))
    mo.md(f"```text\n{render(quality_blocks(answer))}\n```")
    return (answer,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## Scores, and how sure they are

    A line is the 90% interval of a score; the dashed line is the bar. An interval on both sides of it says: not known yet.
    """)


@app.cell
def _(answer, roi, scores):
    roi.Chart(scores(answer.measured))


@app.cell
def _(answer, differences, roi):
    roi.Chart(differences(answer.measured))


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## What it does to the decision

    The same scenario twice: with the scores that the bundled scenario assumes, and with these. What nobody evaluated cannot be
    recommended; what was evaluated on few items is drawn with the spread that those items leave.
    """)


@app.cell
def _(bar, files, incumbent, roi):
    measured = roi.measure_quality(*files, incumbent=incumbent, bar=bar)
    runs = roi.open_runs()
    today = {"model": incumbent}
    before = roi.compare(draws=1024, runs=runs, incumbent=today)
    comparison = roi.compare(draws=1024, runs=runs, incumbent=today, quality=measured)
    comparison
    return before, comparison


@app.cell
def _(before, comparison):
    comparison.plot.worth() if comparison.experiments else before.plot.worth()


@app.cell(hide_code=True)
def _(before, comparison, mo):
    def told(c):
        return c.verdict.sentence.replace("$", "\\$")  # else Markdown reads a formula

    mo.md(f"""
    | scores | verdict |
    |---|---|
    | assumed | {told(before)} |
    | measured | {told(comparison)} |
    """)


@app.cell(hide_code=True)
def _(before, comparison, mo):
    if mo.app_meta().mode == "script":
        print(before, comparison, sep="\n\n")


if __name__ == "__main__":
    app.run()
