"""lab/gpu: the scripts for a bare machine are well formed, and their commands run with what travels there alone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GPU = ROOT / "lab" / "gpu"
SCRIPTS = sorted(GPU.glob("*.sh"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_well_formed(script):
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0  # noqa: S607


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script):
    checker = shutil.which("shellcheck")
    if checker is None:
        pytest.skip("shellcheck is not installed here")
    done = subprocess.run([checker, str(script)], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_every_stage_that_the_plan_names_is_there():
    script, plan = (GPU / "run.sh").read_text(), (GPU / "README.md").read_text()
    stages = set(re.search(r"^    (smoke [|a-z ]+)\)", script, re.MULTILINE)[1].replace(" ", "").split("|"))
    named = {stage for line in re.findall(r"run\.sh ([a-z ]+)", plan) for stage in line.split()}
    assert named == stages


@pytest.mark.slow
def test_the_bare_machine_runs_every_smoke_command_on_the_simulated_card(tmp_path):
    """16 of 16, although what the machine lacks and does not travel cannot be imported."""
    guard = ROOT / "tests" / "profiling" / "fake_card" / "bare_machine.py"
    done = subprocess.run([sys.executable, str(guard), str(GPU / "wheels.txt"), str(tmp_path)], capture_output=True, text=True,
                          check=False, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert len(re.findall(r"^ok  ", done.stdout, re.MULTILINE)) == 16
    hidden = done.stdout.splitlines()[0]
    assert all(name in hidden for name in ("duckdb", "ibis", "scipy", "hypothesis"))
