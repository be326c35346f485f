"""What the tokens/s of `roi fit` rest on, in words."""

from roi.answers.fit import FitReport
from roi.estimate.training.peft_methods import TUNERS
from roi.evidence.training_speed import pieces_told

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
