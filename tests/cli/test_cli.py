"""The group `roi`: help without imports, one answer to every error, output that is whole or absent."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner, Result
from stopped_import import ENTRY, stopped_at

import roi
from roi.cli import COMMANDS, Door, LazyGroup, main
from roi.cli.output import write
from roi.disk import replace_file
from roi.errors import InputError, MissingExtra, RoiError, ScenarioError, Terminated

ERRORS = {
    "scenario": ScenarioError("horizon_months", 0, "a whole number from 1 to 120"),
    "extra": MissingExtra("usage", "duckdb"),
    "interrupt": KeyboardInterrupt(),
    "terminated": Terminated(),
    "memory": MemoryError(),
    "depth": RecursionError(),
    "disk": OSError(28, "No space left on device", "big.json"),
    "bug": ZeroDivisionError("division by zero"),
}


@click.command()
@click.argument("kind")
def stub(kind: str) -> None:
    """A command that fails as it is told."""
    if kind in ERRORS:
        raise ERRORS[kind]
    write(f"done {kind}")


@pytest.fixture
def group() -> Iterator[LazyGroup]:
    """A group of one working command and one whose module does not exist."""
    module = ModuleType("stub_commands")
    vars(module)["stub"] = stub
    sys.modules["stub_commands"] = module
    doors = {"run": Door("stub_commands:stub", "Fails as told."), "gone": Door("roi.no_such_module:x", "Not here.")}
    yield LazyGroup(name="roi", doors=doors)
    del sys.modules["stub_commands"]


def ask(group: click.Group, *args: str) -> Result:
    return CliRunner().invoke(group, args, prog_name="roi")


def test_help_lists_every_command_without_importing_it(group: LazyGroup) -> None:
    answer = ask(group, "--help")
    assert answer.exit_code == 0
    assert "Fails as told." in answer.stdout
    assert "Not here." in answer.stdout


def test_help_of_roi_fits_80_columns_and_shows_whole_summaries() -> None:
    answer = CliRunner(env={"COLUMNS": "80"}).invoke(main, ["--help"])
    assert max(map(len, answer.stdout.splitlines())) <= 80
    for name, door in COMMANDS.items():
        assert any(name in line and door.summary in line for line in answer.stdout.splitlines()), name


def test_a_command_is_found_and_run(group: LazyGroup) -> None:
    answer = ask(group, "run", "well")
    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, "done well\n", "")


def test_version_is_that_of_the_package() -> None:
    assert ask(main, "--version").stdout == f"roi {roi.__version__}\n"


def test_an_unknown_command_is_answered_with_the_nearest() -> None:
    answer = ask(main, "comprae")
    assert answer.exit_code == 2
    assert answer.stdout == ""
    assert "no command 'comprae'; did you mean compare?" in answer.stderr
    assert "there are compare, size" in ask(main, "xyzzy").stderr


@pytest.mark.parametrize(("args", "told"), [
    (["compare", "--as-of", "2026-12-01"], "no option '--as-of'; a field of the scenario: --set as_of=VALUE"),
    (["check", "examples/tickets.yaml", "--as-of", "20261124"], "--as-of: '20261124' is no day; write it as 2026-11-24"),
    (["diff", "examples/tickets.yaml", "--as-of", "24.11.2026"], "--as-of: '24.11.2026' is no day; write it as 2026-11-24"),
    (["size", "--times", "inf"], "--times: inf is not usable; a number above 0"),
    (["usage", "x.csv", "--requests-per-day", "nan"], "--requests-per-day: nan is not usable; a number above 0"),
    (["size", "--requests-per-day=5"], "a field of the scenario: --set workload.requests_per_day=VALUE"),
    (["compare", "--format", "xml"], "--format: 'xml' is not one of table, json, markdown, jsonl"),
    (["profile", "serve", "--launch", "vllmm"], "sglang, transformers, llama-server; nearest: vllm"),
    (["profile", "device", "--device", "cpuu"], "--device: 'cpuu' is not one of cuda, cpu; nearest: cpu"),
    (["compare", "--draws", "many"], "--draws: 'many' is not usable; a whole number from 0 to 1,048,576"),
    (["compare", "--draws", "-1"], "--draws: -1 is not usable; a whole number from 0 to 1,048,576"),
    (["size", "--figure", "x.svg"], "no option '--figure'; see --help\n"),
    (["size", "--times", "0"], "--times: 0.0 is not usable; a number above 0\n"),
    (["fit", "qwen3-8b", "--rank", "9" * 5000 + "x"], "--rank: '" + "9" * 56 + "... is not usable; a whole number\n"),
    (["fit", "qwen3-8b", "--as-of", "2026-13-01"], "--as-of: '2026-13-01' is not usable; a day such as 2026-11-24"),
    (["fit", "qwen3-8b", "--rank"], "--rank: needs a value"), (["compare", "--full=3"], "--full: takes no value"),
    (["compare", "--bugdet", "3"], "roi: no option '--bugdet'; see --help\n"),
    (["init", "y.pdf"], "roi: FILE: y.pdf is the name of another kind of file; write y.yaml\n"),
    (["fit", "qwen3-8b", "--examples", "20.000"], "--examples: '20.000' is not usable; write 20000, or 20 for so many"),
    (["usage", "x.csv", "--bill", "1.000.000"], "--bill: '1.000.000' is not usable; write 1000000: a point groups no digits\n"),
    (["init", "--requests", "20.000"], "--requests: '20.000' is not usable; write 20000, or 20 for so many"),
    (["--verison"], "roi: no option '--verison'; did you mean --version?\n"),
    (["compare", "--draws", "10k"], "--draws: '10k' is not usable; a whole number from 0 to 1,048,576; write 10000\n"),
    (["fit", "qwen3-8b", "--examples", "5k"], "--examples: '5k' is not usable; a number; write 5000\n"),
    (["track", "--setup", "$5,000"], "--setup: '$5,000' is not usable; a number from 0 to 1,000,000,000,000; write 5000\n"),
    (["quality", "x", "--margin", "5%"], "--margin: '5%' is not usable; a number from 0 to 1; write 0.05 for 5%\n"),
    (["usage", "x.csv", "--output", "x.pdf"], "--output: x.pdf is the name of another kind of file; write x.yaml\n"),
    (["size", "--output", "x.xlsx"], "--output: x.xlsx would hold text; write --output x.md; --html FILE.html writes a page"),
    (["compare", "--html", "x.pdf"], "--html: x.pdf is the name of another kind of file; write x.html\n"),
    (["compare", "--xlsx", "x.HTML"], "--xlsx: x.HTML is the name of another kind of file; write x.xlsx\n"),
    (["compare", "-"], "'-' is no file here; /dev/stdin and /dev/stdout are"),
    (["compare", "--output", "-"], "--output: '-' is no file here; /dev/stdin and /dev/stdout are"),
    (["quality", "-"], "FILES: '-' is no file, and standard input is not read here; write what a pipe says into one"),
    (["check", "examples/tickets.yaml", "examples/policy.yaml", "--saved", "examples"], "--saved: examples: a directory"),
    (["init", "--incumbent", "openai"], "'openai' is not usable; a provider, no model; write openai/MODEL; `roi prices open"),
    (["fit"], "MODEL: needed and not given"), (["fit", "qwen3-8b", "x"], "one argument too many: (x)"),
    (["fit", "qwen3-8b", "x", "y"], "too many arguments: (x y)"),
    *((args, "is not usable; numbers have the digits 0 to 9") for args in (
        ["fit", "qwen3-8b", "--rank", "\u0663"], ["fit", "qwen3-8b", "--examples=\uff11e\uff13"],
        ["profile", "infer", "--tokens", "\uff11\uff12,4"], ["compare", "--set", "workload.requests_per_day=\u0663\u0660"],
        ["track", "x.yaml", "--limit", "cash_usd=\u0663"])),
    (["profile", "device", "--budget", "\uff19s"], "is not usable; a time above 0 such as 90s, 2m or 0.5h"),
])
def test_what_an_option_does_not_take_is_refused_with_what_it_takes(args: list[str], told: str) -> None:
    answer = ask(main, *args)
    assert (answer.exit_code, answer.stdout, answer.stderr.count("\n")) == (2, "", 1)
    assert told in answer.stderr


@pytest.mark.parametrize("args", [["--no-such-option"], ["run"], ["run", "a", "b"], ["run", "--what"]])
def test_wrong_usage_is_exit_2(group: LazyGroup, args: list[str]) -> None:
    answer = ask(group, *args)
    assert answer.exit_code == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("roi: ")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "exit_code", "stderr"),
    [
        ("scenario", 2, "roi: horizon_months: 0 is not usable; a whole number from 1 to 120\n"),
        ("extra", 2, "roi: this needs duckdb: pip install 'lora-roi[usage]'\n"),
        ("interrupt", 130, "roi: interrupted; nothing was kept\n"),
        ("terminated", 143, "roi: ended by SIGTERM; nothing was kept\n"),
        ("memory", 1, "roi: out of memory; fewer --draws or fewer candidates need less\n"),
        ("depth", 2, "roi: the input is nested too deeply\n"),
        ("disk", 1, "roi: big.json: No space left on device\n"),
    ],
)
def test_an_error_is_one_message_and_an_exit_code(group: LazyGroup, kind: str, exit_code: int, stderr: str) -> None:
    answer = ask(group, "run", kind)
    assert (answer.exit_code, answer.stdout, answer.stderr) == (exit_code, "", stderr)


def test_a_bug_keeps_its_traceback(group: LazyGroup) -> None:
    assert isinstance(ask(group, "run", "bug").exception, ZeroDivisionError)
    assert isinstance(ask(group, "gone").exception, ModuleNotFoundError)


def test_a_reader_that_leaves_is_no_error() -> None:
    """`roi --help | head -0`: the pipe is closed before anything is written."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "roi", "--help"], stdout=write_end, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write_end)
    assert done.stderr == ""


