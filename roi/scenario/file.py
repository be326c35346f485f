"""The scenario's file: reading it with overrides, writing it back.

A part that usage records settle may be laid over it: what the part states replaces what the scenario says.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from math import isfinite
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from roi import clock
from roi.errors import UNSEEN, InputError, ScenarioError, grouped
from roi.scenario.bill import BILL, OF, VOLUME, Billed, billed, keep_bill, keep_units, servers_before, tell_day
from roi.scenario.meaning import ITEM, is_count
from roi.scenario.mistakes import explain_mistakes, fields_at
from roi.scenario.other_files import BY_SCHEMA, SCENARIO, known_by_keys, refuse, refuse_records, what_it_is
from roi.scenario.overlaid_scores import BY_SYSTEM, overlay_quality, unpair
from roi.scenario.quantity import value_of
from roi.scenario.scenario import BOTH_LEVERS, LESS_REASONING, SHORTER_PROMPT, Scenario, tuned
from roi.scenario.sections.demand import BURST_WITHIN_HOUR
from roi.scenario.template import BUNDLED, check_day, template
from roi.scenario.yaml import PART_SCHEMA, QUALITY_PART, parse_yaml, read_yaml, set_value

DAY: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
BLOCKS: Final = {PART_SCHEMA: ("workload", "incumbent"), QUALITY_PART: ("quality", "record")}
"""What a part of each schema may hold: blocks of a scenario, and the record that `roi quality` keeps for its next run."""
NAMED_FROM = 2
"""Keys before the name of a system in the shortest path that holds one."""
ANNOUNCED: Final = "announced"
"""The list of prices to come in the terms of an API."""
PAIRED: Final = "paired"
"""Key of a score whose block of counts stands on the same items."""
ENDS: Final = frozenset({"value", "low", "high", "source", "date", "items", PAIRED})
"""Keys of a quantity with a spread, and of a score."""


def load_scenario(
    path: Path | str | dict[str, Any] | None = None, overrides: tuple[str, ...] = (),
    part: Path | dict[str, Any] | None = None, quality: Path | None = None, tell: Callable[[str], None] | None = None,
    blocks: dict[str, Any] | None = None, as_of: str | None = None, one_model: Callable[[str, str], bool] = str.__eq__,
) -> Scenario:
    """The scenario in `path` (None = the bundled one; a dict = what a file would hold), checked with all that is laid over it.

    `part` is what usage records settle (`overlay`); over the bundled scenario, whose quality is of another task and is not
    taken then. `quality` is what an evaluation settles, `blocks` fields as a file would hold them; `a.b=c` overrides come last.
    Where blocks or overrides move requests or tokens and not the bill, it moves with them (`keep_bill`).
    `as_of` is another day than these say; theirs must have come, this may lie ahead. `tell` hears of a bill beside a guess, and
    where the part names another incumbent than the scenario, or the evaluation one that is not `one_model` with it.
    """
    data, file = _opened(path), None if isinstance(path, dict) else path
    laid: list[str] = []
    used: dict[str, Any] = {}  # Any: plain values
    if part is not None:
        before = _incumbent(data)
        used = part if isinstance(part, dict) else read_part(part, scenario=file)
        laid += overlay(data, used, tell)
        now = data["incumbent"].get("model")
        if tell is not None and before is not None and now != before and path is not None:
            named = "the part" if isinstance(part, dict) else part
            tell(f"{named} puts {now} in the place of {before}: what the scenario says of {before} is not used")
        if path is None:
            _forget_task(data, used)
            data["title"] = f"{data['incumbent'].get('model')} as used, the rest from the bundled scenario"
    found: dict[str, Any] = {} if quality is None else read_part(quality, "--quality", file)
    if quality is not None:
        if path is None:
            for name in BY_SYSTEM:
                data.get("quality", {}).pop(name, None)  # the bundled scores are of another task
        overlay_quality(data, found, one_model, tell)
    before, over = billed(data, used), list(_merge(data, blocks or {}))
    for override in overrides:
        _set(data, override, over)
    told = _of_requests_before(data, before, over)
    paired_with = (found.get("record") or {}).get("incumbent")
    paid = str(_incumbent(data) or paired_with)
    if isinstance(paired_with, str) and not one_model(paired_with, paid) and unpair(data["quality"]) and tell:
        tell(f"{quality} pairs systems with {paired_with}, and what is paid here is {paid}: each score is drawn by itself; roi"
             f" quality --incumbent {paid} (or --system {paired_with}={paid}) pairs them")
    scenario = _on_a_day(data, as_of)
    tell_day(used, data.get("incumbent"), scenario.as_of, tell)
    if told is not None and tell is not None:
        tell(told)
    how = f"roi usage --requests-per-day NUMBER, or --set {VOLUME}=NUMBER"
    return check_counted(scenario.with_stated((*laid, *over)).with_bill_told(told), part, how)


def _forget_task(data: dict[str, Any], part: dict[str, Any]) -> None:
    """Take out of the bundled scenario what is of its own task, where `part` says nothing of it; its day is no earlier."""
    data["as_of"] = max(data["as_of"], min(str(part.get("as_of", "")), clock.today().isoformat()))
    data.pop("quality", None)
    for name in {"growth_per_year", "peak_to_mean"} - part.get("workload", {}).keys():
        data["workload"].pop(name, None)


def _of_requests_before(data: dict[str, Any], before: Billed, over: Sequence[str]) -> str | None:
    """What bill, units and servers of the data are taken as, stated of other requests, those `before` the paths in `over`."""
    told = keep_bill(data, before, over)
    if not any(path.startswith("costs") for path in over):
        told = servers_before(data, before) or told
    if any(path == "incumbent" or path.startswith(("incumbent.provisioned_throughput", "incumbent.seats")) for path in over):
        return told
    return keep_units(data, before) or told


def _on_a_day(data: dict[str, Any], as_of: str | None) -> Scenario:
    """The scenario in `data`, whose day has come; or on the day `as_of`, whether or not it has."""
    if as_of is not None:
        return check_scenario({**data, "as_of": as_of})
    scenario = check_scenario(data)
    check_day(scenario.as_of)
    return scenario


def check_counted(scenario: Scenario, part: Path | dict[str, Any] | None, how: str) -> Scenario:
    """The scenario; InputError where its requests are a template's guess beside a `part` that does not count them.

    `how` says how to state them.
    """
    name = scenario.template
    if part is None or name is None or scenario.states(VOLUME):
        return scenario
    guess = check_scenario(parse_yaml(template(name), name)).workload.requests_per_day
    if scenario.workload.requests_per_day == guess:
        where = "the part" if isinstance(part, dict) else f"--usage: {part}"
        raise InputError(f"{where} does not say how many requests a day its tokens are, and {value_of(guess):,.0f} is the guess"
                         f" of the template {name}: {how}")
    return scenario


def _opened(path: Path | str | dict[str, Any] | None) -> dict[str, Any]:
    if path is None:
        return parse_yaml(template(BUNDLED), "bundled scenario")
    if isinstance(path, dict):
        return deepcopy(path)
    refuse_records(Path(path))
    data = read_yaml(Path(path), is_count=is_count)
    if (other := known_by_keys(data)) not in {None, SCENARIO}:
        refuse("", Path(path), "scenario", other)
    return data


def _incumbent(data: dict[str, Any]) -> object:
    """The incumbent's model, as far as the plain data say it."""
    block = data.get("incumbent")
    return block.get("model") if isinstance(block, dict) else None


