"""Does the decision still hold? An answer against a policy: which rule breaks, and by how much.

    FILE --compare_file--> Comparison --Policy--> rules, each with what was asked and what was found
    saved comparison ------signposts, verdict------^
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date as Date
from functools import partial
from math import isclose
from pathlib import Path
from typing import Unpack

from roi.answers.compare import CompareOptions, compare_file
from roi.answers.held_signposts import held_against, rent_then_and_now
from roi.answers.saved import Advice, Saved, differences, read_saved, replay, two_tasks
from roi.economics.decision.comparison import Comparison
from roi.economics.decision.draws import draws_and_seed
from roi.economics.decision.option_result import OptionResult
from roi.economics.decision.recommendation import chance, value
from roi.economics.decision.turning.error_price import USD_PER_ERROR, one_price
from roi.economics.decision.turning.load_and_rent import REQUESTS_PER_DAY
from roi.economics.decision.turning.signposts import BAR, OTHER_SIDE, Signpost
from roi.economics.inputs import Option, path_of
from roi.economics.outlook import facts_behind
from roi.errors import InputError, UnknownName, first_of, nearest_file
from roi.facts.case import Case
from roi.facts.fact import Basis
from roi.scenario.other_files import SCENARIO, what_it_is
from roi.scenario.policy import Policy, Range, load_policy
from roi.units import dollars

AGES = frozenset({Basis.MEASURED, Basis.CALIBRATED, Basis.DRY_RUN, Basis.QUOTED, Basis.STATED})
"""Bases of facts that grow old: prices, measurements, what the user states with a date. A datasheet or a paper does not."""
LIMITS = ("monthly_cash_usd", "upfront_usd", "expected_npv_usd", "payback_months", "chance_to_beat_staying", "wrong_answers",
          "evidence_age_days")
"""Fields of a policy that bound a figure."""
OF_A_CHANGE = ("chance_to_beat_staying", "expected_npv_usd")
"""Fields that bound what a change brings over staying: where staying leads nothing is changed, and they hold."""
CROSSED = 1e-9
MOST_NAMED = 3
"""Systems that one rule names at most."""
THRESHOLDS = "at that threshold both cost the same, at the central values", "that threshold is what the quality bar admits"
"""What a signpost's threshold is: of a price or a volume, and of an error rate that the bar bounds."""
PRICED, VOLUME, RENTS = "signposts.usd_per_error", "signposts.requests_per_day", "signposts.usd_per_gpu_hour"
FOLLOWING = "signposts.successor_price_ratio"
"""The rules on the price of a wrong answer, the volume, the rents and the price of what follows today's model at which the
advice turns: on no pair of options."""
ADVICE_TURNS = "beyond it another option is advised, by means and chances"
ADVICE_TURNS_UNDRAWN = "beyond it another option is advised, at the central values"
ADVICE_TURNS_IF = "beyond it another option may be advised, or at no price; the draws do not tell"
ADVICE_MAY_TURN = "between it and {} the advice turns; the draws do not place it closer"
IN_PLACE, IN_USE = ", in its place", ", once in use"
"""Behind a rival that goes before the option, or after it: there are thresholds of both."""
NOT_YET = "; it has not yet"
UNCHANGED, UNCHANGED_UNDRAWN = "; the advice, which goes by means and chances, is unchanged", "; the advice is unchanged"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of a policy, and whether it holds."""

    name: str
    """The field of the policy; facts.PATH; signposts.OPTION.QUANTITY, PRICED, VOLUME, RENTS and FOLLOWING of the advice;
    scores_measured (told where it breaks), saved_as_written, file_as_written."""
    holds: bool
    limit: float | str | None
    """What was asked: a number, or the option that was recommended."""
    side: str
    """at least, at most, above, below (of a signpost), or is."""
    found: float | str | None
    """What the answer says; None where it says nothing, inf where a payback never comes."""
    over: float | None
    """How far a limit is missed, in its unit; None where the rule holds, or where there is no distance."""
    about: str = ""
    """What the rule is about: the option and its rival, the fact, why there is no verdict."""
    note: str = ""
    """What the threshold of a signpost is, and of one that is passed that the advice is unchanged, where it is; for a verdict
    of the same steps, that another of them leads."""


@dataclass(frozen=True, kw_only=True)
class CheckAnswer:
    """A comparison, and the rules that it was held against."""

    comparison: Comparison
    kept: Comparison | None
    """The saved comparison that was decided on, replayed."""
    rules: tuple[Rule, ...]
    day: Date
    """The day from which ages are counted."""
    today: Date
    warnings: tuple[str, ...]
    note: str

    @property
    def two_tasks(self) -> str:
        """A sentence where what was decided on is another task by its title; empty where it is not, or nothing is kept."""
        return "" if self.kept is None else two_tasks(self.kept, self.comparison)

    @property
    def broken(self) -> tuple[Rule, ...]:
        """The rules that do not hold."""
        return tuple(rule for rule in self.rules if not rule.holds)


def check_file(
    file: Path | None, policy_file: Path | None, *, today: Date, as_of: str | None = None, saved_file: Path | None = None,
    **asked: Unpack[CompareOptions],
) -> CheckAnswer:
    """The answer of `file` (a scenario, or a saved comparison) against the policy.

    Without a policy it is asked whether there is a verdict, on a tested option; with `saved_file` also whether it is that of
    the saved comparison, and whether its signposts hold. `as_of` is another day for prices than the scenario's own; ages are
    counted from it, else from `today`.
    """
    policy, folder = (Policy(), Path()) if policy_file is None else (load_policy(policy_file, file), policy_file.parent)
    if saved_file is not None:
        policy = policy.model_copy(update={"saved": str(saved_file), "verdict_unchanged": True, "signposts_hold": True})
        folder = Path()
    if policy.saved is None and (policy.verdict_unchanged or policy.signposts_hold):
        rule = "verdict_unchanged" if policy.verdict_unchanged else "signposts_hold"
        raise InputError(f"{policy_file}: {rule} needs the comparison that was decided on: saved: decision.json, or --saved")
    given = None if file is None else read_saved(file)
    field = "--saved" if saved_file else f"{policy_file}: saved"
    saved = None if policy.saved is None else _saved(folder / policy.saved, field)
    if as_of is not None and given is not None:
        raise InputError(f"--as-of: {file} is a saved comparison, whose facts have their own day; name its scenario")
    found = compare_file(file, as_of=as_of, saved=given, **asked)
    day = today if as_of is None else Date.fromisoformat(as_of)
    kept = None if saved is None else replay(saved, thresholds=policy.signposts_hold)
    moved = "" if saved is None or kept is None else differences(saved, kept)
    posts = () if saved is None or kept is None else saved.signposts or (*kept.signposts, *kept.signposts_once_in_use)
    _check_names(found.comparison, policy, str(policy_file or "policy"))
    rules = (*_rules(found.comparison, policy, saved, kept, posts, day), *_as_written("saved_as_written", saved, moved),
             *_as_written("file_as_written", given, "" if given is None else differences(given, found.comparison)))
    return CheckAnswer(comparison=found.comparison, kept=kept, rules=rules, day=day, today=today,
                       warnings=(*((moved,) if moved else ()), *found.warnings),
                       note="; ".join(filter(None, (found.note, moved))))


def _saved(path: Path, field: str) -> Saved:
    if path.is_dir():
        raise InputError(f"{field}: {path}: a directory; give a file")
    if not path.is_file():
        raise InputError(f"{field}: no file {path}{nearest_file(path)}")
    saved = read_saved(path)
    if saved is None:
        other = what_it_is(path)
        but, made_of = (", but " + other.what if other else ""), path if other == SCENARIO else "SCENARIO"
        raise InputError(f"{field}: {path} is no saved comparison{but}; save one with `roi compare {made_of} --format json`")
    return saved


def _rules(
    c: Comparison, policy: Policy, saved: Saved | None, kept: Comparison | None, posts: Sequence[Signpost], day: Date
) -> Iterator[Rule]:
    """Every rule that the policy asks, in its order; one that there is a verdict always comes first."""
    v = c.verdict
    yield Rule(name="verdict", holds=v.recommended is not None, limit=None, side="is", found=v.recommended, over=None,
               about="" if v.recommended is not None else v.sentence)
    if saved is not None and (lost := _no_longer_measured(saved.case, c.case)):
        yield Rule(name="scores_measured", holds=False, limit="measured", side="is", found="assumed", over=None,
                   about=first_of(lost, MOST_NAMED), note="the saved decision rests on them: --quality, or quality.scores")
    if saved is not None and policy.verdict_unchanged:
        now = Advice.of(v)
        moved = saved.advice.recommended != now.recommended and saved.advice.same_as(now)
        yield Rule(name="verdict_unchanged", holds=saved.advice.same_as(now), limit=saved.advice.recommended, side="is",
                   found=v.recommended, over=None, note="the same steps, of which another leads" if moved else "")
    if saved is not None and policy.signposts_hold:
        yield from _signposts(c, saved, kept, posts)
        if kept is not None:
            same = saved.advice.same_as(Advice.of(v))
            yield from (*_volume(c, kept, unchanged=same), *_rents(c, kept, unchanged=same),
                        *_following(c, kept, unchanged=same), *_price_of_wrong(c, kept, unchanged=same))
    if policy.recommended_is_tested:
        yield Rule(name="recommended_is_tested", holds=v.recommended is not None and c.leader.tested, limit=None, side="is",
                   found=v.recommended or "nothing", over=None)
    for name in LIMITS:
        asked: Range | None = getattr(policy, name)
        if asked is not None and name in OF_A_CHANGE and c.leader.id == "stay":
            least = asked.at_least is not None
            yield Rule(name=name, holds=True, limit=asked.at_least if least else asked.at_most, over=None, found="staying",
                       side="at least" if least else "at most", note="nothing is changed")
        elif asked is not None:
            found, about = _figure(name, c, c.leader, day)
            yield from _within(name, asked, found, about)
    for path, asked in policy.facts.items():
        yield from _within(f"facts.{path}", asked, c.case[path].number(), c.case[path].unit)


def _no_longer_measured(kept: Case, now: Case) -> list[str]:
    """Systems that the kept decision had scores of, and that are assumed now."""
    found = (path for path in kept if path.startswith("systems.") and path.endswith(".evaluated"))
    return [path.split(".", 1)[1].removesuffix(".evaluated") for path in found
            if path in now and kept[path].value and not now[path].value]


def _as_written(name: str, file: Saved | None, unlike: str) -> Iterator[Rule]:
    """The rule that nobody edited a saved comparison, where there is doubt; `unlike` is what `differences` says of it."""
    if file is not None and (file.edited or unlike):
        yield Rule(name=name, holds=not file.edited, limit=None, side="is", over=None, about=file.edited or unlike,
                   found="edited" if file.edited else "not certain")


def _figure(name: str, c: Comparison, o: OptionResult, day: Date) -> tuple[float | None, str]:
    """The figure that the field of a policy bounds, and what is to say of it."""
    if name == "evidence_age_days":
        return _oldest(c, o, day)
    counts, challenger = c.verdict.counts, next((x for x in c.options if x.id == c.verdict.challenger), None)
    if name == "monthly_cash_usd" and o.id == "stay" and challenger is not None:
        return challenger.staying_cash_monthly_usd, f"in the months in which {challenger.label} would serve alone"
    figures = {
        "monthly_cash_usd": o.cash_monthly_usd, "upfront_usd": o.upfront_usd, "expected_npv_usd": value(o, counts),
        "payback_months": 0.0 if o.id == "stay" else o.payback_cash_months,
        "chance_to_beat_staying": chance(o, counts), "wrong_answers": o.quality.wrong_rate,
    }
    own = "without wrong answers" if o.upfront_no_cash_usd else "on cash alone"  # what own cards would fetch is no cash
    return figures[name], own if counts == "cash" and name == "expected_npv_usd" else ""


def _oldest(c: Comparison, o: OptionResult, day: Date) -> tuple[float | None, str]:
    """Age in days of the oldest fact with a date behind the option and staying, and its path."""
    paths = {path for behind in facts_behind(c.case, ["stay", o.id]).values() for path in behind}
    paths |= {path for each in {"stay", o.id} for path in c.case
              if path.startswith((f"systems.{c.case[f'options.{each}.system'].value}.", f"options.{each}.price."))}
    dated = [(fact.date, path) for path in sorted(paths) if (fact := c.case[path]).date is not None and fact.basis in AGES]
    if not dated:
        return None, "nothing has a date"
    first, path = min(dated)
    assert first is not None
    return float((day - first).days), path


def _within(name: str, asked: Range, found: float | None, about: str) -> Iterator[Rule]:
    """The rules of one figure: at least, at most. A figure that nothing tells (no dated fact) breaks none."""
    rule = partial(Rule, name=name, found=found, about=about)
    if asked.at_least is not None:
        short = 0.0 if found is None else asked.at_least - found
        yield rule(holds=short <= CROSSED, limit=asked.at_least, side="at least", over=short if short > CROSSED else None)
    if asked.at_most is not None:
        over = 0.0 if found is None else found - asked.at_most
        yield rule(holds=over <= CROSSED, limit=asked.at_most, side="at most", over=over if over > CROSSED else None)


def _signposts(c: Comparison, saved: Saved, kept: Comparison | None, posts: Sequence[Signpost]) -> Iterator[Rule]:
    """One rule a threshold of what was recommended, against its rivals, that speaks against it where it is passed.

    One of a rival that is gone turns nothing.

    Where one of a pair is to follow the other, it says whether the threshold is that of one in the place of the other, or of
    one that follows.
    """
    decided = saved.advice.recommended
    steps = [] if kept is None else [{decided, kept.verdict.first_move}]
    steps += [{move.option, move.after}] if kept is not None and (move := kept.second_move) is not None else []
    there = {*c.case.options, decided}
    ours = [s for s in posts if decided in {s.option, s.rival} and {s.option, s.rival} <= there]
    same = UNCHANGED if draws_and_seed(c.case)[0] else UNCHANGED_UNDRAWN
    advice = same if saved.advice.same_as(Advice.of(c.verdict)) else ""
    following = set[str]() if kept is None else {*kept.verdict.steps}
    held = (replace(post, decided=s.option) if (s := post.signpost).once_in_use and s.option in following else post
            for post in held_against(ours, saved.case, c, decided or ""))  # that it follows was decided too
    for post in filter(lambda post: post.undoes, held):
        s = post.signpost
        assert s.threshold is not None
        yield Rule(name=f"signposts.{s.option}.{s.quantity}", holds=post.holds, limit=s.threshold,
                   side=post.side, found=post.stands,
                   over=None if post.holds or post.stands is None else abs(post.stands - s.threshold),
                   about=f"against {s.rival}{IN_USE if s.once_in_use else IN_PLACE if {s.option, s.rival} in steps else ''}",
                   note=THRESHOLDS[s.reason == BAR] + ("" if post.holds else advice))


def _volume(c: Comparison, kept: Comparison, *, unchanged: bool) -> Iterator[Rule]:
    """The rule that the volume is none at which, all else as decided, another option is advised; none where it is not.

    Means and chances turn before the central values do, which the signposts go by.
    """
    was, now = (x.case[REQUESTS_PER_DAY].number() for x in (kept, c))
    at = None if isclose(was, now) else kept.turned_before(now)
    if at is not None:
        yield Rule(name=VOLUME, holds=False, limit=at, side="below" if at > was else "above", found=now, over=abs(now - at),
                   note=_turns(kept) + (NOT_YET if unchanged else ""))


def _rents(c: Comparison, kept: Comparison, *, unchanged: bool) -> Iterator[Rule]:
    """The rule that the rent of what was decided is none at which, all rents alike and all else as decided, another is advised.

    None where it is not, as of the volume, nor where rents are lower.
    """
    then, now = rent_then_and_now(kept, c) or (0.0, 0.0)
    times = kept.turned_before_rents(now / then) if now > then and not isclose(now, then) else None
    if times is not None:
        yield Rule(name=RENTS, holds=False, limit=times * then, side="below", found=now, over=now - times * then,
                   note=_turns(kept) + (NOT_YET if unchanged else ""))


def _following(c: Comparison, kept: Comparison, *, unchanged: bool) -> Iterator[Rule]:
    """The rule that the price of what follows today's model, where it is known by now, is none at which another is advised.

    All else as decided; none where it is not, nor where today's model is another one or that price was stated before.
    """
    vendors = {x.case["options.stay.vendor"].value for x in (c, kept)}
    path = path_of(Option, "first_price_ratio", vendor=vendors.pop())
    if vendors or path not in c.case:
        return
    now = c.case[path].number()
    for turn in kept.successor_turns:
        beyond = now - turn.price_ratio if turn.direction == "above" else turn.price_ratio - now
        if beyond > CROSSED:
            yield Rule(name=FOLLOWING, holds=False, limit=turn.price_ratio, side=OTHER_SIDE[turn.direction], found=now,
                       over=beyond, note=_turns(kept) + (NOT_YET if unchanged else ""))


def _turns(kept: Comparison) -> str:
    return ADVICE_TURNS if draws_and_seed(kept.case)[0] else ADVICE_TURNS_UNDRAWN


def _price_of_wrong(c: Comparison, kept: Comparison, *, unchanged: bool) -> Iterator[Rule]:
    """The rule that a wrong answer costs what the advice that was kept holds for; none where no price is known to turn that.

    It holds too where the price has passed a stretch in which another option leads, to where what was decided leads again, luck
    of the draws aside. Where wrong answers are not counted they cost nothing.
    """
    was, now = (0.0 if x.verdict.counts == "cash" else x.case[USD_PER_ERROR].number() for x in (kept, c))
    near, far = kept.verdict.flips_between_usd_per_error or (was, None)
    if isclose(near, was):
        return
    beyond = now - near if near > was else near - now
    holds = beyond <= CROSSED or kept.stands_at_price(now)
    note = ADVICE_TURNS_IF if far is None else _turns(kept) if one_price(near, far) else ADVICE_MAY_TURN.format(dollars(far, 3))
    yield Rule(name=PRICED, holds=holds, limit=near, side="below" if near > was else "above", found=now,
               over=None if holds else beyond, note=note + (NOT_YET if unchanged and not holds else ""))


def _check_names(c: Comparison, policy: Policy, file: str) -> None:
    """InputError where the policy names no fact of the Case, or one that is no number, or a chance where there are no draws."""
    for path in policy.facts:
        if path not in c.case:
            raise UnknownName(f"{file}: facts", path, list(c.case), "fact")
        if isinstance(held := c.case[path].value, (str, bool, tuple)) or held is None:
            raise InputError(f"{file}: facts.{path}: {str(held)[:40]!r} is no number, which a limit could bound")
    if policy.chance_to_beat_staying is not None and not (c.case["draws"].number() and c.case.uncertain):
        raise InputError(f"{file}: chance_to_beat_staying: there are no draws to count; set draws: 4096 in the scenario")
