"""What a redacted report of comparisons does not tell: names, rates, and hours from which a wage follows."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from math import inf

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.recommendation import value
from roi.facts.case import Case
from roi.facts.fact import OWN_VENDOR, Fact, guessed
from roi.report.layout.wording import fact_name, fact_range, kind_name, quantity
from roi.report.page.hidden_places import HIDDEN as COVERED
from roi.report.page.parts import Change, T, changed

HIDDEN = "hidden"
"""What stands for the value of a fact that is not told."""
NAMED = (".system", ".model", ".vendor", ".provider", ".escalates_to", ".name")
"""Ends of the paths of facts that are names."""
RENT = ".usd_per_gpu_hour"
"""End of the paths of rents."""
SELLER = re.compile(r"(.+?) (?:on-demand|spot|reserved|owned): ")
"""What the source of a rent begins with: who rents the card out, on which terms."""

UNUSED_NAME = re.compile(r"^(?:quality\.\w+|tokens|apis)\.")
"""What stands before a name of which something is stated and that no incumbent or candidate has."""
MONEY = r"-?\$[\d.,]*\d(?:k|M|bn|tn)?"
RATES = (
    rf"{MONEY}(?: (?:to|-) {MONEY})?(?=/(?!month\b)\w)",
    rf"(?<=between ){MONEY} and {MONEY}(?= each)|(?<=, counted at ){MONEY}",
    rf"{MONEY}(?= (?:each|per|an? (?:GPU|million|hour)|for 1,000))",
    *(rf"(?<={what} {side} ){MONEY}(?: \(today {MONEY})?" for what in ("GPU hour", "GPU", "resale value")
      for side in ("below", "above")),
    rf"(?<=a wrong answer costs less than about ){MONEY}|(?<=a wrong answer costs more than about ){MONEY}",
    rf"(?<=: about ){MONEY}(?= and )|(?<=it adds about ){MONEY}|{MONEY}(?= [(]set-up, way back[)])",  # mostly hours
    r"[\d.,]*\d(?= ?USD/(?!month\b)\w)",
)
"""What is paid for one thing: an hour, a request, a million tokens, a label, a wrong answer."""
NUMBER = r"\b\d(?:[\d,.]*\d)?[kM]?"
COUNTS = (
    rf"{NUMBER}(?= (?:more|fewer) a month\b)",
    rf"{NUMBER}(?= (?:engineer hours|h each|hours (?:a month|until live|\(here))\b)|(?<=hours until live and ){NUMBER}",
    rf"(?<=hours a month \(here ){NUMBER}|(?<=hours \(here ){NUMBER}",
    rf"{NUMBER}(?= x [A-Z][\w-]*\d| (?:replicas?|GPUs|cards)\b)",
    r"[\d.,]*\d%(?= (?:below|above) its list price)",
)
"""How many more answers are wrong, hours of people, cards, a discount: beside what they cost, they tell the price of one."""
HOURS_OF = {"setup_hours": "of set-up", "run_hours_per_month": "of on-call", "migration.hours": "of a forced migration",
            "retrain_hours": "of a retraining"}
"""Ends of the paths of hours that cost lines multiply by the wage, and what they are of."""
NAMERS = ("apis", "options", "systems", "vendors", "scores", "escalated", "error_rate", "evaluation_noise", "tokens")
"""What stands before a name in the path of a fact, or of a field that a remark names."""
BEFORE = rf"(?:(?<![\w.+-])|{'|'.join(rf'(?<={place}[.])' for place in NAMERS)})"
"""What may stand before a name: no part of a word, or the place of a fact whose path is told."""
CUT_NAME = re.compile(r"([\w.+@-]*[\w+@-]{2})[.]{3}(?![.])")
"""The beginning of a word that was cut to a picture's width, which may be a name's: that stands for it."""


def redacted(part: T, *comparisons: Comparison) -> T:
    """A page, or parts of a report, without the names and the rates of these comparisons."""
    return changed(part, hiding(*comparisons))


def wage_left(c: Comparison) -> str:
    """How the wage may still be worked out of a redacted page, where it is no default and hours behind its cost lines are.

    Set-up in USD is what the page is for; `roi help` prints the hours that make it, unless the scenario states its own.
    """
    if guessed(c.case["people.usd_per_hour"]):
        return ""
    held = {f"changes.{c.case[f'options.{o.id}.group'].value}." for o in c.options} | {"migration."}
    held |= {"training." for o in c.options if o.training is not None}
    public = [what for end, what in HOURS_OF.items() if any(
        path.endswith(end) and guessed(fact) and fact.number() > 0.0
        for path, fact in c.case.facts.items() if path.startswith(tuple(held)))]
    return "" if not public else (
        f"--redact: the wage may still be worked out from set-up and cost lines in USD: the hours {', '.join(public)} are the"
        " defaults that roi help prints; hours of your own, under people and training, leave none of them")


def hiding(*comparisons: Comparison) -> Change:
    """What takes the names and the rates of these comparisons out of a text."""
    return redaction(stand_ins(*comparisons), dict.fromkeys(text for c in comparisons for text in telling(c.case)))


def redaction(names: Mapping[str, str], hidden: Iterable[str]) -> Change:
    """Replaces `names` in a text by what stands for each, and hides rates; `hidden` are texts that give one away."""
    told = sorted(filter(None, names), key=len, reverse=True)
    every = re.compile(f"{BEFORE}(?:{'|'.join(map(re.escape, told))})(?![\\w+-])") if told else None
    literal = [(text, re.sub(rf"{MONEY}|[\d.,]*\d%?", COVERED, text)) for text in sorted(hidden, key=len, reverse=True) if text]
    change_names: Change = (lambda text: every.sub(lambda found: names[found[0]], text)) if every else str

    def whole(found: re.Match[str]) -> str:
        """The name that was cut, the longest that begins so, or the word as it stands."""
        return next((name for name in told if name.startswith(found[1])), found[0])

    @cache
    def change(text: str) -> str:
        for each, left in literal:
            text = text.replace(each, left)
        for rate in RATES:
            text = re.sub(rate, f"${COVERED}", text)
        for count in COUNTS:
            text = re.sub(count, COVERED, text)
        return change_names(CUT_NAME.sub(whole, text))

    return change


def secret(path: str, fact: Fact) -> bool:
    """True where the fact is a rate, a wage or a name, or a number by which a sum gives a rate: of units, seats, labels."""
    priced = any(word in fact.unit for word in ("USD", "hour", "labels", "examples"))
    return priced or isinstance(fact.value, str) or path.endswith(("discount", "price_ratio", ".provisioned.units"))


def open_range(path: str, fact: Fact) -> str:
    """The range of the fact, for a reader who must not know rates, wages and names."""
    return HIDDEN if secret(path, fact) else fact_range(fact)


def stand_ins(*comparisons: Comparison) -> dict[str, str]:
    """What stands for each name of the Cases: the task, options by kind, models, vendors, costs of one's own."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}

    def give(name: str, words: str) -> None:
        if name and name not in names:
            counts[words] = counts.get(words, 0) + 1
            names[name] = f"{words} {counts[words]}"

    for c in comparisons:
        names[str(c.case["title"].value)] = "A task"
        worth = {o.id: value(o, c.verdict.counts) for o in c.options}
        for id in sorted(c.case.options, key=lambda id: -worth.get(id, -inf)):
            kind = str(c.case[f"options.{id}.kind"].value)
            label = str(c.case[f"options.{id}.label"].value)
            if kind == "stay":
                names[label] = "the incumbent"
            else:
                give(label, kind_name(kind))
                if id != kind:  # which names nothing, and may be a word of the text
                    names.setdefault(id, names[label])
        for path, fact in c.case.facts.items():
            _name(path, fact, give)
        for path in (path for path in c.case.facts if path.startswith(("systems.", "apis."))):
            told = path.partition(".")[2]
            if not any(told.startswith(f"{name}.") for name in names):  # a name may hold dots
                give(told.partition(".")[0], "model")
        _name_unused(c.case, give)
    return names


