"""What the tokens/s of `roi fit` rest on, in words."""

from collections.abc import Iterable
from typing import Final

from roi.answers.fit import FitReport, GpuLine
from roi.estimate.training.peft_methods import TUNERS
from roi.evidence.training_speed import pieces_told
from roi.report.layout.wording import figure, percent

LEAST_LINKED: Final = 0.02
"""Share of the time in collectives from which on it is told."""
_SPEED_WORDS = {
    "profile": "profiles measured here", "device": "a dry run's operators over rates measured here",
    "tuner": "LoRA's, at the pace of peft's tuners of its kind",
    "mixture": "runs of dense models, none published is of a mixture",
    "gpu": "runs published for the card", "layout": "runs on other cards", "all": "runs on other cards",
}
"""The words for each level of evidence that a speed may rest on."""


def speed_words(level: str, method: str) -> str:
    """The words for the evidence behind the method's speed; for one that is not peft's, that the pace is that of peft's."""
    if level == "tuner" and (package := TUNERS[method].package) != "peft":
        return f"LoRA's, at the pace of peft's tuners without targets ({method} is {package}'s)"
    return _SPEED_WORDS[level]


def speed_sources(report: FitReport) -> str:
    """What tokens/s and hours rest on, cards of the same evidence together, and the ceiling of MFU that a profile shows."""
    cards: dict[tuple[str, str], list[str]] = {}
    for line in [line for line in report.lines if line.fit.fits] or report.lines:
        found = line.evidence
        sources = f", {', '.join(found.sources[:2])}" if found.level in {"profile", "device", "gpu"} else ""
        words = f"{speed_words(found.level, report.plan.method)}{sources} (n = {found.n})"
        told = ": ".join(filter(None, (words, pieces_told(found))))
        if line.ceiling is not None:
            told += f"; MFU at most {100.0 * line.ceiling[0]:.0f}%, by the best product of {line.ceiling[1]}"
        cards.setdefault((told, found.level), []).append(line.fit.gpu.id)
    return "; ".join(f"{', '.join(names) if len(cards) > 1 else 'all'}: {told}" for (told, _), names in cards.items())


def link_words(gpus: int, line: GpuLine) -> Iterable[str]:
    """How much of the time cards wait for PCIe, at which rate, and what half the rate would make of it."""
    if line.link_bytes_per_s is None or not line.fit.gpu.pcie or line.link_share < LEAST_LINKED:
        return
    longer, rate = 1.0 + line.link_share, f"{line.link_bytes_per_s / 1e9:.0f} GB/s from each card"
    half = f"{line.tokens_per_s / longer:,.0f} tokens a second" if line.hours is None else (
        f"{figure(line.hours[0] * longer)} hours")
    told = f"Link: {percent(line.link_share)} of the time is collectives over PCIe, none hidden, {rate}"
    measured = bool(line.evidence.efficiency.links)
    slower = "" if measured or gpus == 2 else f", as two reach; at half of it, as {gpus} may without peer-to-peer: {half}"
    yield f"{told}{', as measured' * measured}{slower}"
