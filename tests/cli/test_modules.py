"""What each command loads, by name: a room or a library that it does not use costs every user of it the time to import."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest


class Budget(NamedTuple):
    """What a command may load."""

    rooms: str
    """Rooms of roi, whole or in part."""
    libraries: str = ""
    again: bool = False
    """True for what a second run with the same inputs loads."""


PLAIN = "cli clock disk errors units facts numerics catalog store"
SCENARIO = f"{PLAIN} scenario estimate evidence economics resolution answers.opening answers.telling report.layout"
SAVED = "answers.saved answers.saved_digests"
PYDANTIC = "pydantic pydantic_core annotated_types typing_extensions typing_inspection"
DATA = f"click numpy {PYDANTIC}"
PRICES = "yaml genai_prices httpx2 idna"
BUDGETS = {
    ("--help",): Budget("cli errors", "click"),
    ("schema",): Budget("cli disk errors units facts numerics scenario", DATA),
    ("fit", "llama-3.1-8b", "--method", "qlora"): Budget(
        f"{PLAIN} estimate.training estimate.fitting estimate.step estimate.accuracy evidence.trained_rows"
        " evidence.training_speed"
        " evidence.measured_links scenario.quantity answers.fit answers.fit_memory answers.fit_stored"
        " answers.telling report.layout"
        " report.training", DATA),
    ("help", "requests_per_day"): Budget(f"{SCENARIO} answers.help report.help", f"{DATA} yaml"),
    ("compare", "--no-cache"): Budget(f"{SCENARIO} answers.compare {SAVED} report.comparison", f"{DATA} {PRICES}"),
    ("compare",): Budget(  # no scenario, resolution, evidence, and of estimate what economics counts fleets with
        "cli disk errors units facts.case facts.fact numerics.beta numerics.value_of_information numerics.main_effects"
        " numerics.arrays numerics.normal numerics.paired numerics.sequence numerics.spreads estimate.serving.line_scatter"
        " catalog.user_data store.cases store.cache_files store.profiles.places estimate.replay.fleet"
        " estimate.replay.hourly_fleet economics.decision economics.cached_lengths"
        " economics.finance economics.inputs economics.lines economics.option_kinds economics.outlook economics.reading"
        " economics.paid_units economics.case_paths economics.price_list economics.worked_out answers.compare"
        f" {SAVED} answers.telling report.layout report.comparison", "click numpy", again=True),
    ("usage", "examples/openai_export.csv"): Budget(  # groups of which an earlier run has kept the answer
        f"{PLAIN} scenario usage answers.usage answers.usage_tasks answers.telling report.layout report.usage",
        f"{DATA} {PRICES} duckdb ibis rich", again=True),
    ("size",): Budget(f"{SCENARIO} answers.size answers.size_hours answers.size_plan answers.size_system answers.size_ways"
                      f" {SAVED} report.serving", f"{DATA} {PRICES}"),
}  # fmt: skip
WATCHED = {*f"{DATA} {PRICES}".split(), "torch", "transformers", "duckdb", "ibis", "pandas", "rich", "jinja2", "vl_convert",
           "xlsxwriter", "scipy", "multiprocessing"}  # fmt: skip
"""Libraries, and one part of Python itself, that a command loads only where its budget says so."""
RUN = (
    "import json, runpy, sys\n"
    "try: runpy.run_module('roi', run_name='__main__', alter_sys=True)\n"
    "except SystemExit as end: assert not end.code\n"
    "sys.stderr.write('\\n' + json.dumps(sorted(sys.modules)))\n"
)


@pytest.mark.parametrize(
    "arguments", [pytest.param(each, marks=[] if each == ("--help",) else pytest.mark.full, id=" ".join(each[:2]))
                  for each in BUDGETS])
def test_a_command_loads_what_its_budget_names_and_nothing_else(arguments: tuple[str, ...], tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    if BUDGETS[arguments].again:
        subprocess.run([sys.executable, "-m", "roi", *arguments], capture_output=True, check=True, env=environment)
    done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=True,
                          env=environment)
    modules = json.loads(done.stderr.splitlines()[-1])
    rooms, libraries = (set(words.split()) for words in BUDGETS[arguments][:2])
    inside = {name.removeprefix("roi.") for name in modules if name.startswith("roi.") and name != "roi.__main__"}
    within = {name for name in inside for room in rooms if f"{name}.".startswith(f"{room}.") or room.startswith(f"{name}.")}
    assert sorted(inside - within) == []
    assert {name.partition(".")[0] for name in modules} & WATCHED <= libraries
    assert not BUDGETS[arguments].again or "numpy.ma" not in modules  # 8 ms, of np.unique and its like
