"""`roi fit --dry-run` as a user types it: what it prints, what it keeps, and what it says of what it cannot run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from roi.cli import main
from roi.profiling.dry.dry_profile import profile_dry_run

CONFIG = str(Path(__file__).parents[1] / "data" / "llama_tiny_config.json")
ARGUMENTS = ["fit", CONFIG, "--gpu", "L4", "--seq", "128", "--rank", "4"]


RAN = {}


def once(config, plan, **how):
    """A dry run says the same each time: it is made once."""
    asked = repr((config, plan, how))
    if asked not in RAN:
        RAN[asked] = profile_dry_run(config, plan, **how)
    return RAN[asked]


@pytest.fixture(autouse=True)
def _made_once(monkeypatch):
    monkeypatch.setattr("roi.profiling.dry.dry_profile.profile_dry_run", once)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working directory and an empty data folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(main, arguments, prog_name="roi", catch_exceptions=False)


@pytest.mark.full
def test_a_dry_run_is_printed_kept_and_found_again(place):
    first = run(*ARGUMENTS, "--dry-run", "--full")
    assert first.exit_code == 0, first.stderr
    assert "d = dry run of the real training step" in first.stdout.replace("\n  ", " ")
    assert max(len(line) for line in first.stdout.splitlines()) <= 80
    (kept,) = place.rglob("dry-run-*.json")
    assert f"kept as {kept}" in first.stderr.replace("\n", "")
    again = run(*ARGUMENTS, "--format", "json")
    memory = json.loads(again.stdout)["memory"]
    stored = json.loads(kept.read_text())
    assert memory["instrument"] == "dry run"
    assert memory["source"].endswith(kept.name)
    assert memory["peak_allocated_bytes"] == stored["allocated_bytes"]
    assert memory["reserved_bytes"] == stored["reserved_bytes"]


@pytest.mark.full
@pytest.mark.usefixtures("place")
def test_another_plan_falls_back_to_the_closed_form():
    run(*ARGUMENTS, "--dry-run")
    other = json.loads(run(*ARGUMENTS[:-1], "8", "--format", "json").stdout)
    assert other["memory"]["instrument"] == "closed form"


@pytest.mark.full
def test_a_dry_run_that_says_the_same_as_a_kept_one_is_not_kept_again(place):
    first = run(*ARGUMENTS, "--dry-run")
    (kept,) = place.rglob("dry-run-*.json")
    before = kept.read_bytes()
    again = run(*ARGUMENTS, "--dry-run")
    assert again.stdout == first.stdout
    assert again.stderr == f"already kept as {kept}, which says the same\n"
    assert list(place.rglob("dry-run-*.json")) == [kept]
    assert kept.read_bytes() == before


@pytest.mark.full
@pytest.mark.parametrize("other", ["torch", "card"])
def test_a_dry_run_of_other_versions_or_another_card_is_kept_beside_the_first(place, other):
    """The first file is turned into one of another torch; or the second run is for a card with another workspace and limits."""
    run(*ARGUMENTS, "--dry-run")
    (kept,) = place.rglob("dry-run-*.json")
    stored = json.loads(kept.read_text())
    if other == "torch":
        stored["environment"]["versions"]["torch"] = "0.0"
        kept.write_text(json.dumps(stored))
    before = kept.read_bytes()
    answer = run(*(ARGUMENTS if other == "torch" else [word.replace("L4", "H100") for word in ARGUMENTS]), "--dry-run")
    assert answer.stderr.startswith("kept as ")
    assert len(list(place.rglob("dry-run-*.json"))) == 2
    assert kept.read_bytes() == before


@pytest.mark.usefixtures("place")
def test_ctrl_c_in_a_dry_run_says_that_nothing_was_kept(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("roi.profiling.dry.dry_profile.profile_dry_run", interrupted)
    answer = run(*ARGUMENTS, "--dry-run")
    assert (answer.exit_code, answer.stdout, answer.stderr) == (130, "", "roi: interrupted; nothing was kept\n")


@pytest.mark.full
@pytest.mark.usefixtures("place")
def test_closed_form_and_dry_run_agree_on_the_tiny_llama():
    """Both without the allocator's 1 MiB rounding, which is large beside a model of 4 MB."""
    closed = json.loads(run(*ARGUMENTS, "--format", "json").stdout)["memory"]
    dry = json.loads(run(*ARGUMENTS, "--dry-run", "--format", "json").stdout)
    peak = dry["memory"]["peak_allocated_bytes"] - dry["dry_run"]["parts_bytes"]["rounding"]
    assert closed["peak_allocated_bytes"] == pytest.approx(peak, rel=0.03)