def check_scenario(data: dict[str, Any]) -> Scenario:
    """The scenario in `data`; every mistake is reported with its field, value and what is allowed."""
    _check_leaves(data, "")
    data = _called_as_candidates(data)
    try:
        scenario = Scenario.model_validate_json(json.dumps(data, allow_nan=False))
    except ValidationError as error:
        raise explain_mistakes(error, data) from None
    except ValueError as error:  # a whole number of thousands of digits
        raise InputError(f"scenario: {error}") from None
    _check_peak(scenario)
    return scenario


def _check_peak(s: Scenario) -> None:
    """InputError where the busiest minute is below the busiest hour; both are rounded, and of a log less chance's part."""
    busiest, peak = s.workload.busiest_hour, s.workload.peak_to_mean
    if peak is None or value_of(peak) >= 0.98 * busiest:
        return
    guess = {} if s.template is None else parse_yaml(template(s.template), s.template)["workload"]
    whose = " (the template's)" if guess.get("peak_to_mean") == value_of(peak) else ""
    raise InputError(f"workload: peak_to_mean {value_of(peak):g}{whose} is below the busiest hour of hourly_weights,"
                     f" {busiest:.4g} x the mean: write {busiest * BURST_WITHIN_HOUR.value:.4g}, which peak_to_mean: null takes"
                     " from these hours too, or what was measured")


