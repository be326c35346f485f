"""The guard: a Python that finds the packages of a bare machine (python, torch, transformers, ...) and what travels, no others.

    python bare_machine.py TRAVELS MODULE ...     names that travel, with commas; then what follows python -m
"""

import importlib.abc
import runpy
import sys
from importlib.metadata import packages_distributions
from typing import Final

THERE: Final = frozenset({
    "accelerate", "huggingface_hub", "numpy", "pandas", "pip", "safetensors", "setuptools", "tokenizers", "torch",
    "transformers", "triton",
})
"""What the lent machine has beside the standard library, with what these packages need themselves."""
NEEDED_BY_THEM: Final = frozenset({
    "_distutils_hack", "anyio", "certifi", "charset_normalizer", "dateutil", "filelock", "fsspec", "functorch", "h11",
    "hf_xet", "httpcore", "httpx", "idna", "jinja2", "markdown_it", "markupsafe", "mdurl", "mpmath", "networkx",
    "packaging", "pkg_resources", "psutil", "pygments", "pytz", "regex", "requests", "shellingham", "six", "sniffio",
    "sympy", "torchgen", "tqdm", "typer", "typing_extensions", "tzdata", "urllib3", "yaml",
})


class Guard(importlib.abc.MetaPathFinder):
    """Refuses every installed package that is neither there nor travels."""

    def __init__(self, travels: frozenset[str]) -> None:
        self.hidden = frozenset(packages_distributions()) - THERE - NEEDED_BY_THEM - travels
        self.asked: set[str] = set()

    def find_spec(self, name: str, *_: object) -> None:
        top = name.partition(".")[0]
        if top in self.hidden:
            self.asked.add(top)
            raise ModuleNotFoundError(f"No module named {name!r} (hidden by the guard)", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, Guard(frozenset(sys.argv[1].split(","))))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
