"""CPU seconds of whole commands against a bare interpreter, and what the largest comparison and a folder of scenarios take.

    python benchmarks/start_and_scale.py [--scenarios N]

Start: each command in a process of its own, least of five, against an interpreter that imports numpy and pydantic, both with
their bytecode compiled, as pip leaves it. `roi compare` three times: asked the same again, so that the cache folder holds its
Case; with a seed that nobody asked for, so that it holds the replays alone; and without the cache. Scale: 120 options over
120 months and 16,384 draws, the bundled scenario's options many times over, in a process of its own: CPU seconds and the
peak of resident memory. Then a folder of N scenarios (100), in one process and in two.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

ROUNDS = 5
COMMANDS = {
    ("--help",): 0.10, ("compare",): None, ("compare", "--seed", "{round}"): None, ("compare", "--no-cache"): None,
    ("fit", "llama-3.1-8b", "--method", "qlora"): 0.4, ("size",): None,
}  # fmt: skip
"""Commands, and the CPU seconds that they should take at most, where that is stated; {round} is another number each time."""
RATIO = 5.0
"""`roi compare` over the bare interpreter, at most."""
OPTIONS, MONTHS, DRAWS = 120, 120, 16_384


def run(words: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """CPU seconds, wall seconds and peak MiB of a process."""
    started = time.perf_counter()
    child = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,  # noqa: S603
                             env=environment)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(words)[:60]} ended with {child.returncode}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - started, used.ru_maxrss / 1024


def start(environment: dict[str, str]) -> None:
    """Print what each command takes, in the first run of which the cache folder is filled."""
    bare = min(run(["-c", "import numpy, pydantic"], environment)[0] for _ in range(ROUNDS + 1))
    print(f"bare interpreter with numpy and pydantic {bare:.3f} s of CPU")
    for words, limit in COMMANDS.items():
        asked = [["-m", "roi", *(word.format(round=k) for word in words)] for k in range(ROUNDS + 1)]
        taken = min([run(each, environment)[0] for each in asked][1:])
        wanted = f"target {limit:g} s" if limit else f"target {RATIO:g} x" if words == ("compare",) else "no target"
        print(f"roi {' '.join(words):38}{taken:6.3f} s  {taken / bare:5.1f} x  ({wanted})")


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


def folder(count: int, environment: dict[str, str]) -> None:
    """Print what a folder of scenarios takes, which differ in volume."""
    bundled = files("roi.scenario").joinpath("templates", "bundled.yaml").read_text(encoding="utf-8")
    with TemporaryDirectory() as place:
        for k in range(count):
            volume = f"requests_per_day: {100_000 + 1_000 * k}"
            Path(place, f"{k:04}.yaml").write_text(re.sub(r"requests_per_day:.*", volume, bundled, count=1), encoding="utf-8")
        for jobs in (1, 2):
            cpu, wall, _ = run(["-m", "roi", "compare", place, "--format", "jsonl", "--jobs", str(jobs)], environment)
            print(f"{count} scenarios, --jobs {jobs}: {cpu / count:.2f} s of CPU and {wall / count:.2f} s each")


def main() -> None:
    """Print all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenarios", type=int, default=100)
    parser.add_argument("--largest", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.largest:
        largest()
        return
    print(f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    with TemporaryDirectory() as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": cache, "OMP_NUM_THREADS": "1", "PYTHONPYCACHEPREFIX": f"{cache}/code",
                       "PYTHONDONTWRITEBYTECODE": ""}
        start(environment)
        subprocess.run([sys.executable, __file__, "--largest"], check=True, env=environment)  # noqa: S603
        folder(asked.scenarios, environment)


if __name__ == "__main__":
    main()
