"""How `roi quality` says whether each system is good enough: a labelled paragraph each, and how to read them."""

from collections.abc import Iterator
from typing import Final

from roi.answers.quality import QualityAnswer
from roi.quality.good_enough import TESTED, GoodEnough, Word
from roi.quality.measured import MOST_ITEMS, SURE, Measured
from roi.report.layout.blocks import Block, Gap, Labelled, Notes
from roi.report.layout.wording import chance, number_of, percent

LABELS: Final[dict[Word, tuple[str, str]]] = {"yes": ("YES", "good"), "unknown": ("UNKNOWN", "doubt"), "no": ("NO", "")}
"""Label and tone of each word."""
MANY: Final = 10_000
"""Items to add from which the mean lies all but on the edge, so that no set of a usual size settles it."""
EVEN: Final = 0.5
"""A chance at which nothing is known."""
MOST_TOLD: Final = 6
"""Systems that have a paragraph of their own; the rest is counted."""


def verdict_blocks(answer: QualityAnswer) -> Iterator[Block]:
    """A labelled paragraph a system other than the incumbent, the good ones first, and what good enough means."""
    told, rest = answer.judged[:MOST_TOLD], answer.judged[MOST_TOLD:]
    yield Gap()
    for each in told:
        label, tone = LABELS[each.good_enough]
        yield Labelled(label, tuple(verdict_sentences(answer, each)), tone)
    if rest:
        counted = ((sum(each.good_enough == word for each in rest), words) for word, words in (
            ("yes", "good enough"), ("unknown", "not known yet"), ("no", "not good enough")))
        said = ", ".join(f"{n} {words}" for n, words in counted if n)
        yield Labelled("", (f"{number_of(len(rest), 'more system')}: {said}; --format json says it of each.",))
    yield Gap()
    yield Notes(tuple(_reading(answer.measured, len(answer.judged))))


def verdict_sentences(answer: QualityAnswer, each: GoodEnough) -> Iterator[str]:
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
            yield _to_know(answer, each)
    more = each.untested if each.more_items is None else each.more_items
    if each.untested and (each.good_enough == "yes" or (each.good_enough == "unknown" and more < each.untested)):
        yield (f"roi compare takes fewer than {TESTED} items for no test (verdict.min_items): add"
               f" {number_of(each.untested, 'item')} for it.")


def points(share: float) -> str:
    """A part of a score in points of 100, with a decimal where it has one: 2, 2.5."""
    return f"{100 * share:.1f}".removesuffix(".0")


def _chances(measured: Measured, each: GoodEnough) -> str:
    """How likely it is within the margin, and reaches the bar, with what was found and on how much."""
    d, score = each.difference, each.score
    worse = f"at most {points(measured.margin)} points worse than" if measured.margin else "no worse than"
    said = (f"chance {chance(d.not_worse)} to be {worse} {measured.incumbent} (found {100 * d.value:+.1f}, 90%"
            f" {100 * d.low:+.1f} to {100 * d.high:+.1f}, {number_of(d.pairs, 'pair')})").replace("-0.0", "+0.0")
    if measured.bar is None:
        return said
    low, high = score.posterior.interval
    return (f"{said}, {chance(score.reaches_bar)} to reach the bar of {percent(measured.bar)} (found"
            f" {percent(score.posterior.share)}, 90% {percent(low)} to {percent(high)}, {number_of(score.items, 'item')})")


def _bar_of_incumbent(measured: Measured, each: GoodEnough) -> Iterator[str]:
    """That the incumbent is below the bar as well, where that is what a system fails by."""
    base, own = measured.scores[0], each.score.reaches_bar
    if measured.bar is None or own is None or base.reaches_bar is None or own > 1.0 - SURE or base.reaches_bar > EVEN:
        return
    yield (f"Nor does {measured.incumbent} reach that bar, which is paid today: chance {chance(base.reaches_bar)}. Is it the"
           " bar of this metric (--bar)?")


def _to_know(answer: QualityAnswer, each: GoodEnough) -> str:
    """What to add until it is known, or what keeps it open."""
    d, reaches = each.difference, each.score.reaches_bar
    if each.counted_wrong is not None:
        return (f"Its items without a score are left out; counted as wrong, its score is {percent(each.counted_wrong)}: judge"
                " them, or say --unscored wrong.")
    kind = " in clusters of their own" if answer.found.clustered else ", not runs of the same" if answer.found.runs > 1 else ""
    if each.more_items is not None and each.more_items < MANY:
        return f"To know: add {number_of(each.more_items, 'item')}{kind}, if the means stay."
    count = f"more than {MOST_ITEMS:,}" if each.more_items is None else f"{each.more_items:,}"
    edge = "margin" if reaches is None or abs(d.not_worse - EVEN) <= abs(reaches - EVEN) else "bar"
    sure = f"at most {100 * max(-d.low, 0.0):.1f} points worse" if edge == "margin" else (
        f"a score of {percent(each.score.posterior.interval[0])} or more")
    return (f"Items hardly settle it (to add, if the means stay: {count}): it lies all but on the {edge}. 95% sure is {sure};"
            f" is another --{edge} yours?")


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
