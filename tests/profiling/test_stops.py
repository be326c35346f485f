"""Ctrl-C and SIGTERM while something is measured: what each phase does, the exit codes, and that a file is whole."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from asked import ask
from serving_server import Law, StepServer
from stopped_import import MODULE, stopped_at

from roi.errors import Terminated
from roi.evidence.measured_servers import fit_serve
from roi.facts.serve_profile import ServeProfile
from roi.profiling.server.dialect import quick_usage
from roi.profiling.server.server_run import RunRecord
from roi.profiling.stops import SIGNALS, Stops, catch_stops

ROOT = Path(__file__).parents[2]
FAST = Law(step_s=0.001, sequence_s=1e-5, kv_token_s=1e-8, prefill_token_s=1e-6)


def handlers():
    return [signal.getsignal(number) for number in SIGNALS]


def test_before_there_is_anything_to_keep_every_signal_raises():
    stops, term = Stops(), Stops()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            stops.take(signal.SIGINT)
    with pytest.raises(Terminated):
        term.take(signal.SIGTERM)
    assert (stops.exit_code, term.exit_code) == (130, 143)
    assert (stops.why, term.why) == ("interrupted by the user", "ended by SIGTERM")


PLANTED = """
import builtins, os, signal, sys

real = builtins.__import__

def planted(name, *rest, **more):
    if name == "roi.profiling.stops":
        os.kill(os.getpid(), signal.SIGTERM)
    return real(name, *rest, **more)

builtins.__import__ = planted
sys.argv = ["roi", "profile"]
from roi.__main__ import main
main()
"""


def test_a_signal_that_comes_before_anything_is_imported_is_answered():
    done = subprocess.run([sys.executable, "-c", PLANTED], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "roi: ended by SIGTERM; nothing was kept\n")


def test_once_there_is_something_to_keep_the_first_signal_ends_and_later_ones_do_nothing():
    ended = []
    stops = Stops()
    stops.guard(lambda: ended.append(1))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        stops.take(number)
    assert (ended, stops.exit_code) == ([1], 143)
    raising = Stops()
    raising.guard()
    with pytest.raises(KeyboardInterrupt):
        raising.take(signal.SIGINT)
    raising.take(signal.SIGINT)


def test_once_the_measuring_is_over_a_signal_shows_in_the_exit_code_only():
    stops = Stops()
    stops.guard()
    stops.finish()
    assert stops.signal is None
    stops.take(signal.SIGTERM)
    assert stops.exit_code == 143


def test_handlers_are_as_before_when_the_block_ends_however_it_does():
    before = handlers()
    with catch_stops() as stops:
        assert handlers() == [stops.take, stops.take]
    assert handlers() == before
    with pytest.raises(ZeroDivisionError), catch_stops():
        _ = 1 / 0
    assert handlers() == before


def test_a_signal_that_is_ignored_stays_ignored():
    """A script's background job ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with catch_stops() as stops:
            assert handlers() == [signal.SIG_IGN, stops.take]
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_signal_that_an_import_swallowed_is_raised_where_the_next_block_begins():
    before = handlers()
    with catch_stops():
        with suppress(Terminated):  # as imports and finalisers do
            os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Terminated), catch_stops():
            pytest.fail("the run begins although it was told to end")
    assert handlers() == before


@pytest.mark.full
@pytest.mark.parametrize("module", ["roi.cli", "click.core", "roi.profiling.device.operator_rates", "torch", "torch.nn",
                                    "bitsandbytes", "transformers"])
def test_sigterm_while_a_profile_imports_its_libraries_ends_with_143(module, tmp_path):
    """The first seconds of `roi profile device`: nothing is measured yet, so nothing is kept, and that is said."""
    words = ("profile", "device", "--device", "cpu", "--budget", "1s", "--profiles", str(tmp_path / "own"))
    command = stopped_at(module, "SIGTERM", MODULE, *words)
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (143, "")
    assert done.stderr.splitlines()[-1:] == ["roi: ended by SIGTERM; nothing was kept"]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "own").exists()


def test_outside_the_main_thread_no_handler_is_set():
    seen, before = [], handlers()

    def elsewhere():
        with catch_stops() as stops:
            seen.append((handlers(), stops.signal))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [(before, None)]


