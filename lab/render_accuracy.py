"""Write docs/accuracy.md: predictions beside published measurements, and beside the peers' errors.

python lab/render_accuracy.py [TABLE.csv ...] [--instrument closed-form] [--instrument dry-run] [--serving TABLE.csv ...]

With canonical tables of training runs (lab/tables/training-1.csv and training-2.csv) the instruments named are run over their
rows and the answers kept in docs/accuracy/, the rows beside the peers being of the first; the same for tables of serving runs
(lab/tables/serving-1.csv); without either the page is written from the answers kept there. Dry runs of all rows take a quarter
of an hour.
"""

import argparse
import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import serving_accuracy
from serving_accuracy import shown

from roi.answers.validate import open_training_table, validate_table
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.cli.validate import INSTRUMENTS
from roi.estimate.accuracy.measured_run import timed_run
from roi.estimate.accuracy.training_errors import Validation
from roi.estimate.accuracy.training_left_out import fit_calibration
from roi.report.training.calibrate import calibration_json
from roi.report.validate import validation_json

DOCS = Path(__file__).parents[1] / "docs"
PAGE, KEPT, PEERS = DOCS / "accuracy.md", DOCS / "accuracy", DOCS / "peers.csv"
SUBSETS = "subsets"
"""File of KEPT with the rows on which peers are compared."""

SCALES = "calibration"
"""File of KEPT with what `roi calibrate` says of the table."""

Answer = dict[str, Any]  # Any: the JSON of `roi validate`

SOURCES = DOCS / "sources.csv"
"""Where rows come from, and what is not known about them."""

NOT_PLAIN = ("peft-031", "peft-032")
"""Rows named lora whose trained parameters are not LoRA's (LoRA-FA, MiCA)."""
LATER = tuple(f"swift-{number:03}" for number in range(97, 121))
"""Rows whose set-up was read after the peers had been run."""

ESTIMATES = Path(__file__).parent / "tables" / "canifinetune_estimates.csv"
"""What canifinetune itself estimated for the rows that its author measured, GiB."""

UNMEASURED = "No card has been measured by this project yet: every measurement on this page was published by others."
"""To be taken back with the first profile of a card in profiles/, whose predictions then stand here beside it."""

HEADS = "| {} | rows | MAPE % | median % | bias % | p90 % | in 90% |\n|:--|--:|--:|--:|--:|--:|--:|"


def _other_rows(answers: dict[str, Answer]) -> list[str]:
    """A paragraph for each instrument that answers other rows than the first: why, and both on those that both answer."""
    (first, ours), *others = ((name, _memory(answer["predictions"])) for name, answer in answers.items())
    told = []
    for name, rows in others:
        both, missing = ours.keys() & rows.keys(), ours.keys() - rows.keys()
        of_rows, of_ours = (np.median([100.0 * abs(of[id]["predicted"] / of[id]["measured"] - 1.0) for id in both])
                            for of in (rows, ours))
        reasons = _memory(answers[name]["not_predicted"])
        why = Counter(re.split(r" is not run dry| \(|[;']? leave |; ", reasons[id]["reason"])[0] for id in sorted(missing))
        listed = ", ".join(f"{reason} ({n})" for reason, n in why.most_common())
        told.append(f"\n{name} answers {len(rows)} rows, {first} {len(ours)}; on the {len(both)} of both their medians are"
                    f" {of_rows:.1f}% and {of_ours:.1f}%. What {name} leaves out: {listed or 'nothing'}.")
    return told