def test_a_damaged_profile_is_named_and_passed_over(place):
    (place / "profiles").mkdir()
    (place / "profiles" / "dry-run-2026-01-01.json").write_text('{"kind": "dry-run", "model": "' + CONFIG + '"')
    answer = run(*ARGUMENTS)
    assert answer.exit_code == 0
    assert "is left out" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "decilm-7b", "--dry-run"], "has its own code"),
        (["fit", "llama-3.1-8b", "--dry-run", "--gpus", "2", "--sharding", "fsdp"], "--dry-run: runs one GPU"),
        (["fit", "llama-3.1-8b", "--dry-run", "--targets", "q_prj"], "nearest: q_proj"),
        (["fit", "llama-3.1-8b", "--dry-run", "--seq", "999999"], "takes at most 131,072"),
        (["fit", "llama-3.1-8b", "--trainer", "accelerate"], "trainer: 'accelerate' is not one of plain, hf, trl"),
        (["fit", "llama-3.1-8b", "--sharding", "zero4"], "nearest: zero"),
    ],
)
@pytest.mark.usefixtures("place")
def test_what_cannot_be_run_is_one_sentence_and_exit_2(arguments, words):
    answer = run(*arguments)
    assert answer.exit_code == 2
    assert words in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.mark.full
@pytest.mark.usefixtures("place")
def test_without_torch_a_dry_run_names_the_extra_and_a_plain_fit_works():
    """torch is hidden from a fresh interpreter."""
    hide = "import sys; sys.modules['torch'] = None; from roi.cli import main; main(sys.argv[1:], prog_name='roi')"
    dry = subprocess.run([sys.executable, "-c", hide, *ARGUMENTS, "--dry-run"], capture_output=True, text=True, check=False)
    assert dry.returncode == 2
    assert "pip install 'lora-roi[profile]'" in dry.stderr
    assert "Traceback" not in dry.stderr
    plain = subprocess.run([sys.executable, "-c", hide, *ARGUMENTS], capture_output=True, text=True, check=False)
    assert plain.returncode == 0, plain.stderr


@pytest.mark.full
def test_profiles_names_the_folder_that_keeps_the_dry_run(place):
    """As for `roi profile`: made where it is not there, and ./profiles is left alone."""
    (place / "profiles").mkdir()
    kept = place / "own" / "deep"
    answer = run(*ARGUMENTS, "--dry-run", "--profiles", str(kept))
    assert answer.exit_code == 0, answer.stderr
    assert [path.parent.parent.parent for path in place.rglob("dry-run-*.json")] == [kept]
    again = json.loads(run(*ARGUMENTS, "--profiles", str(kept), "--format", "json").stdout)
    assert again["memory"]["instrument"] == "dry run"
    missing = run(*ARGUMENTS, "--profiles", str(place / "nowhere"))
    assert (missing.exit_code, "no folder" in missing.stderr) == (2, True)


@pytest.mark.full
@pytest.mark.usefixtures("place")
def test_trained_parameters_are_those_of_the_model_that_was_built():
    """Header, JSON and profile say one number; and what was run dry is not asked to be run dry again."""
    told = run(*ARGUMENTS, "--dry-run").stdout
    got = json.loads(run(*ARGUMENTS, "--format", "json").stdout)
    assert got["trained_parameters"] == got["dry_run"]["trained_parameters"]
    assert f"{got['trained_parameters']:,.0f} trained parameters" in told
    assert "--dry-run builds" not in told


@pytest.mark.full
@pytest.mark.usefixtures("place")
def test_limits_say_whether_they_were_run_or_lie_between():
    named = json.loads(run(*ARGUMENTS, "--dry-run", "--format", "json").stdout)["gpus"]
    assert [line["limits_run"] for line in named] == [True]
    assert "each was run dry with the whole model" in " ".join(run(*ARGUMENTS, "--full").stdout.split())
    both = run("fit", CONFIG, "--gpu", "L4,L40S", "--seq", "128", "--rank", "4", "--full")
    assert "run dry with the whole model for L4; interpolated for L40S" in " ".join(both.stdout.split())
    closed = json.loads(run(*ARGUMENTS[:-1], "8", "--format", "json").stdout)["gpus"]
    assert [line["limits_run"] for line in closed] == [None]


@pytest.mark.full
@pytest.mark.usefixtures("place")
def test_what_replicas_add_to_a_dry_run_is_marked_as_a_formula():
    """The bucket of gradients that replicas exchange is no part of a run of one GPU."""
    run(*ARGUMENTS, "--dry-run")
    lines = run(*ARGUMENTS, "--gpus", "4", "--full").stdout.splitlines()
    marks = {line[:44].strip(): line.split()[-1] for line in lines if line.split()[-1:] in (["d"], ["f"], ["df"])}
    assert marks["adapters"] == "d"
    assert marks["gradients"] in ("f", "df")
    assert "f = formula: the buckets of gradients" in " ".join(" ".join(lines).split())
