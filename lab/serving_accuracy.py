"""The serving part of docs/accuracy.md: what is kept of `roi validate` on a table of serving runs, and how it is shown."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from fit_serving_efficiencies import misses_of, read_works, spreads_from
from left_out import read_tables, validate_without_model
from serving_left_in import left_in, loads_of, rows_left_in
from serving_spreads import JUDGED_ROWS, TOO_FEW, WITHIN, held

from roi.catalog.efficiencies.serving_efficiencies import EngineEfficiencies, Kind, Level, load_serving_efficiencies
from roi.estimate.accuracy.error_blocks import summarise_errors
from roi.estimate.accuracy.profile_left_in import left_in_blocks
from roi.estimate.accuracy.serving_errors import ServingScore, ServingValidation, validate_serving
from roi.evidence.serving_speed import serving_evidence
from roi.report.validate import serving_validation_json
from roi.store.tables.serving_table import ServingTable

Answer = dict[str, Any]  # Any: the JSON of `roi validate`

SERVING, LEFT_OUT = "serving", "serving-left-out"
"""Files of docs/accuracy/."""

QUANTITIES = ("throughput", "tpot", "ttft")
TITLES = {"throughput": "Throughput", "tpot": "TPOT", "ttft": "TTFT"}
HEADS = "| {} | rows | MAPE % | median % | bias % | p90 % | in 90% | width |\n|:--|--:|--:|--:|--:|--:|--:|--:|"
WIDTHS = (
    "Width is that of our 90% intervals over an oracle's, the narrowest constant factor with 90% of the group's rows inside,"
    " both in logarithms; at most 2 is wanted. Of n rows of as many models the share inside is known to"
    " 1.64 sqrt(0.09 / n) either way: 11 points at 20 rows, 16 at 10.")
EARLY = ("vllm-2024", "tensorrt-llm-2024")
EACH = 12
"""Rows of a card and an engine on which a peer is run that takes a second or more for each."""


def keep(tables: Sequence[Path], folder: Path) -> None:
    """Run `roi validate` on the tables, as it is and with models left out, and keep both answers without their single rows."""
    rows, works = read_tables(tables), read_works(tables)
    misses = misses_of(works)
    plain = validate_serving(rows.runs, rows.labels, rows.skipped, serving_evidence)
    left = validate_without_model(rows, works, misses)
    loads = loads_of(misses)
    own, few = left_in_blocks(left_in(loads)), left_in_blocks(rows_left_in(loads))
    bodies: dict[str, Answer] = {SERVING: {**json.loads(serving_validation_json(plain)), "subsets": subsets(rows, plain),
                                           "engines": engines(),
                                           "new_source": load_serving_efficiencies().new_source, "widths": widths(plain)},
                                 LEFT_OUT: {**left.json(), "subsets": subsets(rows, left.every),
                                            "widths": widths(left.counted),
                                            "held": [each._asdict() for each in held(spreads_from(misses))],
                                            "profile_left_in": {name: asdict(block) for name, block in own.items()},
                                            "rows_left_in": {name: asdict(block) for name, block in few.items()}}}
    for name, body in bodies.items():
        kept = {key: value for key, value in body.items() if key not in (
            "made_of", "predictions", "skipped", "not_predicted", "why_implausible")}
        kept["skipped"] = sorted({entry["reason"] for entry in body["skipped"]})
        kept["bases"] = {}
        (folder / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def engines() -> list[Answer]:
    """What the catalog says of each engine: runs, errors with a model and a card left out, its intervals and their record.

    A second line has the intervals of mixtures.
    """
    def ends(row: EngineEfficiencies, kind: Kind, level: Level) -> list[float]:
        return sorted({found[level].speed for found in row.intervals[kind].values()}) or [row.elsewhere[kind].speed]

    return [{"engine": row.engine + named, "runs": row.runs, "model": median[0], "card": median[1],
             "same": ends(row, kind, "same"), "new_model": ends(row, kind, "model"), "elsewhere": row.elsewhere[kind].speed,
             "inside": inside}
            for row in load_serving_efficiencies().engines for kind, named, median, inside in (
                ("dense", "", (row.median_error_model_left_out, row.median_error_gpu_left_out), row.inside),
                ("mixture", ", mixtures", (None, None), {}))]


def widths(found: ServingValidation) -> Answer:
    """Mean width of the intervals in logarithms, and that of the narrowest constant factor with 90% inside, by quantity.

    by: the same of every source and every group of a card and an engine.
    """
    out, by = _widths(found.scores), {}
    for name in dict.fromkeys(x for s in found.scores for x in (s.label.source, s.label.group)):
        by[name] = _widths([s for s in found.scores if name in (s.label.source, s.label.group)])
    return {**out, "by": by, "derived": _widths([s for s in found.apart if s.derived])}


def _widths(scores: Sequence[ServingScore]) -> Answer:
    out: Answer = {}
    for name in QUANTITIES:
        mine = [s for s in scores if s.quantity == name]
        if mine:
            off = [abs(math.log(s.predicted / s.measured)) for s in mine]
            out[name] = {"mean": float(np.mean([math.log(s.high / s.low) for s in mine])),
                         "oracle": 2.0 * float(np.quantile(off, 0.9))}
    return out


def subsets(rows: ServingTable, found: ServingValidation) -> Answer:
    """Blocks over the rows on which peers were run, by rule.

    sil-dense: dense models on H100 and H200. anl-nvidia: static batches on NVIDIA cards, vLLM and TensorRT-LLM. sil and a card
    and an engine: EACH of its rows of these, at equal steps in the table's order.
    """
    runs = {run.id: run for run in rows.runs}
    dense = {id for id, run in runs.items() if run.source == "sil" and "gpt-oss" not in run.system.shape.id
             and re.match("H[12]00", run.system.gpu.id)}
    nvidia = {id for id, run in runs.items() if run.source == "anl" and run.engine in EARLY}
    groups: dict[str, list[str]] = defaultdict(list)
    for run in rows.runs:
        if run.source == "sil" and not run.implausible:
            groups[f"sil {run.system.gpu.id} {run.engine}"].append(run.id)
    out: Answer = {}
    for name, ids, quantities in (("sil-dense", dense, QUANTITIES), ("anl-nvidia", nvidia, QUANTITIES[:1]),
                                  *((name, set(ids[:: max(len(ids) // EACH, 1)][:EACH]), QUANTITIES[1:])
                                    for name, ids in sorted(groups.items()))):
        out[name] = {q: asdict(summarise_errors((s for s in found.scores if s.quantity == q and s.label.id in ids), len(ids)))
                     for q in quantities}
    return out


def left_in_lines(blocks: Answer) -> list[str]:
    """The table of rows predicted with a profile, and without."""
    out = ["ends: upper over lower end of the 90% interval, geometric mean.", "",
           "| in common with the profile | rows | without: in 90% | ends | median % | with: in 90% | ends | median % |",
           "|:--|--:|--:|--:|--:|--:|--:|--:|"]
    for name, block in blocks.items():
        cells = [f"{block[key + when]:.{2 if key == 'factor' else 1}f}" for when in ("_before", "")
                 for key in ("coverage", "factor", "median_error")]
        out.append(f"| {name} | {block['n']:,} | " + " | ".join(cells) + " |")
    return out


def serving_lines(read: Callable[[str], Answer], peers: list[dict[str, str]]) -> list[str]:
    """The lines of the section, from the kept answers."""
    plain, left = read(SERVING), read(LEFT_OUT)
    out = ["## Serving", "", (
        f"`roi validate TABLE` on {plain['rows']:,} published runs, rows marked IMPLAUSIBLE left out: every row is replayed on"
        " the server that `size` and `compare` build. The efficiencies were fitted on these rows, but for loads with a pace of"
        " their own (open loops, SLOs, adapters, disaggregated prefill); the section below leaves models out. Throughput"
        " is what the row states (output tokens/s, else all tokens/s, else requests/s)."), "", WIDTHS, ""]
    wide = plain["widths"]
    for name in QUANTITIES:
        out += [f"### {TITLES[name]}", "", HEADS.format("source, GPU and engine"),
                _line("**all**", plain[name], wide.get(name))]
        if name == "throughput":
            derived = "sil, derived from TTFT and TPOT by Little's law"
            out.append(_line(derived, plain["derived"][name], wide["derived"].get(name)))
        out += [_line(source, blocks[name], _of(wide, source, name))
                for source, blocks in plain["by"]["source"].items() if blocks[name]["eligible"]]
        out += [_line(f"- {group}", blocks[name], _of(wide, group, name))
                for group, blocks in _largest(plain["by"]["group"], name)]
        out.append("")
    out += ["### A model left out", "", (
        "`python lab/left_out.py`: every row predicted by a fit of the tables' other models, within its engine, and its"
        " interval has not seen its model with any engine; the same architecture under another name is left out with it. Judged"
        " are groups of a GPU and an engine with at least three models; the others are listed in"
        " docs/accuracy/serving-left-out.json. by models: percent inside that 95 of 100 samples of as many models and rows show"
        " where 90% is true; rows of a model lie inside or outside together (lab/by_chance.py)."), "",
        *(f"{line} {more} |" for line, more in zip(HEADS.format("quantity, source or group").split("\n"),
                                                   ("by models", ":--"), strict=True))]
    for name in QUANTITIES:
        blocks, wide = left["by"]["source"], left["widths"]
        out.append(_line(f"**{TITLES[name]}, all**", left[name], wide.get(name)) + _by_models(left, "all", name))
        out += [_line(f"**{TITLES[name]}, {source}**", block[name], _of(wide, source, name)) + _by_models(left, source, name)
                for source, block in blocks.items() if block[name]["n"]]
        out += [_line(f"- {TITLES[name]}, {group}", block[name], _of(wide, group, name)) + _by_models(left, group, name)
                for group, block in _largest(left["by"]["group"], name) if block["judged"]]
    out += ["", "### What the fit has not seen", "", (
        "Median errors of the speed (TPOT, or the seconds of a request) with a model, and with a card, left out of every fit,"
        " and the catalog's intervals: P95 of measured over predicted speed, P5 is 1 over it; from the narrowest card to the"
        " widest. same: a model on a card that was fitted, its formats and numbers of GPUs left out in turn; model: the model"
        " left out; elsewhere: the card, or the engine for other, and no less than the engine's least known card needs. inside:"
        " the share of the rows so left out that lay inside when the interval had not seen them either"
        f" (lab/serving_spreads.py). A source that is in no fit, as one's own servers are, adds a factor of"
        f" {plain['new_source']:g} (one of few of its runs nearly as much), squares of logarithms added: what rows of a source"
        " left out of everything needed besides. Factors for blank columns are judgements."), "",
        "| engine | runs | model left out, median % | card left out, median % | same | model | elsewhere | inside % |",
        "|:--|--:|--:|--:|:--|:--|:--|:--|"]
    out += [f"| {row['engine']} | {row['runs']} | {_percent(row['model'])} | {_percent(row['card'])} |"
            f" {_range(row['same'])} | {_range(row['new_model'])} | {row['elsewhere']:g} |"
            f" {', '.join(_percent(row['inside'].get(level), 0) for level in ('same', 'model', 'elsewhere', 'other'))} |"
            for row in plain["engines"]]
    out += ["", *_held_lines(left["held"])]
    out += ["", "Mean width of the intervals, log of high over low, and of the narrowest constant factor with 90% inside:", "",
            "| rows | " + " | ".join(TITLES[name] for name in QUANTITIES) + " |", "|:--|--:|--:|--:|"]
    out += [f"| {title} | " + " | ".join(f"{answer['widths'][name]['mean']:.2f} / {answer['widths'][name]['oracle']:.2f}"
                                         for name in QUANTITIES) + " |"
            for title, answer in (("as fitted", plain), ("a model left out, judged groups", left))]
    out += ["", "### A serving profile left in", "", (
        "`python lab/serving_left_in.py`: one load of a plan, or four, of a source on a card and engine stand for a profile,"
        " its other loads are predicted, all rows of its publisher left out of the fits and of the half widths: a user's own"
        " servers are such a source. Most cards then have no row of their engine left. Closed loops, static batches and"
        " bursts."), "",
        *left_in_lines(left["profile_left_in"]), "", (
        "The same of a few rows of one model, drawn of those of a source on a card with an engine, as `calibrate --add` takes"
        " them: what they have in common is the model."), "", *left_in_lines(left["rows_left_in"])]
    out += ["", *_beside(plain, left, peers)]
    out += ["", "Rows left out:", "", *(f"- {reason}" for reason in plain["skipped"])]
    return out


NEW = {"same": "formats, GPUs", "model": "model", "elsewhere": "card"}
SPOKEN = {"speed": "speed", "ttft": "TTFT"}


def _held_lines(found: Sequence[Answer]) -> list[str]:
    """The table of how intervals held beside what chance and an oracle make of the same rows."""
    low, high, few = (f"{100.0 * share:.0f}" for share in (*WITHIN, TOO_FEW))
    out = [("How these held. score: mean interval score in logarithms, the width and 20 times what lies beyond an end (Gneiting"
            " and Raftery, 2007); oracle: the same of the best constant factor of a card and engine, which has seen the rows:"
            f" what could be won at most. cells: cards with an engine of {JUDGED_ROWS} rows or more, how many hold {low} to"
            f" {high}%, how many less than {few}%, and in brackets how many would by chance, were every interval exactly right:"
            " a cell has few models, whose rows lie inside or outside together (lab/by_chance.py). pieces: set-ups or models."),
           "", (f"| left out | rows | in 90% | score | oracle | cells | {low}-{high}% | below {few}% | more or less than chance"
                " shows |"), "|:--|--:|--:|--:|--:|--:|--:|--:|:--|"]
    out += [
        f"| {NEW[each['level']]}, {SPOKEN[each['quantity']]} | {each['rows']:,} | {100.0 * each['inside']:.1f} |"
        f" {each['score']:.2f} | {each['oracle']:.2f} | {each['cells']} | {each['within']} ({each['within_by_chance']:.1f}) |"
        f" {each['below']} ({each['below_by_chance']:.1f}) | {'; '.join(each['beyond']) or '-'} |" for each in found]
    cells, beyond = sum(each["cells"] for each in found), sum(len(each["beyond"]) for each in found)
    return [*out, "", (f"Of these {cells} cells {beyond} lie beyond what 95 of 100 such samples show, where up to"
                       f" {0.05 * cells:.0f} would by chance.")]


def _percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{100.0 * share:.{digits}f}"


def _range(ends: Sequence[float]) -> str:
    return "-".join(f"{end:g}" for end in dict.fromkeys((ends[0], ends[-1])))


def _largest(blocks: Answer, name: str) -> list[tuple[str, Answer]]:
    """Groups with at least ten rows of a quantity, largest first."""
    found = [(group, block) for group, block in blocks.items() if block[name]["n"] >= 10]
    return sorted(found, key=lambda pair: -pair[1][name]["n"])


PEERS = (
    ("tpot", "sil-dense", "tpot", "TPOT, dense models on H100 and H200 (sil)"),
    ("ttft", "sil-dense", "ttft", "TTFT, the same rows"),
    ("static", "anl-nvidia", "throughput", "static batches on NVIDIA cards, vLLM and TensorRT-LLM (anl)"),
)
"""Quantity and rows of peers.csv, our quantity, and how it is called."""


def _beside(plain: Answer, left: Answer, peers: list[dict[str, str]]) -> list[str]:
    out = ["### Beside the peers", "", ("The peers' rows are kept by their number, not by id; ours are by rule, and all that"
           " the rule gives. Static: the peers' latency is our throughput, one over the other. By card and engine:"
           f" {EACH} rows at equal steps (aiconfigurator's `agg`, a batch as large as the loop), less those of which it has no"
           " data or that it holds for too large."), "",
           "| rows | tool | n | MAPE % | median % |", "|:--|:--|--:|--:|--:|"]
    groups = dict.fromkeys((peer["quantity"], peer["rows"]) for peer in peers if peer["rows"].startswith("sil "))
    for quantity, rows, ours, title in (*PEERS, *((q, rows, q, f"{TITLES[q]}, {rows.removeprefix('sil ')} (sil)")
                                                  for q, rows in groups)):
        out += [f"| {title} | {peer['tool']} | {peer['n']} | {peer['mape']} | {peer['median_ape']} |"
                for peer in peers if (peer["quantity"], peer["rows"]) == (quantity, rows)]
        for name, answer in (("**roi**", plain), ("**roi, model left out**", left)):
            block = answer["subsets"][rows][ours]
            out.append(f"| {title} | {name} | {block['n']} | {block['mape']:.1f} | {block['median_ape']:.1f} |")
    dates = sorted({peer["date"] for peer in peers})
    return [*out, "", f"Peers: docs/peers.csv, {', '.join(dates)}. No peer prints an interval."]


def _of(wide: Answer, name: str, quantity: str) -> Answer | None:
    return wide["by"].get(name, {}).get(quantity)


def _by_models(left: Answer, name: str, quantity: str) -> str:
    models, low, high = left["by_chance"][name][quantity]
    return f" {models}: {low:.0f}-{high:.0f} |"


def _line(name: str, block: Answer, wide: Answer | None) -> str:
    figures = [shown(block[key]) for key in ("mape", "median_ape", "bias", "p90", "coverage90")]
    figures.append("-" if not wide or not wide["oracle"] else f"{wide['mean'] / wide['oracle']:.1f}")
    return f"| {name} | {block['n']} / {block['eligible']} | " + " | ".join(figures) + " |"


def shown(x: float | None) -> str:
    """One digit; a dash where there is none."""
    return "-" if x is None else f"{x:.1f}"
