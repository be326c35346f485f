"""How `roi quality` is told: whether each is good enough, scores, differences, cascades, warnings; table, Markdown or JSON."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from roi.answers.quality import QualityAnswer
from roi.errors import first_of
from roi.numerics.paired import ScorePosterior
from roi.quality.measured import MOST_ITEMS, Difference, Measured, SystemScore
from roi.report.layout.blocks import Block, Bullets, Heading, Paragraph, Row, Table, Title
from roi.report.layout.wording import chance, number_of, percent
from roi.report.quality.quality_verdict import verdict_blocks, verdict_sentences

SCHEMA = "roi.quality/1"


def quality_blocks(answer: QualityAnswer) -> Iterable[Block]:
    """The parts of the report."""
    found, measured = answer.found, answer.measured
    yield Title("Is it good enough")
    sources = [f"{name} ({title}, {number_of(rows, 'row')})" for name, title, rows in found.notes.sources]
    more = f" with a score, {found.unjudged:,} more without" if found.unjudged else ""
    lost, kept = sum(found.notes.left_out.values()), sum(rows for _, _, rows in found.notes.sources)
    gone = f"; {lost:,} of {number_of(lost + kept, 'row')} left out" if lost else ""
    systems = number_of(len(found.systems) - len(measured.cascades), "system")
    yield Paragraph(
        f"{number_of(len(found.items), 'item')}{more}, {systems}, metric {', '.join(found.notes.metrics)}"
        f"{f', up to {found.runs} runs an item' if found.runs > 1 else ''}"
        f"{f'; {len(set(found.clusters.tolist())):,} clusters' if found.clustered else ''}."
        f" Read: {first_of(sources, 4)}{gone}.")
    yield from verdict_blocks(answer)
    if answer.warnings:
        yield from (Heading("Warnings"), Bullets(tuple(answer.warnings)))
    yield Heading("Score of each system")
    bar = () if measured.bar is None else (f"reaches\n{percent(measured.bar)}",)
    yield Table(("system", "items", "score", "90%\ninterval", *bar), tuple(map(_score_row, measured.scores)))
    yield from _as_compared(measured)
    yield Heading(f"Against {measured.incumbent}, on the same items")
    heads = ("system", "pairs", "difference", "90%\ninterval", "lost /\nwon", "McNemar\np",
             f"within\n{_points(measured.margin)[1:]}", "shows\nfrom", "items\nto add")  # fmt: skip
    yield Table(heads, tuple(map(_difference_row, measured.differences)))
    yield Paragraph(
        f"Points of 100. lost / won: items on which {measured.incumbent}, or the other, is better. within: chance that it is"
        f" worse by at most {_points(measured.margin)[1:]} points. shows from: the smallest true difference that such a set"
        " finds (80% power, 10% two-sided). items to add: until the 90% intervals are clear of the margin"
        f"{' and the bar' if measured.bar is not None else ''}, if the means stay.")
    for each in measured.cascades:
        yield Heading(f"Cascade {each.first} > {each.second}")
        parts = (("handed on", each.escalated), ("wrong of what is kept", each.kept_error_rate),
                 ("wrong of what is handed on", each.escalated_error_rate))
        yield Bullets(tuple(f"{words}: {percent(part.share)} (90%: {_interval(part)})" for words, part in parts if part))
    if found.notes.left_out:
        yield Heading("Rows left out")
        yield Bullets(tuple(f"{count:,}: {reason} (first: {found.notes.where[reason]})"
                            for reason, count in found.notes.left_out.items()))


def _as_compared(measured: Measured) -> Iterable[Block]:
    """Why `roi compare` tells another score of the incumbent, where that prints otherwise."""
    own = next(each.posterior for each in measured.scores if each.system == measured.incumbent)
    here, there = percent(own.share), percent(own.mean)
    if here != there:
        yield Paragraph(f"Score: of the items seen. roi compare adds half an item each way, as the mean of what the truth may"
                        f" be: {measured.incumbent} {here} here, {there} there.")


def _score_row(each: SystemScore) -> Row:
    bar = () if each.reaches_bar is None else (chance(each.reaches_bar),)
    return Row((each.system, f"{each.items:,}", percent(each.posterior.share), _interval(each.posterior), *bar))


def _difference_row(each: Difference) -> Row:
    more = f">{MOST_ITEMS // 1_000_000} M" if each.more_items is None else f"{each.more_items:,}"
    return Row((each.system, f"{each.pairs:,}", _points(each.value), f"{_points(each.low)} to {_points(each.high)}",
                f"{each.lost:,} / {each.won:,}", "<0.001" if each.p_value < 0.0005 else f"{each.p_value:.3f}",
                chance(each.not_worse), _points(each.smallest)[1:], more))


def _points(share: float) -> str:
    return f"{share * 100:+.1f}".replace("-0.0", "+0.0")


def _interval(known: ScorePosterior) -> str:
    low, high = known.interval
    return f"{percent(low)} to {percent(high)}"


def quality_json(answer: QualityAnswer, *, version: str) -> str:
    """The whole answer as JSON; null where something is not known or not asked."""
    found, measured = answer.found, answer.measured
    unscored = dict(zip(found.systems, found.unscored, strict=True))
    differences: list[dict[str, Any]] = [
        {"system": each.system, "pairs": each.pairs, "difference": each.value, "low": each.low, "high": each.high,
         "items_lost": each.lost, "items_won": each.won, "mcnemar_p": each.p_value, "probability_not_worse": each.not_worse,
         "smallest_difference_shown": each.smallest, "more_items": each.more_items, "agreement": asdict(each.agreement)}
        for each in measured.differences]
    return json.dumps({
        "schema": SCHEMA, "roi_version": version,
        "incumbent": measured.incumbent, "bar": measured.bar, "margin": measured.margin,
        "metrics": list(found.notes.metrics), "items": len(found.items), "runs": found.runs,
        "clusters": len(set(found.clusters.tolist())) if found.clustered else None, "results_on": answer.results_on,
        "fixed": {name: asdict(rule) for name, rule in answer.fixed.items()},
        "sources": [{"file": name, "format": title, "rows": rows} for name, title, rows in found.notes.sources],
        "answers": answers_of(answer),
        "scores": [{"system": each.system, "items": each.items, **_rate(each.posterior),
                    "probability_reaches_bar": each.reaches_bar, "items_without_score": unscored.get(each.system)}
                   for each in measured.scores],
        "differences": differences,
        "cascades": [{"first": each.first, "second": each.second, "without_answer": each.no_answer,
                      **{name: (part := getattr(each, name)) and _rate(part)
                         for name in ("escalated", "kept_error_rate", "escalated_error_rate")}} for each in measured.cascades],
        "left_out": [{"reason": reason, "rows": count, "where": found.notes.where[reason]}
                     for reason, count in found.notes.left_out.items()],
        "warnings": answer.warnings,
    }, indent=2, allow_nan=False)


def answers_of(answer: QualityAnswer) -> list[dict[str, Any]]:
    """Whether each system but the incumbent is good enough: a word, the sentences of the screen, what to add to know."""
    return [{"system": each.system, "good_enough": each.good_enough, "sentence": " ".join(verdict_sentences(answer, each)),
             "more_items": each.more_items, "items_until_tested": each.untested} for each in answer.judged]


def _rate(known: ScorePosterior) -> dict[str, float]:
    low, high = known.interval
    return {"value": known.share, "low": low, "high": high}
