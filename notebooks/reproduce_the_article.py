"""The article's claims, computed: each with its verdict, the figures behind it, and where it stops to hold.

    marimo edit notebooks/reproduce_the_article.py           python notebooks/reproduce_the_article.py
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="The article's claims, computed")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # The article's claims, computed

    An article says what adapters cost and when they pay back. Each claim is computed here from this program's catalog and
    formulas; docs/claims.md has every figure with its conditions. Which rows are computed is a choice, so a count of them is no
    probability.
    """)


@app.cell
def _():
    import sys
    from pathlib import Path

    import marimo as mo

    import roi

    root = Path(__file__).parents[1] if "__file__" in globals() else Path.cwd().parent
    sys.path.insert(0, str(root / "lab"))  # the claims are in the repository, not in the wheel
    from claims.serving import cheap_claim, eight_b_claim, merged_claim
    from claims.sharding import one_48_claim, seventy_claim
    from claims.training import hours_claim, memory_claim, share_claim, slower_claim

    return (
        cheap_claim, eight_b_claim, hours_claim, memory_claim, merged_claim, mo, one_48_claim, roi, root, seventy_claim,
        share_claim, slower_claim,
    )  # fmt: skip


@app.cell
def _(
    cheap_claim, eight_b_claim, hours_claim, memory_claim, merged_claim, mo, one_48_claim, seventy_claim, share_claim,
    slower_claim,
):
    claims = [make() for make in (cheap_claim, eight_b_claim, hours_claim, memory_claim, slower_claim, one_48_claim,
                                  seventy_claim, share_claim, merged_claim)]  # fmt: skip
    rows = [f"| {claim.title} | {claim.verdict} |" for claim in claims]
    mo.md("\n".join(["| claim | verdict |", "|---|---|", *rows]).replace("$", r"\$"))  # else Markdown reads a formula
    return (claims,)


@app.cell
def _():
    def table_of(text):
        """The rows of a table in Markdown, each a dict by the heads; what comes before it is left out."""
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
        heads, _, *body = lines
        return [dict(zip(heads, cells, strict=True)) for cells in body]

    def number(text):
        """The figure in a cell: $0.034, 27%, 436.2x, 1,024."""
        return float(text.strip("$%x").replace(",", "").removesuffix("x"))

    def chart(title, values, *, x, y, colour, **more):
        """Points on lines, both axes logarithmic."""
        def axis(name, title):
            return {"field": name, "type": "quantitative", "scale": {"type": "log"}, "title": title}
        return {
            "title": title, "description": title, "height": 280, "data": {"values": values},
            "mark": {"type": "line", "point": True}, "encoding": {
                "x": axis(*x), "y": axis(*y), "color": {"field": colour, "type": "nominal", "legend": {"columns": 1}}}, **more,
        }  # fmt: skip

    return chart, number, table_of


@app.cell(hide_code=True)
def _(claims, mo):
    mo.md(f"""
    ## {claims[0].title}

    {claims[0].quote}

    **{claims[0].verdict}.** {claims[0].reading} How much cheaper depends on how busy the GPUs are: rent is paid for every hour.
    """.replace("$", r"\$"))


@app.cell
def _(chart, claims, number, roi, table_of):
    by_load = table_of(claims[0].tables[0])
    rivals = [head for head in by_load[0] if head not in {"mean load", "own USD/Mtok"}]
    ratios = [{"load": number(row["mean load"]), "rival": rival, "times": number(row[rival])}
              for row in by_load for rival in rivals]  # fmt: skip
    roi.Chart(chart("Rival's price over an own 8B's", ratios, x=("load", "mean load of the GPU, %"),
                    y=("times", "times as cheap"), colour="rival"))
    return by_load, ratios


@app.cell(hide_code=True)
def _(claims, mo):
    mo.md(f"""
    ## {claims[1].title}

    {claims[1].quote}

    **{claims[1].verdict}.** {claims[1].reading}
    """.replace("$", r"\$"))


@app.cell
def _(chart, claims, number, roi, table_of):
    by_lengths = [{"lengths": row["in / out"], "load": number(load), "usd": number(row[load])}
                  for row in table_of(claims[1].tables[0]) for load in ("100%", "50%", "27%", "10%")]  # fmt: skip
    roi.Chart(chart("Cost of an own 8B, by load", by_lengths, x=("load", "mean load of the GPU, %"),
                    y=("usd", "USD per million tokens"), colour="lengths"))


@app.cell(hide_code=True)
def _(claims, mo):
    mo.md(f"""
    ## {claims[4].title}

    {claims[4].quote}

    **{claims[4].verdict}.** {claims[4].reading}
    """.replace("$", r"\$"))


@app.cell
def _(chart, claims, number, roi, table_of):
    slower = table_of(claims[4].tables[0])
    model, *lengths = slower[0]
    by_tokens = [{"run": row[model], "tokens": number(length), "times": number(row[length])}
                 for row in slower for length in lengths]  # fmt: skip
    roi.Chart(chart("Step of QLoRA over that of LoRA", by_tokens, x=("tokens", "tokens a sequence"),
                    y=("times", "times as long"), colour="run"))


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## More than \\$5,000 a month pays back in 30 to 60 days

    These rows take half a minute to compute (`make claims`), so the page that `docs/claims.md` keeps is read here; a test holds
    it to the program.
    """)


@app.cell
def _(number, roi, root, table_of):
    section = (root / "docs/claims.md").read_text(encoding="utf-8").partition("\n## 10. ")[2].partition("\n## 11. ")[0]
    first = section[section.index("| spend, case") :].partition("\n\n")[0]
    paid = [{"case": row["spend, case"], "months": None if row["pays back"] == "never" else number(row["pays back"].split()[0])}
            for row in table_of(first)]  # fmt: skip
    never = "; ".join(x["case"] for x in paid if x["months"] is None) or "none"
    roi.Chart({
        "title": {"text": "Months until it has paid back", "subtitle": [f"never: {never}", "shaded: 30 to 60 days"]},
        "description": "; ".join(f"{x['case']}: {x['months']}" for x in paid), "height": {"step": 40},
        "data": {"values": [x for x in paid if x["months"] is not None]},
        "encoding": {"y": {"field": "case", "type": "nominal", "sort": None, "axis": None}},
        "layer": [
            {"mark": {"type": "bar", "height": 12, "yOffset": 6},
             "encoding": {"x": {"field": "months", "type": "quantitative", "title": "months from the decision"}}},
            {"mark": {"type": "text", "align": "left", "dy": -9}, "encoding": {"x": {"value": 0}, "text": {"field": "case"}}},
            {"data": {"values": [{"x": 1, "x2": 2}]}, "mark": {"type": "rect", "opacity": 0.2, "color": "#00805c"},
             "encoding": {"x": {"field": "x", "type": "quantitative"}, "x2": {"field": "x2"}, "y": None}},
        ],
    })  # fmt: skip
    return (paid,)


@app.cell(hide_code=True)
def _(by_load, claims, mo, paid):
    if mo.app_meta().mode == "script":
        print(*(f"{claim.title}: {claim.verdict}" for claim in claims), sep="\n")
        print(f"own USD/Mtok at full load: {by_load[0]['own USD/Mtok']}; paid back after months: {[x['months'] for x in paid]}")


if __name__ == "__main__":
    app.run()