def _memory(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:  # Any: values of JSON
    """Those about memory, by id."""
    return {each["id"]: each for each in rows if each["quantity"] == "memory"}


def main() -> None:
    """Run what is asked, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", type=Path, help="CSVs of measured runs, as `roi validate` takes them")
    parser.add_argument("--instrument", action="append", choices=INSTRUMENTS, help="run this one; may be repeated")
    parser.add_argument("--serving", type=Path, nargs="+", help="CSVs of measured serving runs, as `roi validate` takes them")
    asked = parser.parse_args()
    if asked.serving is not None:
        serving_accuracy.keep(asked.serving, KEPT)
    if asked.tables:
        KEPT.mkdir(exist_ok=True)
        with TemporaryDirectory() as place:
            rows = one_table(asked.tables, Path(place) / "training.csv")
            for name in asked.instrument or ["closed-form"]:
                (KEPT / f"{name}.json").write_text(run(rows, name) + "\n", encoding="utf-8")
            (KEPT / f"{SCALES}.json").write_text(scales(rows) + "\n", encoding="utf-8")
        chosen = json.dumps(subsets(asked.tables[0]), indent=1)
        (KEPT / f"{SUBSETS}.json").write_text(chosen + "\n", encoding="utf-8")
    answers = {name: read(name) for name in INSTRUMENTS if (KEPT / f"{name}.json").exists()}
    text = page(answers, read(SUBSETS), read(SCALES), read_rows(PEERS), read_rows(SOURCES))
    PAGE.write_text(text, encoding="utf-8")


def one_table(tables: Sequence[Path], path: Path) -> Path:
    """The rows of tables with one head, under it, in a file at `path`."""
    heads, rows = zip(*(table.read_text(encoding="utf-8").split("\n", 1) for table in tables), strict=True)
    assert len(set(heads)) == 1, f"heads differ: {tables}"
    path.write_text(heads[0] + "\n" + "".join(rows), encoding="utf-8")
    return path


def run(table: Path, instrument: str) -> str:
    """The JSON of `roi validate` with this instrument."""
    found = validate_table(table, instrument)
    assert isinstance(found, Validation)
    return validation_json(found, instrument, training_efficiencies().speed_basis())


def scales(table: Path) -> str:
    """The JSON of `roi calibrate`, without its single runs and rows."""
    known = training_efficiencies().step()
    timed = [one for run in open_training_table(table).runs if (one := timed_run(run, known)) is not None]
    told = json.loads(calibration_json(fit_calibration(timed, known), (), 0))
    return json.dumps({name: value for name, value in told.items() if name not in ("runs", "skipped", "untimed")}, indent=1)


def read(name: str) -> Answer:
    """A kept answer."""
    found: Answer = json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8"))
    return found


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a small CSV beside this file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def subsets(table: Path) -> Answer:
    """Ids of the rows on which peers were run, by rule, and canifinetune's own estimates of its rows (GiB, by id).

    adapters: LoRA and bitsandbytes QLoRA rows of Hugging Face stacks on one GPU with a memory figure and a stated batch,
    without those whose own tool is among the peers. large-steps: full, LoRA and QLoRA rows with tokens/s on one A100, H100
    or L40S of stated size, at least 2,048 tokens a micro-step.
    """
    adapters, large, rows = [], [], read_rows(table)
    for row in rows:
        single, plain = row["n_gpus"] == "1", row["quant"] in ("none", "nf4", "int8")
        lora = row["method"] in ("lora", "qlora", "peft:lora_fa") and row["id"] not in (*NOT_PLAIN, *LATER)
        if (row["source"] in ("peft", "qwen", "swift") and single and lora and plain and row["peak_mem_gib"]
                and _number(row["micro_batch"])):
            adapters.append(row["id"])
        tokens = _number(row["micro_batch"]) * _number(row["seq_len_mean"])
        if (single and tokens >= 2048 and re.search("A100-|H100|L40S", row["gpu"])
                and row["method"] in ("full", "lora", "qlora") and row["tokens_per_s"]):
            large.append(row["id"])
    ids = {row["id"] for row in rows}
    own = {row["id"]: float(row["estimated_gib"]) for row in read_rows(ESTIMATES) if row["id"] in ids}
    return {"adapters": adapters, "large-steps": large, "canifinetune": own, "vintages": vintages(rows)}


def vintages(rows: list[dict[str, str]]) -> dict[str, str]:
    """LoRA and DoRA rows of PEFT's comparison -> the row of LoRA, rank 32 on q and v, of the same commit."""
    peft = [row for row in rows if row["id"].startswith("peft-") and row["method"] in ("lora", "dora", "peft:lora_fa")]
    base = {_commit(row): row["id"] for row in peft if row["reference"].endswith("/lora--llama-3.2-3B-rank32.json")}
    return {row["id"]: base[_commit(row)] for row in peft if _commit(row) in base and row["id"] not in base.values()}


def _commit(row: dict[str, str]) -> str:
    return row["reference"].split()[0]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def page(
    answers: dict[str, Answer], chosen: Answer, fits: Answer, peers: list[dict[str, str]], sources: list[dict[str, str]],
) -> str:
    """The text of docs/accuracy.md."""
    rows = next(iter(answers.values()))["rows"]
    intro = (
        "Written by lab/render_accuracy.py from `roi validate --format json`; the answers are in docs/accuracy/. Errors are"
        f" 100 (predicted / measured - 1). The tables have {rows} published runs; each source is named below with what is not"
        ' known about its rows. "rows" is predicted / stating the figure. "in 90%" is the share of measurements inside the'
        f" 5-95% interval. {UNMEASURED}"
    )
    lines = ["# Accuracy", "", intro, "", "## Peak memory", "", HEADS.format("instrument, rows")]
    for name, answer in answers.items():
        lines.append(_line(f"**{name}, memory kind stated**", answer["memory"]))
        lines += [_line(f"{name}, {kind}", block["memory"]) for kind, block in answer["by"]["kind"].items()]
        lines += [_line(f"{name}, {kind} beside the headline's kind", block) for kind, block in answer["second"].items()]
    lines += _other_rows(answers)
    lines += ["", "### By source", "", HEADS.format("source, instrument")]
    first = next(iter(answers.values()))
    for source in first["by"]["source"]:
        blocks = [(name, answer["by"]["source"][source]["memory"]) for name, answer in answers.items()]
        lines += [_line(f"{source}, {name}", block) for name, block in blocks if block["eligible"]]
    lines += ["", *_beside(answers, chosen, peers, "memory", "adapters")]
    lines += ["", *_on_their_own(answers, chosen)]
    lines += ["", *_ratios(answers, chosen["vintages"])]
    lines += ["", "## Throughput", "", HEADS.format("source")]
    lines.append(_line("**all**", first["throughput"]))
    lines += [_line(source, block["throughput"]) for source, block in first["by"]["source"].items()
              if block["throughput"]["eligible"]]
    lines += ["", *_beside(answers, chosen, peers, "throughput", "large-steps")]
    lines += ["", *_scaled(fits)]
    lines += ["", *serving_accuracy.serving_lines(read, peers)]
    lines += ["", "## Our own measurements", "", NO_GPU]
    lines += ["", "## Sources, and what is unknown about them", ""]
    lines += [f"- {row['id']}: {row['where']} ({row['licence']}). {row['unknown']}"
              for row in sources if row["id"] in first["by"]["source"]]
    lines += ["", "## Rows left out", ""]
    why = Counter(entry["reason"].partition(":")[0] for entry in first["skipped"])
    lines += [f"- {count}: {column}" for column, count in why.most_common()]
    lines += ["", "Defaults used, and for how many rows; each widens the interval by its other value's difference:", ""]
    lines += [f"- {entry['rows']}: {entry['default']}" for entry in first["assumptions"]]
    return "\n".join(lines) + "\n"


def _line(name: str, block: Answer) -> str:
    figures = [shown(block[key]) for key in ("mape", "median_ape", "bias", "p90", "coverage90")]
    return f"| {name} | {block['n']} / {block['eligible']} | " + " | ".join(figures) + " |"


def _errors(answer: Answer, quantity: str, ids: Iterable[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    wanted = set(ids)
    return np.array([100.0 * (p["predicted"] / p["measured"] - 1.0) for p in answer["predictions"]
                     if p["quantity"] == quantity and p["id"] in wanted])


def _beside(answers: dict[str, Answer], chosen: Answer, peers: list[dict[str, str]], quantity: str, rows: str) -> list[str]:
    """Peers and our instruments on one set of rows."""
    ids = chosen[rows]
    out = [f"### Beside the peers: {rows}, {len(ids)} rows", "",
           ("The peers' rows are kept by their number, not by id; this rule gives as many. Ours are those of them that become"
            " a configuration, so n is smaller."), "",
           "| tool | n | MAPE % | median % | bias % | p90 % | more than 10% low, % of rows |",
           "|:--|--:|--:|--:|--:|--:|--:|"]
    for peer in peers:
        if (peer["quantity"], peer["rows"]) == (quantity, rows):
            cells = [peer[key] or "-" for key in ("n", "mape", "median_ape", "bias", "p90", "low_share")]
            out.append(f"| {peer['tool']} | " + " | ".join(cells) + " |")
    for name, answer in answers.items() if quantity == "memory" else list(answers.items())[:1]:
        out.append(_ours(f"**roi, {name}**" if quantity == "memory" else "**roi, roofline**", _errors(answer, quantity, ids)))
    dates = sorted({peer["date"] for peer in peers})
    return [*out, "", f"Peers: docs/peers.csv, {', '.join(dates)}."]


def _on_their_own(answers: dict[str, Answer], chosen: Answer) -> list[str]:
    """canifinetune's printed estimates for the rows that its author measured, and ours for the same rows."""
    own = chosen["canifinetune"]
    answer = next(iter(answers.values()))
    measured = {p["id"]: p["measured"] for p in answer["predictions"] if p["quantity"] == "memory"}
    theirs = np.array([100.0 * (own[id] / measured[id] - 1.0) for id in own if id in measured])
    out = ["### The rows that canifinetune's author measured", "",
           "| tool | n | MAPE % | median % | bias % | p90 % | more than 10% low, % of rows |",
           "|:--|--:|--:|--:|--:|--:|--:|", _ours("canifinetune, as printed there", theirs)]
    return out + [_ours(f"**roi, {name}**", _errors(each, "memory", own)) for name, each in answers.items()]


def _ratios(answers: dict[str, Answer], pairs: dict[str, str]) -> list[str]:
    """PEFT's comparison by ratio, since its longest batch is unknown but one and the same within a vintage."""
    out = ["### PEFT's comparison, each variant by its ratio to LoRA rank 32 of the same vintage", "",
           "| tool | n | MAPE % | median % | bias % | p90 % | more than 10% low, % of rows |",
           "|:--|--:|--:|--:|--:|--:|--:|"]
    for name, answer in answers.items():
        ratio = {p["id"]: p["predicted"] / p["measured"] for p in answer["predictions"] if p["quantity"] == "memory"}
        errors = [100.0 * (ratio[id] / ratio[base] - 1.0) for id, base in pairs.items() if id in ratio and base in ratio]
        out.append(_ours(f"**roi, {name}**", np.array(errors)))
    return out


ALL = "all"
"""Key of the block over everything."""

NO_GPU = (
    "None on a GPU: none was at hand, so no dry run has been compared with a run of ours on CUDA, and the profilers have run on"
    " CPUs alone. `roi profile train` writes what such a comparison needs, theory beside it."
)


def _scaled(fits: Answer) -> list[str]:
    """Speed after one scale for a card and a source."""
    out = ["### After one profile: one scale for a GPU and a source", "",
           ("Median error, percent. left out: of a run, from the scale of the others. from 3: of the rest, from the scale of"
            " three rows, averaged over the choices; first 3: from the first three in order. Fewer than 4 rows leave no rest."
            " Shares and constants of the roofline were chosen with these rows at hand, so the figures are somewhat kind."),
           "",
           "| GPU, source, layout | n | scale | left out | from 3 | first 3 |", "|:--|--:|--:|--:|--:|--:|"]
    for group in fits["pairs"] + fits["groups"]:
        if group["n"] < 4:
            continue
        cells = [shown(group[key]) for key in ("left_out", "from_three", "from_first_three")]
        name = f"{group['gpu']}, {group['source']}, {group['layout']}"
        out.append(f"| {name} | {group['n']} | {group['overall']:.2f} | " + " | ".join(cells) + " |")
    out += ["", "All groups pooled, one scale from three rows, the rows that it has not seen:", "",
            "| one scale for | n | three at the quartiles of the roofline's step time, median % | any three, median % |",
            "|:--|--:|--:|--:|"]
    for name, block in fits["after_profile"].items():
        if block is None:
            continue
        out.append(f"| a GPU and source, {name} | {block['n']} | {block['quartiles']:.1f} | {block['any_three']:.1f} |")
    out += ["", "| left out | n | median % | in 90% |", "|:--|--:|--:|--:|"]
    blocks = [("a run, by its group", fits["run_left_out"])]
    for name in ("source", "gpu"):
        found = fits[f"{name}_left_out"]
        blocks += [(f"a {name}, by the others" if key == ALL else key, found[key]) for key in found]
    for name, block in blocks:
        out.append(f"| {name} | {block['n']} | {shown(block['median_error'])} | {shown(block['coverage'])} |")
    for name in ("source", "gpu"):
        shares = [block["coverage"] for key, block in fits[f"{name}_left_out"].items() if key != ALL]
        if shares:
            out += ["", (f"Each {name} that is left out weighing alike, however many rows it has:"
                         f" {np.mean(shares):.1f}% inside, of {len(shares)}.")]
    return [*out, "", "### A training profile left in", "", (
        "One to three rows of a model and method stand for a profile, the other rows of their source on their card are"
        " predicted, the source left out of what is published."), "", *serving_accuracy.left_in_lines(fits["profile_left_in"]),
        *_after_training_profile(fits["profile_left_in"])]


def _after_training_profile(blocks: Answer) -> list[str]:
    """What the table of a profile left in says of the interval and of the centre, apart from each other."""
    if not blocks:  # every source has one row
        return []
    whole, against = blocks["all"], blocks.get("profile outside the interval before")
    said = [(f"A profile takes the interval from {whole['factor_before']:.2f} to {whole['factor']:.2f}, upper over lower end,"
             f" and the median error {_moved(whole)}, over all {whole['n']} rows.")]
    if against is not None:
        said.append(f"Where it contradicts what is published (n {against['n']}), the error goes {_moved(against)}, and"
                    f" {against['coverage']:.0f}% of the rows lie inside, {against['coverage_before']:.0f}% before.")
    return ["", " ".join(said)]


def _moved(block: Answer) -> str:
    """A block's median error without and with the profile, and which is better."""
    before, after = block["median_error_before"], block["median_error"]
    return f"from {before:.1f}% to {after:.1f}% ({'smaller' if after < before else 'no smaller'})"


def _ours(name: str, errors: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    if not errors.size:
        return f"| {name} | 0 | - | - | - | - | - |"
    size = np.abs(errors)
    cells = (size.mean(), np.median(size), errors.mean(), np.percentile(size, 90.0), 100.0 * np.mean(errors < -10.0))
    return f"| {name} | {errors.size} | " + " | ".join(f"{x:.1f}" for x in cells) + " |"


if __name__ == "__main__":
    main()