def _called_as_candidates(data: dict[str, Any]) -> dict[str, Any]:
    """The data, in which what is said by model of open models is said in lower case, as their systems are called.

    A name of the Hub has capitals, and is written alike among the candidates and beside its score. Where the name in lower case
    is there too, both are left as they are.
    """
    candidates = data.get("candidates")
    hosted = candidates.get("self_hosted") if isinstance(candidates, dict) else None
    models = {name.lower() for name in hosted if isinstance(name, str)} if isinstance(hosted, list) else set()

    def called(block: object) -> object:
        if not isinstance(block, dict):
            return block
        names = {key: key.lower() for key in block if isinstance(key, str) and key.partition("+")[0].lower() in models}
        return {names[key] if key in names and names[key] not in block else key: each for key, each in block.items()}

    quality, found = data.get("quality"), dict(data)
    if isinstance(quality, dict):
        found["quality"] = {key: called(each) if key in BY_SYSTEM else each for key, each in quality.items()}
    return {**found, "tokens": called(data["tokens"])} if "tokens" in data else found


def _check_leaves(data: object, path: str) -> None:
    """InputError where a key or a text holds what a terminal obeys, or more than one line: they are printed as they are.

    So too where a number is not finite, which no file can hold.
    """
    if isinstance(data, float) and not isfinite(data):
        raise ScenarioError(path, data, "a finite number")
    if isinstance(data, str) and UNSEEN.search(data):
        raise ScenarioError(path, data, "one line of plain text, without control characters")
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        _check_leaves(str(key), path or "scenario")
        _check_leaves(value, f"{path}.{key}" if path else str(key))


def scenario_data(scenario: Scenario) -> dict[str, Any]:
    """What the user set, as plain data; defaults are left out, so that they stay defaults.

    `dump_yaml` writes it; reading that again gives an equal scenario.
    """
    return dict(scenario.model_dump(mode="json", by_alias=True, exclude_unset=True))


def stated_data(scenario: Scenario) -> dict[str, Any]:
    """What the user set, as `scenario_data`; numbers that were laid over a template say so by a source.

    Without one a file would take a number that is the template's own for its guess.
    """
    data = scenario_data(scenario)
    for path in scenario.stated:
        *parents, last = steps(path, block=False)
        place: Any = data
        for key in parents:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict) and last in place:
            _say_stated(data, place, last)
    return data


def _say_stated(data: dict[str, Any], place: dict[str, Any], key: str) -> None:
    """Give the number at the key of the place in the data, or each number of the block there, the source of what is stated."""
    value = place[key]
    if isinstance(value, dict) and "value" not in value:
        for name in value:
            _say_stated(data, value, name)
    elif (isinstance(value, dict) and "source" not in value) or type(value) in {int, float}:
        place[key] = {**(value if isinstance(value, dict) else {"value": value}), "source": "stated"}
        try:
            check_scenario(data)
        except InputError:  # a number that takes no source
            place[key] = value


def _merge(data: dict[str, Any], blocks: dict[str, Any], lead: str = "") -> Iterator[str]:
    """Lay the fields over the plain data, block by block, in place; the path of each field that was laid over.

    A number with its ends, source or items is no block: it takes the place of what was there.
    """
    for name, value in blocks.items():
        if isinstance(value, dict) and "value" not in value and isinstance(data.get(name), dict):
            yield from _merge(data[name], value, f"{lead}{name}.")
        else:
            data[name] = deepcopy(value)
            yield lead + name


