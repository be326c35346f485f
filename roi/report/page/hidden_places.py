"""What no page tells: where files lie, and who is at the machine."""

import re
from collections.abc import Iterable

from roi.report.page.parts import Page, changed

HIDDEN = "…"
SUFFIXES = "json|jsonl|ya?ml|csv|tsv|parquet|eval|txt|md|py|ipynb|log|gz|zip|zst|db|sqlite|duckdb|html?|xlsx|safetensors|gguf"
OWN_HOST = r"localhost|[\w-]+|\d+(?:\.\d+){3}|[\w.-]+\.(?:local|lan|internal|corp)"
"""Machines that no public name leads to."""
PLACES = (
    (r"(?<![\w@])[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b(?::\S*)?", lambda found: HIDDEN),  # user@host, and what scp writes behind it
    (r"(?:file://)(\S*)", lambda found: _last(found[1])),
    (rf"\b(https?|postgres(?:ql)?|mysql|wss?)://(?:[^\s/@]*@)?(?:{OWN_HOST})(?::\d+)?(?=[/\s,;)]|$)",
     lambda found: f"{found[1]}://{HIDDEN}"),
    (r"(?<![\w\\])(?:[A-Za-z]:\\|\\\\)[^\s'\"<>|]*", lambda found: _last(found[0])),
    (r"(?<![\w:/.…])(?:~[\w-]*|\.{1,2})?(?:/[^\s/'\"<>|:;,()\[\]]+){2,}/?", lambda found: _last(found[0])),
    (rf"(?<![\w:/.@+-])(?:~/|\.{{0,2}}/)?(?:[\w.@+-]+/)*[\w.@+-]+\.(?:{SUFFIXES})\b(?!\.\w)", lambda found: _last(found[0])),
)
"""Patterns of places, and what stands for each: the name of a file, nothing of a folder, a user or a machine of one's own."""
PLAIN_NAMES = {"root", "user", "admin", "home", "localhost", "ubuntu", "runner", "data", "test", "local"}
"""Names of accounts and machines that tell nothing."""


def _last(path: str) -> str:
    """The name of a file at the end of a path; of a folder nothing."""
    name = re.split(r"[/\\]", path)[-1]
    return name if re.search(rf"\.(?:{SUFFIXES})$", name) else HIDDEN


def without_places(page: Page, own: Iterable[str] = ()) -> Page:
    """The page without paths, accounts and machines. `own` are the names of this account and machine, and its folders."""
    names = [name for name in own if len(name) > 2 and name.lower() not in PLAIN_NAMES]
    exact = [(re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])"), lambda found: HIDDEN)
             for name in sorted(names, key=len, reverse=True)]
    patterns = [(re.compile(pattern), told) for pattern, told in PLACES]

    def change(text: str) -> str:
        for pattern, told in (*patterns, *exact):
            text = pattern.sub(told, text)
        return text

    return changed(page, change)
