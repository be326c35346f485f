"""What a report does not tell: where files lie, who is at the machine; and where the reader must not know, rates and names."""

import re
from collections.abc import Iterable, Mapping
from functools import cache

from roi.report.page.parts import Change, Page, changed

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


MONEY = r"-?\$[\d.,]*\d(?:k|M|bn|tn)?"
RATES = (
    rf"{MONEY}(?: (?:to|-) {MONEY})?(?=/(?!month\b)\w)",
    rf"(?<=between ){MONEY} and {MONEY}(?= each)|(?<=, counted at ){MONEY}",
    rf"{MONEY}(?= (?:each|per|an? (?:GPU|million|hour)|for 1,000))",
    rf"(?<=GPU hour below ){MONEY}(?: \(today {MONEY})?|(?<=GPU hour above ){MONEY}(?: \(today {MONEY})?",
    rf"(?<=GPU below ){MONEY}(?: \(today {MONEY})?|(?<=GPU above ){MONEY}(?: \(today {MONEY})?",
    rf"(?<=a wrong answer costs less than about ){MONEY}|(?<=a wrong answer costs more than about ){MONEY}",
    rf"(?<=: about ){MONEY}(?= and )",  # what an experiment costs: mostly hours
    r"[\d.,]*\d(?= ?USD/(?!month\b)\w)",
)
"""What is paid for one thing: an hour, a request, a million tokens, a label, a wrong answer."""
COUNTS = r"\b\d[\d,.]*[kM]?(?= (?:more|fewer) a month\b)"
"""How many more answers are wrong: beside what they cost, it tells the price of one."""


NAMERS = ("apis", "options", "systems", "vendors", "scores", "escalated", "tokens")
"""Of the path of a fact, or of a field that a remark names, what stands before a name."""
BEFORE = rf"(?:(?<![\w.+-])|{'|'.join(rf'(?<={place}[.])' for place in NAMERS)})"
"""What may stand before a name: no part of a word, or the place of a fact whose path is told."""
CUT_NAME = re.compile(r"([\w.+@-]*[\w+@-]{2})[.]{3}(?![.])")
"""The beginning of a word that was cut to a picture's width, which may be a name's: that stands for it."""


def redaction(names: Mapping[str, str], hidden: Iterable[str]) -> Change:
    """Replaces `names` in a text by what stands for each, and hides rates; `hidden` are texts that give one away."""
    told = sorted(filter(None, names), key=len, reverse=True)
    every = re.compile(f"{BEFORE}(?:{'|'.join(map(re.escape, told))})(?![\\w+-])") if told else None
    literal = [(text, re.sub(rf"{MONEY}|[\d.,]*\d%?", HIDDEN, text)) for text in sorted(hidden, key=len, reverse=True) if text]
    change_names: Change = (lambda text: every.sub(lambda found: names[found[0]], text)) if every else str

    def whole(found: re.Match[str]) -> str:
        """The name that was cut, the longest that begins so, or the word as it stands."""
        return next((name for name in told if name.startswith(found[1])), found[0])

    @cache
    def change(text: str) -> str:
        for each, left in literal:
            text = text.replace(each, left)
        for rate in RATES:
            text = re.sub(rate, f"${HIDDEN}", text)
        text = re.sub(COUNTS, HIDDEN, text)
        return change_names(CUT_NAME.sub(whole, text))

    return change