def _set(data: dict[str, Any], override: str, over: list[str]) -> None:
    """Lay an override over the data, and its path after those in `over`; a mistake in one that it replaces is told too."""
    path, equals, text = override.partition("=")
    if path.strip() in over:
        try:
            check_scenario(data)
        except InputError as error:
            if f"{path.strip()}: " in str(error):  # other fields may yet be laid over
                raise
    over.append(path.strip())
    if not equals or not path.strip():
        form = re.sub(r":\s+", "=", override, count=1) if ": " in override and not equals else "path.to.field=value"
        raise ScenarioError("--set", override, f"write it as {form}")
    value = set_value(text.strip(), path.strip(), is_count)
    if (asked := grouped(text.strip())) and is_count(path.strip()):
        raise ScenarioError("--set", override, asked)
    *parents, last = steps(path.strip(), block=isinstance(value, dict))
    place: Any = data
    for key in parents:
        at: Any = _place_in(place, key, override)
        here = place[at] if isinstance(place, list) else place.get(at)
        place[at] = here if isinstance(here, (dict, list)) else {} if here is None else {"value": here}
        place = place[at]
    place[_place_in(place, last, override)] = value


def _place_in(place: Any, key: str, override: str) -> str | int:
    """The key of a block, or the number of an item that a list has; items are numbered from 0."""
    if not isinstance(place, list):
        return key
    if not ITEM.fullmatch(key) or int(key) >= len(place):
        raise ScenarioError("--set", override, f"this list has {len(place)} items; name one by its number, the first is 0")
    return int(key)


def steps(path: str, *, block: bool) -> list[str]:
    """The keys of a dotted path, at which `block` says that a block of keys is set.

    Names may hold dots themselves: quality.scores.gpt-4.1, tokens.gpt-4.1.ratio.low, tokens.gpt-4.1.
    """
    keys = path.split(".")
    deep = 2 if keys[-2:-1] == [PAIRED] else int(keys[-1] in ENDS)
    deep = deep if len(keys) > NAMED_FROM + deep else 0
    keys, ends = keys[:len(keys) - deep], keys[len(keys) - deep:]
    if keys[0] == "quality" and keys[1:2] and keys[1] in BY_SYSTEM and len(keys) > NAMED_FROM:
        return [*keys[:2], ".".join(keys[2:]), *ends]
    if keys[0] == "apis" and ANNOUNCED in keys[NAMED_FROM:]:  # a list, each item with keys of its own
        at = keys.index(ANNOUNCED, NAMED_FROM)
        return [keys[0], ".".join(keys[1:at]), *keys[at:], *ends]
    if keys[0] in {"tokens", "apis", "options"} and len(keys) > NAMED_FROM:
        if block and keys[-1] not in fields_at([keys[0], ""]):
            return [keys[0], ".".join(keys[1:])]
        return [keys[0], ".".join(keys[1:-1]), keys[-1], *ends]
    if keys[0] == "gpu_discounts" and len(keys) > 1:
        return [keys[0], ".".join(keys[1:])]
    return [*keys, *ends]


def read_part(path: Path, option: str = "--usage", scenario: Path | str | None = None) -> dict[str, Any]:
    """The part in a YAML file that `roi usage --output` (or `roi quality`) wrote, to be laid over the file `scenario`.

    InputError where it is another file.
    """
    schema, command = (PART_SCHEMA, "usage") if option == "--usage" else (QUALITY_PART, "quality")
    refuse_records(path, option, scenario)
    no_part = f"{option}: {path} is no part written by roi {command} --output"
    if (known := what_it_is(path)) not in {None, BY_SCHEMA[schema]}:
        what = known.what.replace("a part of a scenario", "another part")
        reads = known.reading(path).replace("SCENARIO", str(scenario or "SCENARIO"))
        raise InputError(f"{no_part}, but {what}: {reads}")
    data, blocks = read_yaml(path, f"`roi {command} FILES --output` writes one", is_count), BLOCKS[schema]
    if data.pop("schema", None) != schema:
        raise InputError(f"{no_part}; schema: {schema} is missing")
    for block in blocks:
        if not isinstance(data.get(block, {}), dict):
            raise InputError(f"{option}: {path}: {block}: {data[block]!r} is not usable; it should be a block of keys")
    if schema == PART_SCHEMA and "as_of" in data and not DAY.fullmatch(str(data["as_of"])):
        raise InputError(f"{option}: {path}: as_of: {data['as_of']!r} is not usable; a day, such as 2026-11-28")
    if other := sorted(set(data) - set(blocks) - ({"as_of"} if schema == PART_SCHEMA else set())):
        raise InputError(f"{option}: {path}: {', '.join(other)} is not part of {schema}; allowed: {', '.join(blocks)}")
    return data