def test_python_m_roi_is_roi() -> None:
    done = subprocess.run([sys.executable, "-m", "roi", "nope"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("roi: no command 'nope'")


def test_an_answer_without_file_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    write("4 × 5")
    assert capsys.readouterr().out == "4 × 5\n"


def test_a_terminal_without_the_character_gets_a_question_mark() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from roi.cli.output import write; write('4 \\xd7 5')"],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.stdout == "4 ? 5\n"


def test_a_file_is_replaced_whole_through_a_link_and_nothing_else_is_left(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("answer 1")
    (tmp_path / "link.json").symlink_to("real.json")
    write("answer 2", tmp_path / "link.json")
    assert (tmp_path / "real.json").read_text() == "answer 2\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "real.json"]


def test_a_failure_while_writing_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "a.json").write_text("old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RoiError, match="what was there is unchanged: No space left on device") as caught:
        replace_file(tmp_path / "a.json", "new")
    assert caught.value.exit_code == 1
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.json", "old")]


def test_an_interrupt_while_writing_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    (tmp_path / "a.json").write_text("old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        replace_file(tmp_path / "a.json", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.json", "old")]


def test_a_place_that_cannot_hold_a_file_is_refused(tmp_path: Path) -> None:
    for path, message in {tmp_path: "is a directory", tmp_path / "no" / "a.json": "No such file or directory"}.items():
        with pytest.raises(InputError, match=message):
            replace_file(path, "new")
    assert list(tmp_path.iterdir()) == []


def test_a_device_is_written_to_and_stays_a_device() -> None:
    replace_file(Path(os.devnull), "gone")
    assert Path(os.devnull).is_char_device()


@pytest.mark.parametrize(("words", "said"), [
    (("prices", "ad", "rent"), "no command 'ad'; did you mean add?"),
    (("prices", "nosuch"), "unknown card, model or vendor 'nosuch'; none of the"),
    (("fit", "qwen3-8b", "--rank", "0"), "--rank: 0 is not usable; at least 1"),
    (("fit", "qwen3-8b", "--seq", "10000000"), "--seq: 10,000,000 tokens is not usable"),
    (("compare", "--set", "own_hardware.gpu=H100"),
     "own_hardware.gpu: unknown key; nearest: training.gpu, serving.capacities.gpu, gpu_rents.gpu; known: cards,"),
    (("compare", "--set", "own_hardware.cards=8"), "own_hardware.cards: 8 is not usable; it should be a block of keys, such"),
    (("compare", "--set", "title="), "title: null is not usable"),
])
def test_a_mistake_is_called_as_it_was_written(words: tuple[str, ...], said: str) -> None:
    answer = ask(main, *words)
    assert (answer.exit_code, said in answer.stderr) == (2, True), answer.stderr


@pytest.mark.parametrize("module", ["roi.cli", "click", "click.core", "roi.errors"])
def test_ctrl_c_while_the_command_is_imported_is_one_line_and_130(module: str) -> None:
    command = stopped_at(module, "SIGINT", ENTRY, "compare")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "roi: interrupted; nothing was kept\n")


def test_nothing_slow_is_imported_before_ctrl_c_is_answered() -> None:
    """What `roi.__main__` loads besides what Python has at its start: no typing, no re, no enum of signal's."""
    code = ("import sys; before = set(sys.modules); import roi.__main__;"
            " print(*sorted({'enum', 're', 'signal', 'typing'} & (set(sys.modules) - before)))")
    assert subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(Path(roi.__file__).parents[1])}).stdout == "\n"


def test_what_goes_with_the_process_is_not_searched_for_cycles() -> None:
    """Python searches what is not frozen as it ends: 0.1 s of a dry run."""
    code = ("import gc, sys; sys.argv = ['roi', '--version']; import atexit;"
            " atexit.register(lambda: print(gc.get_freeze_count() > 1000)); from roi.__main__ import main; main()")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"
