"""The serving part of docs/accuracy.md: what is kept of `roi validate` on a table of serving runs, and how it is shown."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from left_out import Key, leave_out, same_card, same_engine, same_model, validate_without_model

from roi.estimate.accuracy.error_blocks import summarise_errors
from roi.estimate.accuracy.serving_errors import ServingValidation, validate_serving
from roi.estimate.accuracy.serving_run import ServingRun
from roi.evidence.serving_speed import engine_row, serving_evidence
from roi.report.validate import serving_validation_json
from roi.store.tables.csv_table import read_csv
from roi.store.tables.serving_table import ServingTable, serving_table

Answer = dict[str, Any]  # Any: the JSON of `roi validate`

SERVING, LEFT_OUT = "serving", "serving-left-out"
"""Files of docs/accuracy/."""

QUANTITIES = ("throughput", "tpot", "ttft")
TITLES = {"throughput": "Throughput", "tpot": "TPOT", "ttft": "TTFT"}
HEADS = "| {} | rows | MAPE % | median % | bias % | p90 % | in 90% |\n|:--|--:|--:|--:|--:|--:|--:|"
RECENT, EARLY = ("vllm", "tensorrt-llm", "sglang"), ("vllm-2024", "tensorrt-llm-2024")
FITTED = ("anl", "sil")
"""Sources whose rows the catalog's efficiencies were fitted on."""


