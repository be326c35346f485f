"""The vocabulary of loads in tables of serving runs: what names arrivals, requests in flight, batches and their sizes.

Patterns are for `plain_words`. NUMBER gives no digits back, so that what must not follow a number is not met by a shorter one.
"""

import re

NUMBER = r"(\d++(?:\.\d++)?+)"

PER = r"(?!\s*k\b|\s*%|\s*(?:/|per)\s*(?:gpu|card|device|replica|rank|instance))"
"""What a number that is said of the whole system is not followed by."""

SEVERAL = re.compile(
    r"\d[\d.]*(?:\s*(?:[-–/&+]|\.\.|\bto\b|\bor\b|\band\b)\s*\d[\d.]*)+|\d[\d.]*(?:,\d[\d.]*)+"
    r"|(?<![\d.])\d+(?:,\s*\d+)+(?=\s*(?:$|\)|users|clients|streams|concurrent))"
)
"""Lists and ranges of numbers: "1-64", "8, 16, 32"."""

WHO = r"(?:users?|clients?|vus?|streams?|sessions?|connections?)"

IN_FLIGHT = (
    (r"(?<!tensor )(?<!pipeline )(?<!data )(?<!expert )(?<!context )\b(?:conc|concurrency|concurrent(?: requests| users)?|users"
     rf"|clients|streams|vus|sessions|connections|in ?flight|parallel(?: requests)?)\s*(?:of|[=:@])?\s*{NUMBER}{PER}"),
    (rf"{NUMBER}\s*(?:virtual |concurrent |parallel |simultaneous )?(?:{WHO}|concurrent|concurrency|in ?flight)\b"
     rf"(?!\s*[=:@]?\s*\d){PER}"),
    rf"{NUMBER}\s*(?:parallel|simultaneous) (?:requests|prompts|queries){PER}",
    rf"{NUMBER}\s*requests? (?:in flight|at a time|in parallel|concurrently){PER}", rf"\bc\s?=\s?{NUMBER}{PER}",
    r"\bc(\d++)\b(?!\.)",
)
"""Requests in flight: "conc=64", "c64", "64 users", "max_concurrency 32"."""

BATCHES = (rf"(?<!max )(?<!maximum )(?<!micro )\b(?:batch(?: ?size)?|bsz?|b(?=\s?=))\s*(?:of|[=:@])?\s*{NUMBER}{PER}",)
"""Sequences of a batch: "bs=8", "batch size 8"; an engine's limit (max_batch_size) is none."""

ALONE = re.compile(
    r"single ?(?:stream|user|request|client|query|prompt)|one (?:\w+ )?at a time|\bsync(?:hronous)?\b|\bsequential(?:ly)?\b"
)
"""One request after the other: MLPerf's SingleStream, GuideLLM's synchronous."""

STATIC = re.compile(
    r"\bstatic\b|latency (?:test|bench)|bench(?:mark)? latency|single ?stream|one batch|llm perf|optimum benchmark"
)
"""A batch that starts together: vLLM's bench latency, SGLang's bench_one_batch, optimum-benchmark."""

SERVED = re.compile(r"closed|\bserv(?:e|er|ing)\b|online|users?\b|clients?\b|conc|in flight|http|\bapi\b")
"""Words beside which a batch size is a number in flight: every request that ends makes room for the next."""

NO_RATE = r"(?!\s*(?:%|s\b|sec|min))"

RATES = (
    (r"(?<!hit )(?<!acceptance )(?<!accept )(?<!error )(?<!success )\b(?:qps|rate|rps)(?: of)?[^\d\s]*\s*"
     rf"{NUMBER}{NO_RATE}"),
    rf"{NUMBER}\s*(?:qps|rps|req(?:uest)?s?\s?(?:/|per)\s?s(?:ec(?:ond)?)?)\b",
    rf"\b(?:constant|poisson|req/s)\s?[@=:]?\s?{NUMBER}{NO_RATE}",
)
"""Arrivals a second."""

MINUTE_RATES = (rf"{NUMBER}\s*(?:rpm|qpm|req(?:uest)?s?\s?(?:/|per)\s?min(?:ute)?)\b",)
"""Arrivals a minute."""

ENDLESS = re.compile(r"\b(?:qps|rate|rps)\W*(?:inf|unlimited)")
"""Every request at once, or as soon as another ends where the number in flight is limited."""

PROMPTS = (
    (r"(?<![\d,.])(\d{1,3}(?:,\d{3})+|\d+)\s*(?:prompts|requests)\b"
     r"(?!\s*(?:/|per|in flight|at a time|in parallel|concurrently))"),
    rf"sharegpt\D{{0,3}}{NUMBER}", rf"num prompts\D{{0,3}}{NUMBER}",
)
"""Requests of the whole run."""

ALL_AT_ONCE = re.compile(
    r"offline|saturat|throughput|\bpeak\b|\bburst\b|sharegpt|batch (?:inference|processing|jobs?|mode|api)"
    r"|\bmax(?:imum)?\b(?! (?:model|loras?|num|tokens|batch|len|seq|context|output|input|new|conc))"
)
"""More requests than the server takes at once, all there from the start."""

SIZED = re.compile(
    r"latency|one batch|\bbatch(?: ?size)?\b|\bbsz?\b|\bconc\w*|\bclients\b|\busers\b|in flight(?! batch)|llm perf"
    r"|optimum benchmark"
)
"""Words of a batch or of a closed loop, which need their size."""

ARRIVING = re.compile(r"poisson|gamma arrivals|open loop|(?:constant|fixed|arrival|request) rate|\bsweep\b")
"""Words of an open loop, which needs its rate."""

LIMITED = re.compile(r"\bsl[oa]s?\b|goodput")
"""The most that keeps an SLO."""

MLPERF_LIMITED = re.compile(r"\b(?:server|interactive)\b")
"""MLPerf's scenarios that keep one; beside words of throughput "server" is only the server."""


def plain_words(text: str) -> str:
    """The text in small letters with a blank for "_", and for a hyphen that stands between no numbers."""
    lower = re.sub(r"_+", " ", text.lower())
    return re.sub(r"\s+", " ", re.sub(r"(?<!\d)-+|-+(?!\d)", " ", lower))


def all_numbers(patterns: tuple[str, ...], text: str) -> list[float]:
    """Every number that one of the patterns finds, in the patterns' order."""
    return [float(next(part for part in found.groups() if part is not None).replace(",", ""))
            for pattern in patterns for found in re.finditer(pattern, text)]


def first_number(patterns: tuple[str, ...], text: str) -> float | None:
    """The first of them; None where there is none."""
    return next(iter(all_numbers(patterns, text)), None)
