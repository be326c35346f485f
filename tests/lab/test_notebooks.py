"""The notebooks run from the command line and say what the command says; their twins are made from them as they are now."""

import json
import re
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from render_notebooks import MADE_FROM, NOTEBOOKS, PAGE, PRINTED, digest, main, run, shown, twin_of

from roi.catalog.prices.gpu_offers import rental_offers
from roi.cli import main as roi_main

ROOT = Path(__file__).parents[2]
NAMES = [notebook.stem for notebook in NOTEBOOKS]
IDS = {"ids": NAMES}
OF_THE_MACHINE = {"calibrate_on_real_hardware"}
"""Notebooks that print what the machine did that rendered them."""


def printed(name):
    """What the notebook prints; the page and its twin, which were rendered from such a print, must have it."""
    notebook = ROOT / "notebooks" / f"{name}.py"
    text = run(notebook)
    if name in OF_THE_MACHINE:
        assert text.partition(" rates of this machine")[2] in PAGE.read_text(encoding="utf-8"), "run `make notebooks`"
    else:
        assert shown(text) in PAGE.read_text(encoding="utf-8"), "run `make notebooks`"
        twin = json.loads(twin_of(notebook).read_text(encoding="utf-8"))
        assert twin["metadata"][PRINTED] == digest(text.encode()), "run `make notebooks`"
    return text


def command(*words):
    answer = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}).invoke(roi_main, words, catch_exceptions=False)
    assert answer.exit_code == 0, answer.stderr
    return answer.stdout


def test_there_are_the_notebooks_that_the_house_promises():
    assert NAMES == ["calibrate_on_real_hardware", "is_it_good_enough", "payback_before_committing", "reproduce_the_article",
                     "size_for_an_slo"]  # fmt: skip


@pytest.mark.parametrize("notebook", NOTEBOOKS, **IDS)
def test_a_twin_is_made_from_the_notebook_as_it_is_and_ran_to_its_end(notebook):
    twin = json.loads(twin_of(notebook).read_text(encoding="utf-8"))
    assert twin["metadata"][MADE_FROM] == digest(notebook.read_bytes()), "run `make notebooks`"
    outputs = [output for cell in twin["cells"] for output in cell.get("outputs", [])]
    assert [output for output in outputs if output["output_type"] == "error"] == []
    assert any("image/svg+xml" in output.get("data", {}) for output in outputs)  # a code host draws no Vega-Lite
    assert twin_of(notebook).stat().st_size < 400_000


@pytest.mark.parametrize("file", [PAGE, *map(twin_of, NOTEBOOKS)], ids=lambda file: file.name)
def test_what_was_rendered_names_no_folder_of_the_machine_and_no_element_of_a_live_page(file):
    text = file.read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.])/(?:work|home|root|Users)/\w+|<marimo-", text) == []


def test_the_page_has_a_section_for_each_notebook():
    text = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == NAMES


def test_an_unknown_notebook_is_named_with_those_there_are():
    with pytest.raises(SystemExit, match="no notebook payback; there are calibrate_on_real_hardware, "):
        main(["payback"])


@pytest.mark.full
def test_the_payback_notebook_says_what_the_command_says_of_its_scenarios(tmp_path):
    """Its scenario A as a user would type it: the export's part, the card's rent, the scores, 1,024 draws."""
    text, part = printed("payback_before_committing"), str(tmp_path / "part.yaml")
    command("usage", str(ROOT / "examples/openai_export.csv"), "--incumbent", "gpt-6-sol", "--output", part)
    volume = re.search(r"requests_per_day:\s+value: ([\d.]+)", Path(part).read_text(encoding="utf-8"))[1]
    offers = rental_offers(date(2026, 11, 24))
    rent = round(min(o.usd_per_gpu_hour for o in offers if (o.gpu, o.kind) == ("L40S", "on-demand")), 3)
    told = command(
        "compare", "--usage", part, "--set", "title=Scenario A", "--draws", "1024",
        "--set", f"workload.requests_per_day={round(float(volume) / 1000, 3) * 1000:.3f}",
        "--set", "quality.bar=0.85", "--set", "quality.usd_per_error=0.002",
        "--set", "quality.scores.gpt-6-sol={value: 0.92, low: 0.90, high: 0.94, source: assumed}",
        "--set", "quality.scores.gpt-6-luna={value: 0.90, low: 0.875, high: 0.92, source: assumed}",
        "--set", "quality.scores.qwen3-8b+lora={value: 0.91, items: 500}",
        "--set", f"gpu_rents=[{{gpu: L40S, vendor: your quote, usd_per_gpu_hour: {rent}}}]",
        "--set", "candidates.gpus=[L40S]",
        "--set", "candidates.vendors=[your quote]", "--set", "candidates.own_hardware=false",
        "--set", "candidates.vendor_tuned=[]", "--set", "candidates.hosted_adapters=[]",
    )  # fmt: skip
    rows = re.compile(r" ([\d,]+) +([\d.?]+) +(?:\S+ +){3}(\S+) +(\S+) +[A-Za-z]")  # cash, wrong; beats, best; NPV has a unit
    printed_rows, told_rows = (rows.findall(x[x.index("option  "):].partition("cash: mean month")[0]) for x in (text, told))
    assert len(told_rows) >= 4, "it may have fewer rows than the notebook, which looks for no thresholds"
    assert [row for row in told_rows if row not in printed_rows] == []
    npv = re.search(r"NPV, wrong answers counted: mean [^.]+", " ".join(told.split()))
    assert npv[0] in " ".join(text.split())


@pytest.mark.full
def test_the_quality_notebook_says_what_the_commands_say(tmp_path):
    text, part = printed("is_it_good_enough"), str(tmp_path / "quality.yaml")
    files = [str(ROOT / "examples" / name) for name in ("quality_promptfoo.json", "quality_rows.jsonl")]
    command("quality", *files, "--incumbent", "gpt-6-sol", "--bar", "0.85", "--output", part)
    told = command("compare", "--quality", part, "--draws", "1024")
    assert told[told.index("option  ") :].partition("cash:")[0] in text


@pytest.mark.slow
def test_the_sizing_notebook_says_what_the_command_says():
    text, told = printed("size_for_an_slo"), command("size")
    assert told.partition("--full:")[0] in text
    assert text.count("Cheapest plan that holds") == 2


@pytest.mark.slow
def test_the_calibration_notebook_says_what_the_command_says():
    text = printed("calibrate_on_real_hardware")
    told = json.loads(command("calibrate", str(ROOT / "lab/tables/training-1.csv"), "--format", "json"))
    left_out = told["run_left_out"]
    assert f"left-out error {left_out['median_error']:.2f}% of {left_out['n']} runs" in text
    assert int(text.split()[0]) > 0  # rates of this machine
    npv = [float(x.replace(",", "")) for x in re.findall(r"load test: \S+ x the estimate: .* mean NPV \$([-\d,]+);", text)]
    assert npv == sorted(npv)
    assert len(npv) == 3


@pytest.mark.full
def test_the_article_s_notebook_says_what_docs_claims_says():
    text, page = printed("reproduce_the_article"), (ROOT / "docs/claims.md").read_text(encoding="utf-8")
    verdicts = re.findall(r"^\| \d+ \| (.+?) \| (holds|holds in part|fails) \|$", page, re.MULTILINE)
    assert len(verdicts) == 11
    assert [f"{claim}: {verdict}" for claim, verdict in verdicts[:9] if f"{claim}: {verdict}\n" not in text] == []
