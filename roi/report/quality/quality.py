"""How `roi quality` is told: whether each is good enough, scores, differences, cascades, warnings; table, Markdown or JSON."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final

from roi import __version__
from roi.answers.quality import QualityAnswer
from roi.errors import first_of
from roi.numerics.paired import ScorePosterior
from roi.quality.good_enough import TESTED, GoodEnough, Word
from roi.quality.measured import MOST_ITEMS, SURE, Difference, Measured, SystemScore
from roi.report.layout.blocks import Block, Bullets, Gap, Heading, Labelled, Notes, Paragraph, Row, Table, Title
from roi.report.layout.wording import chance, from_to, number_of, percent, told_apart
from roi.units import formatted

SCHEMA = "roi.quality/1"
LABELS: Final[dict[Word, tuple[str, str]]] = {"yes": ("YES", "good"), "unknown": ("UNKNOWN", "doubt"), "no": ("NO", "")}
"""Label and tone of each word."""
MANY: Final = 10_000
"""Items to add from which the mean lies all but on the edge, so that no set of a usual size settles it."""
NEVER: Final = 1e-6
"""A chance below which none is told from another."""
EVEN: Final = 0.5
"""A chance at which nothing is known."""
FEW: Final = f"roi compare takes fewer than {TESTED} items for no test (verdict.min_items)"
MOST_TOLD: Final = 6
"""Systems that have a paragraph of their own; the rest is counted."""


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
    yield from _lone(answer) if measured.alone else _verdicts(answer)
    if answer.warnings:
        yield from (Heading("Warnings"), Bullets(tuple(answer.warnings)))
    yield Heading("Score of each system")
    bar = () if measured.bar is None else (f"reaches\n{percent(measured.bar)}",)
    yield Table(("system", "items", "score", "90%\ninterval", *bar), tuple(map(_score_row, measured.scores)))
    yield from _as_compared(measured)
    yield from _worth(answer)
    yield from () if measured.alone else _against(measured)
    for each in measured.cascades:
        yield Heading(f"Cascade {each.first} > {each.second}")
        parts = (("handed on", each.escalated), ("wrong of what is kept", each.kept_error_rate),
                 ("wrong of what is handed on", each.escalated_error_rate))
        yield Bullets(tuple(f"{words}: {percent(part.share)} (90%: {_interval(part)})" for words, part in parts if part))
    if found.notes.left_out:
        yield Heading("Rows left out")
        yield Bullets(tuple(f"{count:,}: {reason} (first: {found.notes.where[reason]})"
                            for reason, count in found.notes.left_out.items()))


def _against(measured: Measured) -> Iterator[Block]:
    """Differences to the incumbent, and what the columns are."""
    yield Heading(f"Against {measured.incumbent}, on the same items")
    heads = ("system", "pairs", "difference", "90%\ninterval", "lost /\nwon", "McNemar\np",
             f"within\n{100 * measured.margin:.1f}", "shows\nfrom", "items\nto add")  # fmt: skip
    yield Table(heads, tuple(map(_difference_row, measured.differences)))
    yield Paragraph(
        f"Points of 100. lost / won: items on which {measured.incumbent}, or the other, is better. within: chance that it is"
        f" worse by at most {100 * measured.margin:.1f} points, on all items of {measured.incumbent}. shows from: the"
        " smallest true difference that such a set finds (80% power, 10% two-sided). items to add: until the answer is yes or"
        " no, if the means stay.")


def _lone(answer: QualityAnswer) -> Iterator[Block]:
    """What is known of the only system, and what to judge next."""
    yield Gap()
    yield from map(Paragraph, _lone_sentences(answer))


def _lone_sentences(answer: QualityAnswer) -> Iterator[str]:
    """The score, whether it reaches the bar, and what another system is to be judged on."""
    measured, score = answer.measured, answer.measured.scores[0]
    bar = "" if measured.bar is None else f", chance {_sure(score.reaches_bar)} to reach the bar of {percent(measured.bar)}"
    yield (f"{score.system} alone: score {percent(score.seen.share)} (90% {_interval(score.seen)}) on"
           f" {number_of(score.items, 'item')}{bar}.")
    if measured.bar is not None and (more := measured.items_to_bar) != 0:
        yield (f"To know whether it reaches the bar: add {number_of(more, 'item')}{_kind(answer)}, if the mean stays."
               if more is not None and more < MANY else "It lies all but on the bar: more items hardly settle it.")
    same = f"the same {number_of(score.items, 'item')}"
    yield (f"Next: judge a candidate on {same}, and give both results here (--incumbent {score.system}): whether it is good"
           " enough shows in pairs." if measured.incumbent is not None else
           f"Next: judge another system on {same}, and give both results here, with --incumbent for the one that is paid today:"
           " whether the other is good enough shows in pairs.")


def _verdicts(answer: QualityAnswer) -> Iterator[Block]:
    """A labelled paragraph a system other than the incumbent, the good ones first, and what good enough means."""
    told, rest = answer.judged[:MOST_TOLD], answer.judged[MOST_TOLD:]
    yield Gap()
    for each in told:
        label, tone = LABELS[each.good_enough]
        yield Labelled(label, tuple(_sentences(answer, each)), tone)
    if rest:
        counted = ((sum(each.good_enough == word for each in rest), words) for word, words in (
            ("yes", "good enough"), ("unknown", "not known yet"), ("no", "not good enough")))
        said = ", ".join(f"{n} {words}" for n, words in counted if n)
        yield Labelled("", (f"{number_of(len(rest), 'more system')}: {said}; --format json says it of each.",))
    yield Gap()
    yield Notes(tuple(_reading(answer.measured, len(answer.judged))))


def _sentences(answer: QualityAnswer, each: GoodEnough) -> Iterator[str]:
    """The answer on one system with how sure it is, and below it what would settle it or what to mind."""
    measured, asked = answer.measured, _chances(answer.measured, each)
    match each.good_enough:
        case "yes":
            yield f"{each.system} is good enough: {asked}."
        case "no":
            yield f"{each.system} is not good enough: {asked}."
            yield from _bar_of_incumbent(measured, each)
        case "unknown":
            yield f"{each.system}: not known yet; {asked}."
            if (lone := measured.scores[0].items - each.difference.pairs) > 0:
                yield (f"First judge it on the other {number_of(lone, 'item')} of {measured.incumbent}, which are labelled"
                       " already: then nothing need be taken of them.")
            if each.more_items != 0:
                yield _to_know(answer, each)
            elif (own := each.score.items - each.difference.pairs) > 0:
                yield (f"To know: judge {measured.incumbent} too on the {number_of(own, 'item')} that {each.system} alone was"
                       " judged on, which speak against it.")
    if each.good_enough != "no" and each.more_items is not None and each.untested > each.more_items:
        yield f"{FEW}: for that add {each.untested:,}."


def points(share: float) -> str:
    """A part of a score in points of 100, with a decimal where it has one: 2, 2.5."""
    return f"{100 * share:.1f}".removesuffix(".0")


def _chances(measured: Measured, each: GoodEnough) -> str:
    """How likely it is within the margin, and reaches the bar, with what was found and on how much."""
    d, score = each.difference, each.score
    worse = f"at most {points(measured.margin)} points worse than" if measured.margin else "no worse than"
    pairs, seen = number_of(d.pairs, "pair"), d.on_all
    both = f"on all {measured.scores[0].items:,}; {_points(d.on_pairs.value)} on {pairs}"
    on = pairs if seen == d.on_pairs else both
    said = (f"chance {_sure(d.not_worse)} to be {worse} {measured.incumbent} (found {_points(seen.value)}, 90%"
            f" {from_to(_points(seen.low), _points(seen.high))}, {on})")
    if measured.bar is None:
        return said
    own = "" if score.items == d.pairs else (f"; {_sure(score.seen.at_least(measured.bar))} by all of its own (found"
                                             f" {percent(score.seen.share)}, {number_of(score.items, 'item')})")
    return (f"{said}, {_sure(score.reaches_bar)} to reach the bar of {percent(measured.bar)} (found"
            f" {percent(score.posterior.share)}, 90% {_interval(score.posterior)}, {number_of(d.pairs, 'item')}{own})")


def _chance(x: float | None) -> str:
    """A chance in whole percent; none is quite 0 or 1, though no draw, or each, is on one side."""
    return chance(None if x is None else min(max(x, NEVER), 1.0 - NEVER))


def _sure(x: float | None) -> str:
    """A chance in whole percent, or with the digits that tell it apart from the one that is asked."""
    return _chance(x) if x is None or x >= SURE or chance(x) != chance(SURE) else told_apart(percent, x, SURE)[0]


def _bar_of_incumbent(measured: Measured, each: GoodEnough) -> Iterator[str]:
    """Says that the incumbent is below the bar as well, where that is what a system fails by."""
    base, own = measured.scores[0], each.score.reaches_bar
    if measured.bar is None or own is None or base.reaches_bar is None or own > 1.0 - SURE or base.reaches_bar > EVEN:
        return
    nor = f"Nor does {measured.incumbent}" if base.reaches_bar <= 1.0 - SURE else f"Nor is {measured.incumbent} likely to"
    yield (f"{nor} reach that bar, which is paid today: chance {_chance(base.reaches_bar)}. Is it the bar of this metric"
           " (--bar)?")


def _to_know(answer: QualityAnswer, each: GoodEnough) -> str:
    """What to add until it is known, or what keeps it open."""
    d, reaches = each.difference, each.score.reaches_bar
    if each.counted_wrong is not None:
        return (f"Its items without a score are left out; counted as wrong, its score is {percent(each.counted_wrong)}: judge"
                " them, or say --unscored wrong.")
    if each.more_items is not None and each.more_items < MANY:
        return f"To know: add {number_of(each.more_items, 'item')}{_kind(answer)}, if the means stay."
    count = f"more than {MOST_ITEMS:,}" if each.more_items is None else f"{each.more_items:,}"
    edge = "margin" if reaches is None or abs(d.not_worse - EVEN) <= abs(reaches - EVEN) else "bar"
    sure = f"at most {100 * max(-d.on_all.low, 0.0):.1f} points worse" if edge == "margin" else (
        f"a score of {percent(each.score.posterior.interval[0])} or more")
    return (f"Items hardly settle it (to add, if the means stay: {count}): it lies all but on the {edge}. 95% sure is {sure};"
            f" is another --{edge} yours?")


def _kind(answer: QualityAnswer) -> str:
    """Which items are new ones."""
    return " in clusters of their own" if answer.found.clustered else ", not runs of the same" if answer.found.runs > 1 else ""


def _reading(measured: Measured, systems: int) -> Iterator[str]:
    """What good enough means here, and what else to mind."""
    bar = "; no --bar is given" if measured.bar is None else f" and at least 95% to reach the bar of {percent(measured.bar)}"
    either = "it" if measured.bar is None else "either"
    yield (f"Good enough: a chance of at least 95% to be within the margin (--margin {measured.margin:g}){bar}; not: at most 5%"
           f" of {either}. roi compare asks for the bar alone, and weighs the chance to miss it; roi next says what more items"
           " are worth.")
    if systems > 1:
        yield (f"Each of the {systems} systems is judged by itself: the best of several looks better than it is; what is chosen"
               " is better judged again, on new items.")


def _as_compared(measured: Measured) -> Iterable[Block]:
    """Why `roi compare` tells another score: of the incumbent, where that prints otherwise, and where not all items pair."""
    own = measured.scores[0].posterior
    here, there = percent(own.share), percent(own.mean)
    if here != there:
        yield Paragraph(f"Score: of the items seen. roi compare adds half an item each way, as the mean of what the truth may"
                        f" be: {measured.scores[0].system} {here} here, {there} there.")
    carried = [f"{each.system} {percent(each.posterior.share)} (90% {_interval(each.posterior)})" for each in measured.scores
               if each.posterior != each.seen]
    if carried:
        reaches = " takes" if measured.bar is None else " and the chance to reach the bar take"
        yield Paragraph(f"Not all items pair: the score of {measured.incumbent} on all of its own and the pairs make"
                        f" {first_of(carried, MOST_TOLD)}; roi compare{reaches} that.")


def _worth(answer: QualityAnswer) -> Iterable[Block]:
    """How many plain items as exact a score would take, where weights, grades or clusters make that another number."""
    measured = answer.measured
    p = "; McNemar's p is of clusters, each by its sign" if answer.found.clustered else ", and McNemar's p too"
    worth = [each.seen.right + each.seen.wrong for each in measured.scores]
    if any(round(count) != each.items for count, each in zip(worth, measured.scores, strict=True)):
        least, most = (f"{round(end(worth)):,}" for end in (min, max))
        below = "" if measured.alone else f" lost / won, below, are of items whatever they weigh{p}."
        as_many = from_to(str(least), str(most))
        yield Paragraph(f"Weights, grades and clusters counted, the items of a system say as much as {as_many} that are right"
                        f" or wrong, apart and alike.{below}")


def _score_row(each: SystemScore) -> Row:
    bar = () if each.reaches_bar is None else (_chance(each.reaches_bar),)
    return Row((each.system, f"{each.items:,}", percent(each.seen.share), _interval(each.seen), *bar))


def _difference_row(each: Difference) -> Row:
    more = f">{MOST_ITEMS // 1_000_000} M" if each.more_items is None else f"{each.more_items:,}"
    value, low, high = map(_points, each.on_pairs)
    return Row((each.system, f"{each.pairs:,}", value, from_to(low, high),
                f"{each.lost:,} / {each.won:,}", "<0.001" if each.p_value < 0.0005 else f"{each.p_value:.3f}",
                _chance(each.not_worse), f"{100 * each.smallest:.1f}", more))


def _points(share: float) -> str:
    return formatted(share * 100, "+.1f")


def _interval(known: ScorePosterior) -> str:
    low, high = known.interval
    return from_to(percent(low), percent(high))


def quality_json(answer: QualityAnswer) -> str:
    """The whole answer as JSON; null where something is not known or not asked."""
    found, measured = answer.found, answer.measured
    unscored = dict(zip(found.systems, found.unscored, strict=True))
    differences: list[dict[str, Any]] = [
        {"system": each.system, "pairs": each.pairs, "difference": each.on_pairs.value,
         "low": each.on_pairs.low, "high": each.on_pairs.high,
         "items_lost": each.lost, "items_won": each.won, "mcnemar_p": each.p_value, "on_all": each.on_all._asdict(),
         "probability_not_worse": each.not_worse,
         "smallest_difference_shown": each.smallest, "more_items": each.more_items, "agreement": asdict(each.agreement)}
        for each in measured.differences]
    return json.dumps({
        "schema": SCHEMA, "roi_version": __version__,
        "incumbent": measured.incumbent, "bar": measured.bar, "margin": measured.margin,
        "metrics": list(found.notes.metrics), "items": len(found.items), "runs": found.runs,
        "clusters": len(set(found.clusters.tolist())) if found.clustered else None, "results_on": answer.results_on,
        "fixed": {name: asdict(rule) for name, rule in answer.fixed.items()},
        "sources": [{"file": name, "format": title, "rows": rows} for name, title, rows in found.notes.sources],
        "answers": answers_of(answer),
        "alone": {"system": measured.scores[0].system, "sentence": " ".join(_lone_sentences(answer)),
                  "more_items": measured.items_to_bar} if measured.alone else None,
        "scores": [{"system": each.system, "items": each.items, **_rate(each.seen),
                    "compared_as": None if each.posterior == each.seen else _rate(each.posterior),
                    "probability_reaches_bar": each.reaches_bar, "items_without_score": unscored.get(each.system)}
                   for each in measured.scores],
        "without_score": [{"system": name, "items": count} for name, count in found.scoreless.items()],
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
    return [{"system": each.system, "good_enough": each.good_enough, "sentence": " ".join(_sentences(answer, each)),
             "more_items": each.more_items, "items_until_tested": each.untested} for each in answer.judged]


def _rate(known: ScorePosterior) -> dict[str, float]:
    low, high = known.interval
    return {"value": known.share, "low": low, "high": high}