def overlay(data: dict[str, Any], part: dict[str, Any], tell: Callable[[str], None] | None = None) -> list[str]:
    """Lay `part` over the scenario's plain data, in place; paths of the fields that it settles.

    Lengths and means of lengths exclude each other, so one takes the other's place. A bill, a discount and a commitment of
    another model than the part's would be wrong: they go with the model. A bill that is tokens at list price (all of its gap
    is volume) takes the place of such a one alone, of none that was paid, which `tell` hears, nor of units or seats; one that
    was paid takes the place of any, and of how its gap splits.
    """
    laid = []
    for block in BLOCKS[PART_SCHEMA]:
        new = dict(part.get(block) or {})
        old = data.setdefault(block, {})
        if not isinstance(old, dict):
            raise InputError(f"{block}: {old!r} is not usable; it should be a block of keys")
        gone = ["flexible_tier"] * ("tier_price_ratio" in new)
        if block == "workload":
            gone = ["unsure"] + ["input_tokens", "output_tokens"] * ("lengths" in new) + ["lengths"] * ("input_tokens" in new)
            gone += ["hourly_weights"] if "peak_to_mean" in new and "hourly_weights" not in new else []
        for key in gone:
            old.pop(key, None)
        if block == "incumbent" and old.get("model") != new.get("model"):
            for key in old.keys() - {"provider", "model"}:
                del old[key]
            _forget(data, old.get("model"))
        old_listed, new_listed = (x.get("bill_is_volume_share") == 1.0 and "bill_usd_per_month" in x for x in (old, new))
        if old_listed and not new_listed and "bill_usd_per_month" in new:
            del old["bill_is_volume_share"]
        by_unit = any(old.get(name) for name in ("provisioned_throughput", "seats"))
        if new_listed and not old_listed and (old.get("bill_usd_per_month") or by_unit):
            new = {name: value for name, value in new.items() if not name.startswith("bill_")}
            if tell is not None:
                stays = "is left out, units or seats are paid" if by_unit else "stays as stated"
                tell(f"incumbent.bill_usd_per_month {stays}: the part's is tokens at list price, which nobody billed")
        old.update({OF: None} if BILL in new and OF in old else {})  # the part's bill is of its own requests
        old.update(new)
        laid += [f"{block}.{name}" for name in new]
    return laid


def _forget(data: dict[str, Any], model: object) -> None:
    """Take out what is said of the old incumbent, by name where it is no candidate either: its scores, terms and prices."""
    candidates, quality = (data[name] if isinstance(data.get(name), dict) else {} for name in ("candidates", "quality"))
    unpair(quality)
    for lever in ("flexible_tier", "provisioned_throughput"):  # its prices
        candidates.pop(lever, None)
    named = [name for names in candidates.values() if isinstance(names, list) for name in names]
    candidate = any(str(name).rpartition("/")[2] == model for name in named)
    levers = {tuned(str(model), lever) for lever in (SHORTER_PROMPT, LESS_REASONING, BOTH_LEVERS)}
    for block in (data.get("tokens"), data.get("apis"), *(quality.get(name) for name in BY_SYSTEM)):
        for name in list(block) if isinstance(block, dict) else ():
            if name in levers or name.endswith(f" > {model}") or (not candidate and f"/{name}".endswith(f"/{model}")):
                del block[name]
