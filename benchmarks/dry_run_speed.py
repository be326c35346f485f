"""CPU seconds of `roi fit MODEL --method qlora --dry-run`, whole command, against their targets.

    python benchmarks/dry_run_speed.py [--rounds N]

Each run is a process of its own, which keeps its profile in a folder of its own that is deleted afterwards: least of N rounds
(1). It needs torch and transformers (`pip install -e ".[profile]"`).
"""

import argparse
import os
from tempfile import TemporaryDirectory

from start_and_scale import loop_s, run

TARGETS = {"llama-3.1-8b": 8.0, "llama-3.1-70b": 12.0}
"""CPU seconds that the dry run of a model should take at most."""


def dry_run(model: str) -> tuple[float, float, float]:
    """CPU seconds, wall seconds and peak MiB of the command."""
    with TemporaryDirectory() as place:
        return run(["-m", "roi", "fit", model, "--method", "qlora", "--dry-run", "--profiles", place], dict(os.environ))


def main() -> None:
    """Print what each model takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    rounds = parser.parse_args().rounds
    print(f"a loop that never changes: {loop_s() * 1e3:.1f} ms of CPU")
    for model, target in TARGETS.items():
        cpu, wall, peak = min(dry_run(model) for _ in range(rounds))
        print(f"roi fit {model} --method qlora --dry-run: {cpu:.1f} s of CPU, {wall:.1f} s of wall, peak {peak:,.0f} MiB"
              f"  ({cpu / target:.2f} of target {target:g} s; n {rounds}, load average {os.getloadavg()[0]:.1f})")


if __name__ == "__main__":
    main()