def _name_unused(case: Case, give: Callable[[str, str], None]) -> None:
    """Give the names of which something is stated for nothing something that stands for them."""
    for field in str(case["unused"].value).split(", ") if "unused" in case else ():
        *sellers, model = UNUSED_NAME.sub("", field).split("/")
        for seller in sellers:
            give(seller, "vendor")
        give(model, "model")


def _name(path: str, fact: Fact, give: Callable[[str, str], None]) -> None:
    """Give the names that the fact holds something that stands for them: also the model that a tuned one was, and a seller.

    Who rents a card for a training run stands in the source of its rent alone.
    """
    if path.endswith(RENT) and (rented := SELLER.match(fact.source)) and rented[1] != OWN_VENDOR:
        give(rented[1], "vendor")
    if path.endswith(".ends_elsewhere"):
        give(str(fact.value).partition(" ")[0], "vendor")
    if not (isinstance(fact.value, str) and path.endswith(NAMED)):
        return
    if path.startswith("costs."):
        give(fact.value, "own cost")
        return
    give(fact.value, "vendor" if path.endswith((".vendor", ".provider")) else "model")
    for each in fact.value.split(" > "):
        *sellers, model = each.split("/")
        for seller in sellers:
            give(seller, "vendor")
        if sellers or "+" in model:
            give(model.partition("+")[0], "model")


def telling(case: Case) -> list[str]:
    """Texts that tell a secret number: what the fact is called and what it comes to."""
    found = []
    for path, fact in case.facts.items():
        if secret(path, fact) and isinstance(fact.value, (int, float)):
            name = fact_name(path)
            texts = (quantity(fact.value, fact.unit), fact_range(fact))
            found += [f"{name}{between}{text}" for between in (" ", ": ") for text in texts]
    return list(dict.fromkeys(found))
