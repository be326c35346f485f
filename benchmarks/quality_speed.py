"""`roi quality` on 100,000 items of five systems, and on a log of any size of which almost all is prompts and answers.

Each is the command's own process, three times: CPU seconds (limit 3), wall seconds, and the peak of resident memory (limit
300 MiB). The log is drawn anew in a temporary folder; the long one, in promptfoo's JSON and as JSON lines, is read by a process
whose address space is limited, so that a file that is not streamed ends it.

    python benchmarks/quality_speed.py [--items N] [--systems N] [--rounds N] [--gb X]
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

LIMIT_CPU_S, LIMIT_BYTES = 3.0, 300 << 20
ADDRESS_BYTES = 768 << 20
"""Address space of the run on the long log; the log is longer."""
PROMPT = "A customer writes about an order that did not come. " * 400
"""20 kB: a conversation with documents in it."""


def rows(items: int, systems: int, body: str) -> Iterator[str]:
    """Rows as a user's own script writes them, one system after the other."""
    for system in range(systems):
        for k in range(items):
            yield json.dumps({"id": f"item-{k}", "system": f"system-{system}", "score": int((k * 7 + system) % 10 < 9),
                              "prompt": body}) + "\n"


def promptfoo(items: int, systems: int, body: str) -> Iterator[str]:
    """The same as one JSON document of promptfoo's."""
    yield '{"evalId": "benchmark", "results": {"version": 3, "results": [\n'
    for k in range(items):
        for system in range(systems):
            found = {"testIdx": k, "provider": {"id": f"system-{system}"}, "vars": {"id": f"item-{k}", "text": body},
                     "success": (k * 7 + system) % 10 < 9, "failureReason": 0}
            yield ("," if k or system else "") + json.dumps(found) + "\n"
    yield "]}}\n"


def measured(path: Path, address: int | None = None) -> tuple[float, float, int]:
    """CPU seconds, wall seconds and peak bytes of the command."""
    words = [sys.executable, "-m", "roi", "quality", str(path), "--incumbent", "system-0", "--bar", "0.85"]
    limit = None if address is None else lambda: resource.setrlimit(resource.RLIMIT_AS, (address, address))
    started = time.perf_counter()
    run = subprocess.Popen(words, stdout=subprocess.DEVNULL, preexec_fn=limit,  # noqa: S603, PLW1509 -- this interpreter
                           env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    _, status, used = os.wait4(run.pid, 0)
    run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode:
        raise SystemExit(f"roi quality ended with {run.returncode}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - started, used.ru_maxrss * 1024


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--systems", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gb", type=float, default=1.0)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        path = Path(folder, "rows.jsonl")
        with path.open("w") as file:
            file.writelines(rows(asked.items, asked.systems, "Where is my order?"))
        found = [measured(path) for _ in range(asked.rounds)]
        cpu, wall = (statistics.median(each[k] for each in found) for k in (0, 1))
        peak = max(each[2] for each in found) / 2**20
        print(f"{asked.items:,} items x {asked.systems} systems: median {cpu:.2f} s of CPU (limit {LIMIT_CPU_S:g}),"
              f" {wall:.2f} s; peak {peak:,.0f} MiB (limit {LIMIT_BYTES >> 20})")
        for write, name in ((rows, "long.jsonl"), (promptfoo, "long.json")):
            path = Path(folder, name)
            with path.open("w") as file:
                file.writelines(write(max(int(asked.gb * 1e9 / 2 / len(PROMPT)), 1), 2, PROMPT))
            cpu, wall, most = measured(path, ADDRESS_BYTES)
            print(f"{path.stat().st_size / 1e9:.2f} GB of {name[5:]} in an address space of {ADDRESS_BYTES >> 20} MiB:"
                  f" {cpu:.2f} s of CPU, {wall:.2f} s; peak {most / 2**20:,.0f} MiB")
            path.unlink()


if __name__ == "__main__":
    main()
