"""What do I write into a scenario? A template, with what is known already in the place of its guesses.

    template --incumbent, requests, usage logs--> the same text with other values --resolve--> it is known to run
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import date as Date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from roi.answers.telling import Tell, keep_quiet
from roi.catalog.models.shapes import find_model
from roi.catalog.prices.api_prices import ALIASES, find_api_price, model_names
from roi.catalog.prices.vendors import open_model_tuning
from roi.errors import InputError, NoListPrice, ScenarioError, UnnamedColumns, grouped
from roi.facts.case import OWN_SERVERS
from roi.facts.price import ApiPrice
from roi.resolution.resolution import resolve
from roi.scenario.bill import tell_day
from roi.scenario.file import check_counted, check_scenario, read_part
from roi.scenario.other_files import OWN_COLUMNS
from roi.scenario.quantity import value_of
from roi.scenario.scenario import Scenario, model_part
from roi.scenario.template import check_day, renamed, template, template_day, written_over
from roi.scenario.yaml import parse_yaml, scalar
from roi.units import dollars
from roi.usage.measure.pricing import day_of
from roi.usage.measure.scenario_part import part_yaml
from roi.usage.read.record import FileOptions
from roi.usage.summary import Question, summarize

LISTED_BY_PRICE: Final = ("api_models", "hosted_models", "cascade_first")
"""Lists of candidates that are models of an API."""
LISTED: Final = 4
"""Other listed models that are named."""
OPTION: Final = re.compile(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*")
COMMAND: Final = re.compile(r"roi (?:prices add|(?:usage|quality) FILES|compare SCENARIO)[^;]*?(?= gives| and |;|$)")
"""A command that is quoted, whose options are its own."""
OWN_OPTIONS: Final = frozenset({"--incumbent", "--requests", "--usage", "--as-of", "--template", "--force"})
"""Options of `roi init`."""
PARTS: Final = {".yaml", ".yml"}
"""Endings of a part that roi usage wrote; everything else is an export to be read."""


def new_scenario(
    name: str, *, today: Date, as_of: Date | None = None, incumbent: str | None = None, requests_per_day: str | None = None,
    usage: tuple[Path, ...] = (), into: Path | None = None, tell: Tell = keep_quiet,
) -> str:
    """YAML of the template `name`, with comments, in which what is given stands in the place of the template's guesses.

    `as_of` is the day of its prices (None: `today`), `incumbent` is provider/model, `requests_per_day` as it was typed, `usage`
    are usage exports or one part that roi usage wrote; `into` is the file that messages name as the one to be written. `tell`
    hears which price stands for a model that is listed under another name. InputError where the scenario could not be compared.
    """
    if as_of is not None:
        check_day(as_of, "--as-of")
    text = written_over(template(name), {("as_of",): as_of or max(today, template_day(name))})
    text = text if as_of is None else _priced_by(as_of, text, name)
    if incumbent is None and requests_per_day is None and not usage:
        return text if as_of is None else _comparable(text)
    given = check_scenario(parse_yaml(text, name))
    values: dict[tuple[str, ...], Any] = {}  # Any: values of YAML
    gone: set[tuple[str, ...]] = set()
    told = ""
    requests = None if requests_per_day is None else _requests(requests_per_day)
    if usage:
        with _sent_to_usage(usage, into) if usage[0].suffix.lower() not in PARTS else nullcontext():
            part, told = _measured(usage, incumbent, requests, today, as_of or max(today, template_day(name)), tell)
        values |= {(block, field): value for block in part for field, value in part[block].items()}
        if "lengths" in part["workload"]:
            gone = {("workload", "input_tokens"), ("workload", "output_tokens")}
        if requests is None and "requests_per_day" not in part["workload"]:
            check_counted(given, usage[0], "--requests NUMBER")
        values |= _prefix_within(part["workload"], given)
        known = {path[1] for path in (*values, *gone) if path[0] == "workload"}
        still = given.workload.model_fields_set - known - (set() if requests is None else {"requests_per_day"})
        told += f" The template's still: {', '.join(sorted(still))}." if still else ""
    elif incumbent is not None:
        if incumbent.partition("/")[0].strip().lower() == OWN_SERVERS:
            raise ScenarioError("--incumbent", incumbent, "no list says what a model you serve costs: write the file without"
                                f" it, then incumbent: {{provider: {OWN_SERVERS}, model: ...}} and costs (docs/start.md)")
        price = _listed(incumbent, given.as_of)
        provider = price.provider
        head, _, rest = incumbent.partition("/")
        values["incumbent", "provider"] = provider
        values["incumbent", "model"] = rest if rest and provider in (head.lower(), ALIASES.get(head.lower())) else incumbent
        _tell_price(price, values["incumbent", "model"], tell)
    if requests is not None:
        values["workload", "requests_per_day"] = requests
    provider, model = (values.get(("incumbent", each), getattr(given.incumbent, each)) for each in ("provider", "model"))
    values |= {path: {"value": value, "source": "stated"} for path, value in values.items() if _as_guessed(given, path, value)}
    values |= dict(_others(given, f"{provider}/{model}"))
    text = written_over(text, values, gone, told)
    text = renamed(text, ("quality", "scores", given.incumbent.model), model)
    return _comparable(text, {} if requests is None else {"workload.requests_per_day:": "--requests:"})


def _requests(given: str) -> Any:  # Any: a value of YAML
    """What `--requests` says, as YAML reads it; the scenario's own check says what it may be."""
    try:
        found = scalar(given)
    except ValueError as error:
        raise InputError(f"--requests: {given[:40]!r} is not usable; {error}") from None
    if found is None or (asked := grouped(given.strip())):
        takes = "requests of a mean day, such as 60000" if found is None else asked
        raise InputError(f"--requests: {given[:40]!r} is not usable; {takes}")
    return found