def keep(table: Path, folder: Path) -> None:
    """Run `roi validate` on the table, as it is and with models left out, and keep both answers without their single rows."""
    rows = serving_table(read_csv(table))
    plain, left = validate_serving(rows.runs, rows.labels, rows.skipped, serving_evidence), validate_without_model(rows)
    bodies: dict[str, Answer] = {SERVING: {**json.loads(serving_validation_json(plain)), "subsets": subsets(rows, plain),
                                           "unseen": unseen(rows.runs)},
                                 LEFT_OUT: {**left.json(), "subsets": subsets(rows, left.every)}}
    for name, body in bodies.items():
        kept = {key: value for key, value in body.items() if key not in ("made_of", "predictions", "skipped", "not_predicted")}
        kept["skipped"] = sorted({entry["reason"] for entry in body["skipped"]})
        (folder / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def subsets(rows: ServingTable, found: ServingValidation) -> Answer:
    """Blocks over the rows on which peers were run, by rule.

    sil-dense: dense models on H100 and H200. anl-nvidia: static batches on NVIDIA cards, vLLM and TensorRT-LLM.
    """
    runs = {run.id: run for run in rows.runs}
    dense = {id for id, run in runs.items() if run.source == "sil" and "gpt-oss" not in run.system.shape.id
             and re.match("H[12]00", run.system.gpu.id)}
    nvidia = {id for id, run in runs.items() if run.source == "anl" and run.engine in EARLY}
    out: Answer = {}
    for name, ids, quantities in (("sil-dense", dense, QUANTITIES), ("anl-nvidia", nvidia, QUANTITIES[:1])):
        out[name] = {q: asdict(summarise_errors((s for s in found.scores if s.quantity == q and s.label.id in ids), len(ids)))
                     for q in quantities}
    return out


def unseen(runs: Sequence[ServingRun]) -> list[Answer]:
    """Errors of the speed and the share inside the catalog's interval, with models, cards and engines left out of the fit."""
    mine = [run for run in runs if run.source in FITTED and not run.implausible]
    out = []
    for title, parts in (
        ("a model, card and engine known", [((f,), (f,), (same_model,)) for f in (*RECENT[:2], *EARLY)]),
        ("a card, engine known", [((f,), (f,), (same_card,)) for f in (*RECENT[:2], *EARLY)]),
        ("a card and its models, engine known", [((f,), (f,), (same_card, same_model)) for f in (*RECENT[:2], *EARLY)]),
        ("an engine, card known", [(RECENT, RECENT, (same_engine,)), ((*EARLY, "deepspeed-mii-2024"), EARLY, (same_engine,))]),
        ("an engine and a card", [(RECENT, RECENT, (same_engine, same_card)),
                                  ((*EARLY, "deepspeed-mii-2024"), EARLY, (same_engine, same_card))]),
    ):
        out.append({"left_out": title, **_spread(mine, parts)})
    return out


def _spread(runs: Sequence[ServingRun], parts: Iterable[tuple[Sequence[str], Sequence[str], tuple[Key, ...]]]) -> Answer:
    ratios: list[float] = []
    inside: list[bool] = []
    for families, pool, keys in parts:
        found = leave_out([r for r in runs if r.engine in families], [r for r in runs if r.engine in pool], *keys)
        for run, ratio in zip(found.runs, found.speed, strict=True):
            row, _ = engine_row("other" if same_engine in keys and run.recent else "other-2024" if same_engine in keys
                                else run.engine, recent=run.recent)
            low, high = ((row.speed_low, row.speed_high) if same_card not in keys
                         else (row.speed_low_elsewhere, row.speed_high_elsewhere))
            ratios.append(float(ratio))
            inside.append(low <= ratio <= high)
    error = np.abs(1.0 / np.array(ratios) - 1.0)
    return {"n": len(ratios), "median_error": 100.0 * float(np.median(error)), "mean_error": 100.0 * float(error.mean()),
            "coverage": 100.0 * float(np.mean(inside))}


def serving_lines(read: Callable[[str], Answer], peers: list[dict[str, str]]) -> list[str]:
    """The lines of the section, from the kept answers."""
    plain, left = read(SERVING), read(LEFT_OUT)
    out = ["## Serving", "", (
        f"`roi validate TABLE` on {plain['rows']:,} published runs, rows marked IMPLAUSIBLE left out. The efficiencies were"
        " fitted on anl and sil; dst, slora, vllm and lpc were never fitted. Throughput is what the row states (output"
        " tokens/s, else all tokens/s, else requests/s). How rows are read, which terms a step has and which rows are"
        " fitted was decided with all rows at hand, the four other sources included: every figure is somewhat kind."), ""]
    for name in QUANTITIES:
        out += [f"### {TITLES[name]}", "", HEADS.format("source, GPU and engine"), _line("**all**", plain[name])]
        if name == "throughput":
            out.append(_line("sil, derived from TTFT and TPOT by Little's law", plain["derived"]["throughput"]))
        out += [_line(source, blocks[name]) for source, blocks in plain["by"]["source"].items() if blocks[name]["eligible"]]
        out += [_line(f"- {group}", blocks[name]) for group, blocks in _largest(plain["by"]["group"], name)]
        out.append("")
    out += ["### A model left out", "", (
        "`python lab/left_out.py`: every row predicted by a fit of the table's other models, within its engine; the same"
        " architecture under another name is left out with it. Judged are groups of a GPU and an engine with at least three"
        " models; the others are listed in docs/accuracy/serving-left-out.json."), "",
        HEADS.format("quantity, source or group")]
    for name in QUANTITIES:
        blocks = left["by"]["source"]
        out += [_line(f"**{TITLES[name]}, {source}**", block[name]) for source, block in blocks.items() if block[name]["n"]]
        out += [_line(f"- {TITLES[name]}, {group}", block[name]) for group, block in _largest(left["by"]["group"], name)
                if block["judged"]]
    out += ["", "### What the fit has not seen", "", (
        "Errors of the speed (static: requests/s; closed loop: 1 / TPOT) on anl and sil, with what is named left out of the"
        " fit, and the share of runs inside the interval that the catalog states for that case. The intervals are quantiles"
        " of these same left-out errors, rounded away from 1: the share says that they were set right, not that they hold"
        " elsewhere. Factors for blank columns are judgements."), "",
        "| left out | n | median % | mean % | in 90% |", "|:--|--:|--:|--:|--:|"]
    out += [f"| {row['left_out']} | {row['n']} | {row['median_error']:.1f} | {row['mean_error']:.1f} | {row['coverage']:.1f} |"
            for row in plain["unseen"]]
    out += ["", *_beside(plain, left, peers)]
    out += ["", "Rows left out:", "", *(f"- {reason}" for reason in plain["skipped"])]
    return out


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
           " the rule gives. Static: the peers' latency is our throughput, one over the other."), "",
           "| rows | tool | n | MAPE % | median % |", "|:--|:--|--:|--:|--:|"]
    for quantity, rows, ours, title in PEERS:
        out += [f"| {title} | {peer['tool']} | {peer['n']} | {peer['mape']} | {peer['median_ape']} |"
                for peer in peers if (peer["quantity"], peer["rows"]) == (quantity, rows)]
        for name, answer in (("**roi**", plain), ("**roi, model left out**", left)):
            block = answer["subsets"][rows][ours]
            out.append(f"| {title} | {name} | {block['n']} | {block['mape']:.1f} | {block['median_ape']:.1f} |")
    dates = sorted({peer["date"] for peer in peers})
    return [*out, "", f"Peers: docs/peers.csv, {', '.join(dates)}. No peer prints an interval."]


def _line(name: str, block: Answer) -> str:
    figures = [_shown(block[key]) for key in ("mape", "median_ape", "bias", "p90", "coverage90")]
    return f"| {name} | {block['n']} / {block['eligible']} | " + " | ".join(figures) + " |"


def _shown(x: float | None) -> str:
    return "-" if x is None else f"{x:.1f}"
