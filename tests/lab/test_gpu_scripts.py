"""lab/gpu: the scripts for a bare machine are well formed, and their commands run with what travels there alone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click import Context

from roi.catalog.models.shapes import find_model
from roi.cli import main

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


@pytest.mark.full
def test_every_command_of_every_stage_is_one_that_roi_takes(tmp_path):
    """The stages with a Python that writes down what it is asked; options and their values are then read as roi reads them."""
    asked, stub, folders = tmp_path / "asked", tmp_path / "python", {n: tmp_path / n for n in ("OUT", "SITE", "SRC", "GOT")}
    stub.write_text(f"#!/bin/bash\n[ \"$2\" = roi ] && (IFS=$'\\t'; echo \"${{*:3}}\") >>{asked}\n")
    stub.chmod(0o755)
    folders["SITE"].mkdir()
    (folders["SITE"] / ".done").touch()
    environment = {**os.environ, **{name: str(path) for name, path in folders.items()}, "PYTHON": str(stub)}
    stages = ("probe", "device", "core", "large", "variants", "serve")
    subprocess.run(["bash", str(GPU / "run.sh"), *stages], env=environment, capture_output=True, check=True)  # noqa: S607
    profile = main.get_command(Context(main), "profile")
    commands = [line.split("\t")[1:] for line in asked.read_text().splitlines()]
    assert len(commands) == 22
    for name, *words in commands:
        command = profile.get_command(Context(profile), name)
        model = command.make_context(name, words).params.get("model", command.name)
        assert model in {None, "probe", "device", "serve"} or find_model(model)


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
