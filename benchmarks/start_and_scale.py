"""CPU seconds of whole commands against a bare interpreter, and what the largest comparison and a folder of scenarios take.

    python benchmarks/start_and_scale.py [--scenarios N] [--folder-only]

Start: each command in a process of its own, least of eight, against an interpreter that imports numpy and pydantic, both with
their bytecode compiled, as pip leaves it; all in turn, so that a neighbour's busy minute meets them alike. `roi compare`
three times: asked the same again, so that the cache folder holds its Case; with a seed that nobody asked for, so that it
holds the replays alone; and without the cache. `roi usage` of an export of two rows likewise, asked again and without the
cache. Scale: 120 options over 120 months and 16,384 draws, the bundled scenario's options many times over, in a process of
its own: CPU seconds and the peak of resident memory. Then a folder of N scenarios (100) that differ in volume, rent, people
and candidates, every hundredth of which is bad, in one process and in two: the lines are in the order of the names, and a bad
file is a line of its own.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

ROUNDS = 8
BARE = ["-c", "import numpy, pydantic"]
COMMANDS = {
    ("--help",): 0.10, ("compare",): None, ("compare", "--seed", "{round}"): None, ("compare", "--no-cache"): None,
    ("fit", "llama-3.1-8b", "--method", "qlora"): 0.4, ("usage", "{rows}"): 1.2, ("usage", "{rows}", "--no-cache"): None,
    ("size",): None,
}  # fmt: skip
"""Commands, and the CPU seconds that they should take at most, where that is stated; {round} is another number each time,
{rows} an export of two rows, of two groups that are compared.
"""
EXPORT = Path(__file__).parents[1] / "examples" / "openai_export.csv"
RATIO = 5.0
"""`roi compare` over the bare interpreter, at most."""
OPTIONS, MONTHS, DRAWS = 120, 120, 16_384
BAD, BAD_INPUT = 50, 2
"""Number of the bad scenario of each hundred, and the exit code that one leads to."""


def run(words: list[str], environment: dict[str, str], *codes: int) -> tuple[float, float, float]:
    """CPU seconds, wall seconds and peak MiB of a process, which ends with 0 or one of `codes`."""
    started = time.perf_counter()
    child = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,  # noqa: S603
                             env=environment)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in {0, *codes}:
        raise SystemExit(f"{' '.join(words)[:60]} ended with {child.returncode}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - started, used.ru_maxrss / 1024


def loop_s() -> float:
    """CPU seconds of a loop that never changes, least of eight: on another machine or day, other figures follow it."""
    least = float("inf")
    for _ in range(ROUNDS):
        begun, total, held = time.process_time(), 0, {}
        for i in range(300_000):
            total += i * 2
            held[i & 255] = total
        least = min(least, time.process_time() - begun)
    return least


def start(environment: dict[str, str]) -> None:
    """Print what each command takes, in the first run of which the cache folder is filled; all in turn, round by round."""
    rows = Path(environment["XDG_CACHE_HOME"], "two_rows.csv")
    rows.write_text("".join(EXPORT.read_text("utf-8").splitlines(keepends=True)[:3]), "utf-8")
    taken: dict[tuple[str, ...], list[float]] = {words: [] for words in ((), *COMMANDS)}
    for k in range(ROUNDS + 1):
        for words, least in taken.items():
            asked = ["-m", "roi", *(word.format(round=k, rows=rows) for word in words)] if words else BARE
            least.append(run(asked, environment)[0])
    bare = min(taken.pop(())[1:])
    print(f"bare interpreter with numpy and pydantic {bare:.3f} s of CPU")
    for words, limit in COMMANDS.items():
        least_s = min(taken[words][1:])
        wanted = f"target {limit:g} s" if limit else f"target {RATIO:g} x" if words == ("compare",) else "no target"
        print(f"roi {' '.join(words).replace('{rows}', 'of two rows'):38}{least_s:6.3f} s  {least_s / bare:5.1f} x  ({wanted})")


def largest() -> None:
    """Compare the largest case that is asked for, and print what it took; runs in a process of its own."""
    from roi.economics.decision.comparison import compare
    from roi.facts.case import Case
    from roi.resolution.resolution import resolve
    from roi.scenario.file import load_scenario

    case = resolve(load_scenario(None, (f"draws={DRAWS}", f"horizon_months={MONTHS}"))).case
    facts, base = dict(case.facts), [id for id in case.options if id != "stay"]
    for k in range(OPTIONS - len(case.options)):
        own = f"options.{base[k % len(base)]}."
        facts |= {f"options.{own[8:-1]}-{k}.{path.removeprefix(own)}": fact for path, fact in case.facts.items()
                  if path.startswith(own)}
    before = time.process_time()
    found = compare(Case(facts=facts))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(found.case.options)} options ({len(found.options)} feasible) x {MONTHS} months x {DRAWS:,} draws:"
          f" {time.process_time() - before:.1f} s of CPU, peak {peak:,.0f} MiB")


def scenarios(count: int, place: Path) -> None:
    """Write the bundled scenario many times: other volumes, SLOs, costs of errors and hours, cards or none; one in 100 bad."""
    bundled = files("roi.scenario").joinpath("templates", "bundled.yaml").read_text(encoding="utf-8")
    for k in range(count):
        fields = {"requests_per_day": -1 if k % 100 == BAD else 20_000 + 1_000 * k, "ttft_p95_s": 1.0 + 0.25 * (k % 4),
                  "usd_per_error": 0.0005 * (1 + k % 9), "own_hardware": str(k % 2 == 0).lower()}
        text = f"{bundled}\npeople: {{usd_per_hour: {60 + k % 70}}}\n"
        for name, value in fields.items():
            text = re.sub(rf"(?m)^( +{name}:).*", rf"\1 {value}", text, count=1)
        (place / f"{k:04}.yaml").write_text(text, encoding="utf-8")


def folder(count: int, environment: dict[str, str]) -> None:
    """Print what a folder of scenarios takes; AssertionError where a line is not where it belongs."""
    with TemporaryDirectory() as place:
        scenarios(count, Path(place))
        output = Path(place, "lines.jsonl")
        words = ["-m", "roi", "compare", place, "--format", "jsonl", "--output", str(output)]
        cpu, wall, peak = run(words, environment, BAD_INPUT)
        told = [(line["file"], "error" in line) for line in map(json.loads, output.read_text("utf-8").splitlines())]
        assert told == [(f"{k:04}.yaml", k % 100 == BAD) for k in range(count)]
        print(f"{count} scenarios: {cpu / count:.2f} s of CPU and {wall / count:.2f} s each, peak {peak:,.0f} MiB")


def main() -> None:
    """Print all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenarios", type=int, default=100)
    parser.add_argument("--folder-only", action="store_true", help="Measure the folder of scenarios alone.")
    parser.add_argument("--largest", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.largest:
        largest()
        return
    print(f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    with TemporaryDirectory() as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": cache, "OMP_NUM_THREADS": "1", "PYTHONPYCACHEPREFIX": f"{cache}/code",
                       "PYTHONDONTWRITEBYTECODE": ""}
        if not asked.folder_only:
            start(environment)
            subprocess.run([sys.executable, __file__, "--largest"], check=True, env=environment)  # noqa: S603
        folder(asked.scenarios, environment)


if __name__ == "__main__":
    main()