@pytest.mark.full
@pytest.mark.parametrize(("number", "code", "why"), [
    (signal.SIGINT, 130, "interrupted by the user"), (signal.SIGTERM, 143, "ended by SIGTERM"),
])  # fmt: skip
def test_a_load_that_a_signal_ends_leaves_a_file_and_the_signals_code(number, code, why, tmp_path):
    """A real signal to a real process in its loads; the server hears nothing after it."""
    output = tmp_path / "kept.json"
    words = ("--concurrency", "1,2", "--input-tokens", "16", "--output-tokens", "30", "--requests", "200")
    with StepServer(FAST) as server:
        command = [sys.executable, "-m", "roi", "profile", "serve", server.url, *words, "--output", str(output)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        while server.completions < 20 and process.poll() is None:
            time.sleep(0.01)
        os.kill(process.pid, number)
        out, err = process.communicate()
        assert server.completions < 400
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert "incomplete: what was measured is kept" in out
    kept = ServeProfile.model_validate_json(output.read_bytes())
    assert sum(len(p.requests) for p in kept.points) >= 10
    assert (kept.complete, kept.cut.why, kept.cut.failed) == (False, why, False)


@pytest.mark.parametrize(("first", "code", "why"), [
    (signal.SIGINT, 130, "interrupted by the user"), (signal.SIGTERM, 143, "ended by SIGTERM"),
])  # fmt: skip
def test_signals_after_the_first_lose_nothing_whenever_they_come(first, code, why, tmp_path, monkeypatch):
    """At the twelfth answer two at once; then one while the profile is made, one while it is written, one while it is told."""
    told, real, answers = [], os.fsync, []

    def both_at_the_twelfth(answer):
        answers.append(answer)
        if len(answers) == 12:
            os.kill(os.getpid(), first)
            os.kill(os.getpid(), signal.SIGINT)
        return quick_usage(answer)

    def with_a_signal(act, name):
        def acted(*words):
            os.kill(os.getpid(), signal.SIGINT)
            told.append(name)
            return act(*words)
        return acted

    monkeypatch.setattr("roi.profiling.server.load.quick_usage", both_at_the_twelfth)
    monkeypatch.setattr(RunRecord, "make_run", with_a_signal(RunRecord.make_run, "made"))
    monkeypatch.setattr(os, "fsync", with_a_signal(real, "written"))
    monkeypatch.setattr("roi.evidence.measured_servers.fit_serve", with_a_signal(fit_serve, "told"))
    output, before = tmp_path / "kept.json", handlers()
    words = ("--concurrency", "1,2", "--input-tokens", "16", "--output-tokens", "8", "--requests", "8")
    with StepServer(FAST) as server:
        result = ask("profile", "serve", server.url, *words, "--output", output)
    assert (result.exit_code, told) == (code, ["made", "written", "told"])
    kept = ServeProfile.model_validate_json(output.read_bytes())
    assert [p.complete for p in kept.points] == [True, False]
    assert (len(kept.points[0].requests), kept.cut.why) == (8, why)
    assert sum(r.error is None for r in kept.points[1].requests) in {4, 5}  # the other one in flight may have ended as well
    assert "kept.json" in result.stdout
    assert handlers() == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_the_file_is_written_tears_nothing(number, code, tmp_path, monkeypatch):
    """It comes before the file has its name: the file is whole, and so is the profile, which was all measured."""
    real, before = os.fsync, handlers()

    def fsync(handle):
        os.kill(os.getpid(), number)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    output = tmp_path / "kept.json"
    words = ("--concurrency", "1", "--input-tokens", "16", "--output-tokens", "8", "--requests", "4", "--arrivals", "closed")
    with StepServer(FAST) as server:
        result = ask("profile", "serve", server.url, *words, "--output", output)
    assert result.exit_code == code
    assert ServeProfile.model_validate_json(output.read_bytes()).complete
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]
    assert "incomplete" not in result.stdout
    assert handlers() == before


@pytest.mark.parametrize(("number", "code", "said"), [
    (signal.SIGINT, 130, "roi: interrupted; nothing was kept"),
    (signal.SIGTERM, 143, "roi: ended by SIGTERM; nothing was kept"),
])
def test_a_signal_before_the_first_load_keeps_nothing_and_says_so(number, code, said, tmp_path, monkeypatch):
    async def killed(_wire):
        os.kill(os.getpid(), number)

    monkeypatch.setattr("roi.profiling.server.measured_server.ask_server", killed)
    result = ask("profile", "serve", "http://127.0.0.1:9", "--profiles", tmp_path)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.splitlines()[-1] == said
    assert list(tmp_path.iterdir()) == []