def _priced_by(day: Date, text: str, name: str) -> str:
    """The template's text without candidates that have no price yet on the day, which a line of comment names."""
    asked, left_out = check_scenario(parse_yaml(text, name)).candidates, list[str]()
    values: dict[tuple[str, ...], Any] = {}
    for field in (*LISTED_BY_PRICE, "hosted_adapters"):
        names = getattr(asked, field)
        late = [each for each in names if not (_tuned_by if field == "hosted_adapters" else _listed_by)(day, each)]
        if late:
            left_out += late
            values["candidates", field] = [each for each in names if each not in late]
    gone = {path for path, kept in values.items() if not kept}
    told = f"Left out, without a price by {day}: {', '.join(dict.fromkeys(left_out))}." if left_out else ""
    return written_over(text, {path: kept for path, kept in values.items() if kept}, gone, told)


def _listed_by(day: Date, name: str) -> bool:
    """True where the API model has a price on the day."""
    try:
        find_api_price(None, name, day, "candidates")
    except ScenarioError:
        return False
    return True


def _tuned_by(day: Date, name: str) -> bool:
    """True where the vendor has a price on the day for tuning or hosting an adapter of the open model."""
    vendor, _, model = name.partition("/")
    shape = find_model(model, "candidates.hosted_adapters")
    return any(row.vendor.lower() == vendor.lower() for row in open_model_tuning(shape.id, float(shape.parameters), day))


def _comparable(text: str, called: Mapping[str, str] = MappingProxyType({})) -> str:
    """The scenario's text; InputError where it could not be compared, its fields `called` as the user gave them."""
    try:
        resolve(check_scenario(parse_yaml(text, "roi init")))
    except InputError as error:
        for field, option in called.items():
            error.reword(lambda told, field=field, option=option: told.replace(field, option))  # type: ignore[misc]
        raise
    return text


def _listed(incumbent: str, day: Date) -> ApiPrice:
    """The list price of the model that is named; where only a stated one can be used, InputError that says where it goes."""
    try:
        return find_api_price(None, incumbent, day, "--incumbent")
    except NoListPrice as error:
        raise InputError(f"{error}; write the file without it, then both into it: incumbent and apis") from None


def _tell_price(price: ApiPrice, name: str, tell: Tell) -> None:
    """Say which listed model stands for the name, at what price, and which others hold the name."""
    if price.model.lower() == name.lower():
        return
    others = [model for model in model_names(price.provider) if name.lower() in model.lower() and model != price.model]
    more = f"; also listed: {', '.join(f'{price.provider}/{model}' for model in others[:LISTED])}" if others else ""
    tell(f"--incumbent: {name} is priced as {price.provider}/{price.model}, {dollars(price.input_usd_per_mtok[0])} in and"
         f" {dollars(price.output_usd_per_mtok[0])} out a million tokens{more}")


