"""The guard: a Python that finds the packages of a bare machine and what travels there, no others.

    python bare_machine.py WHEELS FOLDER      rehearse lab/gpu/smoke.py on the simulated card with what WHEELS lists
"""

import gc
import importlib.abc
import re
import sys
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any, Final

THERE: Final = ("accelerate", "pandas", "pyarrow", "torch", "transformers", "xxhash")
"""What the machine has beside the standard library; with all that these need themselves."""


def distributions(wheels: Path) -> set[str]:
    """Names in a list of requirements, as an index compares them."""
    lines = (line.partition("#")[0].strip() for line in wheels.read_text(encoding="utf-8").splitlines())
    return {_plain(line) for line in lines if line}


def with_needs(names: tuple[str, ...]) -> set[str]:
    """The distributions and everything that they need, extras left out."""
    found: set[str] = set()
    waiting = [*map(_plain, names)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            try:
                waiting += [_plain(need) for need in requires(name) or () if "extra ==" not in need]
            except ModuleNotFoundError:
                continue  # needed on another platform
    return found


def _plain(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", name[0] if name else "").lower()


class Guard(importlib.abc.MetaPathFinder):
    """Finds no installed package that is neither there nor travels."""

    def __init__(self, allowed: set[str]) -> None:
        self.allowed = allowed | {"lora-roi"}
        packages = packages_distributions().items()
        self.hidden = {name for name, owners in packages if not any(_plain(owner) in allowed for owner in owners)} - {"roi"}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # Any: importlib's own
        hidden = name.partition(".")[0] in self.hidden
        return None if hidden else PathFinder.find_spec(name, path, target)

    def find_distributions(self, *context: Any) -> Any:  # Any: importlib's own
        """What is installed, as far as it is allowed: others ask for versions."""
        return (found for found in PathFinder.find_distributions(*context) if _plain(found.name) in self.allowed)

    def stand_guard(self) -> None:
        """Take the place of the finder that knows the installed packages: others may ask whether one is there."""
        sys.meta_path[:] = [self if finder is PathFinder else finder for finder in sys.meta_path]


def rehearse(wheels: Path, folder: Path) -> int:
    """The number of smoke commands that fail on the simulated card without the packages that the machine lacks."""
    guard = Guard(distributions(wheels) | with_needs(THERE) | {"pip", "setuptools"})
    guard.stand_guard()
    sys.path[0:1] = [str(Path(__file__).parents[1]), str(wheels.parent)]  # this folder has a cuda.py, which torch would find
    import smoke

    from fake_card.cuda import MIB, simulated_machine
    from roi.profiling import inference
    from roi.profiling.train import train_point

    train_point.TIMED = train_point.WARMUP = 1  # type: ignore[misc] # as few as show that it runs
    inference.MOST = inference.LEAST  # type: ignore[misc]
    sys.stdout.write(f"hidden: {', '.join(sorted(guard.hidden))}\n")
    bad = 0
    for which in ("train", "trainers", "infer"):
        gc.freeze()  # every point begins with a collection, which takes a second among what the imports left
        with simulated_machine(total_bytes=4000 * MIB, token_bytes=2 * MIB):
            bad += smoke.run(folder, which, 16, "90s", ("--layers", "1"))
    return bad


if __name__ == "__main__":
    sys.exit(rehearse(Path(sys.argv[1]), Path(sys.argv[2])))