def _as_guessed(given: Scenario, path: tuple[str, ...], value: object) -> bool:
    """True where a number of the user's is the template's own: only a source tells that it is no guess."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and path[0] == "workload" and value == getattr(given.workload, path[1], None)


@contextmanager
def _sent_to_usage(usage: tuple[Path, ...], into: Path | None) -> Iterator[None]:
    """Where an option of `roi usage` helps, the error says that it is one, and what to do with its part."""
    files, start = " ".join(map(str, usage)), "roi init" if into is None else f"roi init {into}"
    try:
        yield
    except UnnamedColumns as error:
        raise InputError(f"--usage: {error.brief}; roi usage takes names of your own: roi usage {files} {OWN_COLUMNS}"
                         f" --output part.yaml, then {start} --usage part.yaml") from None
    except InputError as error:
        told = re.sub("^(--output|FILES): ", "", str(error))
        others = [each for each in dict.fromkeys(OPTION.findall(COMMAND.sub("", told))) if each not in OWN_OPTIONS]
        if not others and told == str(error):
            raise
        sent = "" if not others else (f"; {' and '.join(others)}: of roi usage {files} ... --output part.yaml, then {start}"
                                      " --usage part.yaml")
        raise InputError(f"--usage: {told.removeprefix('--usage: ')}{sent}") from None


def _measured(
    usage: tuple[Path, ...], incumbent: str | None, requests: object, today: Date, as_of: Date, tell: Tell,
) -> tuple[dict[str, dict[str, Any]], str]:
    """The part of a scenario that the files settle, its bill at the prices of `as_of`, and a line on where it comes from.

    `requests` a day tell the lengths where the files count tokens alone; `tell` hears of days after `today`.
    """
    if usage[0].suffix.lower() in PARTS:
        if len(usage) > 1 or incumbent is not None:
            raise InputError(f"--usage: {usage[0]} is a part of a scenario; it stands alone, and names its incumbent itself")
        part = read_part(usage[0])
        tell_day(part, part.get("incumbent"), as_of, tell)
        part.pop("as_of", None)
        return {"workload": {}, "incumbent": {}, **part}, f"Measured: {usage[0].name}, by roi usage."
    asked = Question(files=tuple(map(str, usage)), options=FileOptions(), incumbent=incumbent)
    spent = summarize(asked)
    uncounted = spent.workload is not None and spent.workload.requests_per_day is None
    if uncounted and isinstance(requests, (int, float)) and 0 < requests < np.inf:
        spent = summarize(replace(asked, requests_per_day=requests))
    part = parse_yaml(part_yaml(spent, as_of=as_of, tell=tell), "--usage")
    del part["schema"]
    part.pop("as_of", None)
    days = spent.days
    assert days is not None  # a part has been written
    first, last = day_of(days.first), day_of(days.last)
    names = ", ".join(path.name for path in usage[:3])
    told = (f"Measured: workload and incumbent, from {names}: {len(days.complete)} whole days, {first} to {last}"
            f"{'; requests a day are stated' if requests is not None else ''}.")
    if last > today:
        tell(f"--usage: {names}: days up to {last}, which by this machine's clock ({today}) have not come")
    return part, told


def _prefix_within(workload: dict[str, Any], given: Scenario) -> dict[tuple[str, ...], float]:
    """The template's shared prefix, as the same share of a prompt where the measured prompts are shorter than it."""
    bins = workload.get("lengths", [{"input_tokens": workload.get("input_tokens", np.inf), "share": 1.0}])
    prompt = sum(each["input_tokens"] * each["share"] for each in bins)
    prefix, guessed = value_of(given.workload.shared_prefix_tokens), value_of(given.workload.input_tokens or np.inf)
    if "shared_prefix_tokens" in workload or prefix <= prompt:
        return {}
    return {("workload", "shared_prefix_tokens"): round(prefix / guessed * prompt)}


def _others(given: Scenario, incumbent: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """The template's lists of candidates, without the model that is paid today."""
    for field in LISTED_BY_PRICE:
        listed = getattr(given.candidates, field)
        kept = [name for name in listed if name != incumbent and model_part(name) != model_part(incumbent)]
        if len(kept) < len(listed):
            yield ("candidates", field), kept
