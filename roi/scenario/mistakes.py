"""What is wrong in data that should be a scenario, or a policy: the first few mistakes, with field, value, what is allowed."""

import re
from collections.abc import Sequence
from math import isfinite
from typing import Final

from pydantic import ValidationError

from roi.errors import LONGEST_VALUE, InputError, allowed, nearest, written
from roi.scenario.meaning import entries_in, field_paths, section_in
from roi.scenario.quantity import IN_USD, Section, as_meant, of_many
from roi.scenario.scenario import Scenario

SHOWN = 3
"""Mistakes in one message; the others are counted. Fields that are named as near one."""
ALIKE: Final = 0.8
"""How like a name a field beside it must be to be meant, where another block has a field of that very name (0 to 1)."""
WORDS = {
    "an object": "a block of keys", "array": "list",
    "dictionary": "block of keys", "a valid boolean": "true or false", "a valid integer": "a whole number",
    "String should": "it should", "Tuple": "it",
}  # fmt: skip
"""Words of pydantic's messages, and what a reader of the file calls the same."""
RENAMED: Final = dict.fromkeys(
    ("setup_hours_existing", "run_hours_existing"),
    "no longer a field; write people.existing_hours_per_month, the hours a month that are paid anyway",
) | dict.fromkeys(
    ("price_per_year", "api_price_per_year", "price_drift", "api_prices", "price_change_per_year"),
    "no field; a list price holds until its model ends: drift.model_life_months: 12 and drift.successor_price_ratio: 0.6 say"
    " that models end after a year, and that the next one is 40% cheaper",
) | dict.fromkeys(
    ("price_change", "price_changes", "price_increase", "price_steps", "next_price", "new_price", "discount_until"),
    "no field; a price to come is apis: {PROVIDER/MODEL: {announced: [{from_date: 2027-03-01, price_ratio: 2}]}}, a discount"
    " that ends too",
)
"""Fields of older scenarios, and of prices that fall year by year, and what to write in their place."""
WISHES: Final = dict.fromkeys(
    ("tpm", "rpm", "tpm_limit", "rpm_limit", "rate_limit", "rate_limits", "tokens_per_minute", "requests_per_minute"),
    "no field; a vendor's rate limits are in no figure: name no candidates that cannot take the peak, and what more of it costs"
    " as candidates.provisioned_throughput or under costs",
) | dict.fromkeys(
    ("region", "regions", "eu", "eu_only", "gdpr", "data_residency", "residency", "jurisdiction", "exclude", "excluded",
     "forbidden"),
    "no field; only what candidates names is compared: leave out of its lists, gpus and vendors what is not allowed; what a"
    " region costs more is stated in apis.NAME or gpu_rents",
) | dict.fromkeys(
    ("vat", "tax", "taxes", "tax_rate", "depreciation"), "no field; all amounts are before tax, depreciation and financing",
) | dict.fromkeys(
    ("exchange_rate", "fx", "fx_rate"),
    f"no field; {IN_USD}",
) | dict.fromkeys(
    ("on_call", "oncall", "no_on_call", "no_oncall"),
    "no field; hours of on-call are in people.run_hours_per_month, by kind of change; where nobody may be on call, name no"
    " candidates.self_hosted",
) | dict.fromkeys(
    ("fallback", "failover", "backup", "standby"),
    "no field; what a second vendor that stands by costs is a cost of your own: costs: [{name: standby, option: all,"
    " usd_per_month: 100}]",
) | dict.fromkeys(
    ("retry_rate", "retries", "retry_share", "failure_rate", "format_error_rate", "invalid_share"),
    "no field; a call that is asked again is paid again: where 4% are, tokens.MODEL.ratio: 1.04 says so of a candidate, and"
    " requests_per_day, or the bill, of all calls that are made today has it for today's model",
) | dict.fromkeys(
    ("weekends", "weekend", "days_per_week", "working_days", "workdays", "weekdays", "business_days", "business_hours"),
    "no field; requests_per_day is of a mean calendar day: 1,000 on five days of the week are 714, and peak_to_mean is 7/5 of a"
    " working day's; hourly_weights are the hours of a mean day",
) | dict.fromkeys(
    ("off_peak_discount", "off_peak", "offpeak_discount", "night_discount", "off_peak_price"),
    "no field; a price by the hour is stated as its mean: discount: 0.2 where 40% of the tokens come while half is off;"
    " candidates.flexible_tier is what moving more of them there saves of today's model",
) | dict.fromkeys(
    ("hosting_usd_per_hour", "hosting_usd_per_month", "hosting_fee", "usd_per_hosting_hour", "hosting"),
    "no field; what hosting costs by the hour x 730 is a cost of your own: costs: [{name: hosting, option: stay,"
    " usd_per_month: 1241}]",
) | dict.fromkeys(
    ("one_off", "once", "total_requests", "requests_total", "documents", "number_of_documents"),
    "no field; a job that is done once is horizon_months: 1, requests_per_day: all of it / 30.4, can_wait_share: 1, and 0 under"
    " timing.months_to_live (docs/start.md)",
) | dict.fromkeys(
    ("growth_until", "growth_months", "growth_ends", "growth_until_month", "growth_stops", "plateau", "cap", "saturates_at"),
    "no field; growth that ends is growth_per_year: 0 and steps: four times as many within a year are {from_month: 4, ratio:"
    " 1.41} and the same from months 7, 10 and 13 on",
) | dict.fromkeys(
    ("decay", "decay_per_month", "score_decay", "quality_decay", "data_drift", "concept_drift"),
    "no field; a score is that of a mean month: of a model that loses 2 points until it is trained again state one point less"
    " than at its best; training.retrain_every_months says how often that is",
) | dict.fromkeys(
    ("streaming", "stream", "voice", "realtime", "real_time", "latency", "latency_ms", "latency_s", "response_time"),
    "no field; seconds until the first token are workload.ttft_p95_s, 0.2 for 200 ms, and of each after it tpot_p95_s; what you"
    " measured is incumbent.ttft_p95_s, of a candidate apis.NAME.ttft_p95_s",
) | dict.fromkeys(
    ("image", "images", "vision", "images_per_request", "pages", "audio", "audio_seconds"),
    "no field; an image or a second of speech is as many of workload.input_tokens as its vendor bills, at another model"
    " tokens.MODEL.ratio times as many",
) | dict.fromkeys(
    ("thinking", "thinking_tokens", "thinking_budget", "reasoning_effort"),
    "no field; thinking is tokens.MODEL.reasoning_tokens a request, besides workload.output_tokens; of today's model fewer are"
    " candidates.less_reasoning",
) | dict.fromkeys(
    ("language", "languages", "tenants", "customers"),
    "no field; where each has an adapter of its own: training.adapters, with serving.adapters: shared",
) | dict.fromkeys(
    ("on_premises", "on_premise", "on_prem", "onprem"),
    "no field; cards that are yours are own_hardware.cards: {H100-80GB-SXM: 8}, cards to buy need none named; both with"
    " candidates.own_hardware: true, and rented: false where none may be rented",
) | dict.fromkeys(
    ("night", "nightly", "night_hours"),
    "no field; how a day's requests spread is workload.hourly_weights, 24 numbers; what may wait until the night is"
    " can_wait_share, within waits_hours",
) | dict.fromkeys(
    ("calls_per_task", "steps_per_task", "calls_per_loop", "turns", "conversation_turns", "turns_per_conversation"),
    "no field; workload.requests_per_day are all calls, input_tokens their mean prompt; where prompts grow by turns"
    " shared_prefix_tokens is as long, and cache_hit_rate the share of all input that is read from the cache",
) | dict.fromkeys(
    ("growth_per_month", "monthly_growth"),
    "no field; growth_per_year is (1 + that of a month)^12 - 1, 0.27 for 2% a month; as fast as 20% a month it is steps: 30%"
    " are {from_month: 2, ratio: 1.3}, the same from month 3, and so on while it lasts",
)
"""What people wish to say that no field holds, and what says it, or that nothing does."""

MEANT: Final = {
    "name": "title", "description": "title", "date": "as_of", "day": "as_of", "requests": "workload.requests_per_day",
    "volume": "workload.requests_per_day", "model": "incumbent.model", "provider": "incumbent.provider",
    "vendor": "incumbent.provider", "months": "horizon_months", "gpu": "candidates.gpus", "gpus": "candidates.gpus",
    "workload.requests_per_month": "requests_per_day", "workload.requests_per_second": "requests_per_day",
    "workload.seasonality": "steps, which hold from a month on (a peak of one month: two of them)",
    **dict.fromkeys(("budget", "budget_usd", "training.budget_usd"), "upfront_usd of a policy, for roi check"),
    **dict.fromkeys(("budget_usd_per_month", "monthly_budget", "monthly_budget_usd", "incumbent.budget_usd_per_month"),
                    "monthly_cash_usd of a policy, for roi check"),
    **dict.fromkeys(("credits", "credits_usd", "incumbent.credits", "incumbent.credits_usd"),
                    "costs: [{name: credits, option: stay, usd_per_month: -9000, to_month: 8}] (a cloud's for GPUs: option:"
                    " self-hosted-adapter)"),
    "workload.prompt_tokens": "input_tokens", "workload.completion_tokens": "output_tokens",
    "incumbent.name": "model", "incumbent.vendor": "provider",
    "incumbent.price": "apis.PROVIDER/MODEL.input_usd_per_mtok and output_usd_per_mtok", "quality.threshold": "bar",
    "quality.error_cost": "usd_per_error", "training.samples": "examples", "training.method": "candidates.methods",
    "candidates.models": "api_models, hosted_models, self_hosted", "serving.gpus": "candidates.gpus",
    "serving.quantization": "weight_dtypes", "serving.weights": "weight_dtypes", "people.rate": "usd_per_hour",
}  # fmt: skip
"""What people call a field that is called otherwise, by its path, and the field."""
GLUED: Final = re.compile(r"(\w+)(?::| +)(\S+)")
"""A key in braces to which its value sticks: {value:9} is a key of that name, without a value."""
NAME: Final = "NAME"
"""Stands for an entry's name in a path of `field_paths`."""
INSTEAD: Final = {
    ("currency", "it should be"): "convert your amounts at the rate of a day, and say which in their source",
    ("growth_per_year", "at most 10"): "faster growth is workload.steps, one for each month (roi help growth_per_month)",
    ("waits_hours", "greater than 0"): "where nothing can wait: can_wait_share: 0",
    ("usd_per_gpu_hour", "greater than 0"): "cards that cost no rent are own_hardware.cards, with resale_usd_per_gpu: 0",
}
"""What to write where a field does not take what was meant, by its name and words of the message."""


def wish(word: str) -> str | None:
    """What says that which no field of this name does, or that nothing does; None of a word that nobody wishes for."""
    return WISHES.get(re.sub("[ -]+", "_", word.lower().rpartition(".")[2]))


def explain_mistakes(
    error: ValidationError, data: object, schema: type[Section] = Scenario, whole: str = "scenario",
) -> InputError:
    """One sentence for the first few mistakes in `data`, which should be a `schema`: field, value, what is allowed."""
    problems: dict[str, str] = {}
    listed: set[str] = set()
    errors = error.errors()
    wrong = {e["loc"][:-1] for e in errors}
    for e in errors:
        places, branch = _places(e["loc"], data, missing=e["type"] == "missing")
        if _of_another_branch(branch, e.get("input")):
            continue
        if e["type"] == "too_short" and e["loc"] in wrong:  # its items are wrong, and said to be
            continue
        path = ".".join(places) or whole
        if path in problems:
            continue
        what, known, names = _problem(places, e["type"], e.get("input"), e["msg"], schema).partition("; known: ")
        problems[path] = f"{path}: {what}" + (f"{known}{names}" if names not in listed else "")
        listed.add(names)
    shown, more = list(problems.values())[:SHOWN], len(problems) - SHOWN
    return InputError("; ".join(shown) + (f"; and {more} more" if more > 0 else ""))


def _of_another_branch(place: str, value: object) -> bool:
    """True for the complaint of a union's branch that the value does not belong to: {..} is no number, 5 no {value: ..}."""
    block = "Spread" in place or "Score" in place
    return (block or "float" in place or "literal" in place) and block != isinstance(value, dict)


def _problem(places: list[str], kind: str, value: object, message: str, schema: type[Section]) -> str:
    if kind == "extra_forbidden":
        return _unknown(places, value, schema)
    if kind == "missing":
        return "needed and not given"
    message = allowed({"type": kind, "msg": message})
    for said, meant in WORDS.items():
        message = message.replace(said, meant)
    message += ", such as {NAME: value}" if kind == "dict_type" else ""
    message += _entries(value, places, schema) if kind == "tuple_type" else ""
    if kind in {"too_short", "too_long"} and places[-1:] == ["hourly_weights"] and isinstance(value, (list, tuple)):
        message = f"24 weights, one an hour, midnight first; {len(value)} given"
    bounds = kind == "model_type" and type(value) in {int, float} and {"at_least", "at_most"} <= {*fields_at(places, schema)}
    message += f", such as {{at_most: {written(value)}}} or {{at_least: {written(value)}}}" if bounds else (
        _fields(places, schema) if kind == "model_type" else "")
    message = of_many(value, kind, message, places)
    told = as_meant(value, kind, message, ".".join(places[-2:]))
    if kind == "int_type" and not told:
        message += f", such as {max(round(value), 1) if type(value) is float and isfinite(value) else 2}"
    only = next(iter(value.values()), None) if isinstance(value, dict) and len(value) == 1 else None
    message += told or (f"; write {only}" if kind == "string_type" and isinstance(only, str) else "")
    message += "".join(f"; {told}" for (name, words), told in INSTEAD.items() if [name] == places[-1:] and words in message)
    of_block = kind == "value_error" and isinstance(value, dict) and "value" not in value  # its message names the fields
    return message if of_block else f"{written(value)} is not usable; {message}"


def _entries(value: object, places: list[str], schema: type[Section]) -> str:
    """What a list holds in whose place something else stands: the value as its one item where that could be one."""
    names = fields_at([*places, "0"], schema)
    if isinstance(value, str) and not names:
        return f"; write [{value[:LONGEST_VALUE]}]"
    if isinstance(value, dict) and names:
        fits = value and {*map(str, value)} <= {*names}
        return f"; write [{written(value)}]" if fits else f" of blocks: [{_block_of(names)}]"
    words = [each for each in value.values() if isinstance(each, str)] if isinstance(value, dict) else []
    return f"; write [{', '.join(words)}]" if words else ", such as [NAME]" if isinstance(value, dict) else ""


def _fields(places: list[str], schema: type[Section]) -> str:
    """The first keys of a block in whose place something else stands."""
    names = fields_at(places, schema)
    return f", such as {_block_of(names)}" if names else ""


def _block_of(names: Sequence[str]) -> str:
    return f"{{{', '.join(f'{name}: ...' for name in names[:SHOWN])}}}"


def _unknown(places: list[str], value: object, schema: type[Section]) -> str:
    """What is said of a key that the schema does not have: the field that is meant, the nearest ones, or all there are."""
    name, fields = places[-1], fields_at(places[:-1], schema)
    glued = GLUED.fullmatch(name)
    if name in RENAMED:
        return RENAMED[name]
    if schema is Scenario and name in WISHES:
        return WISHES[name]
    if name.isdigit():
        return "unknown key; a comma does not group digits: write 1000 for 1,000"
    if value is None and glued is not None and glued[1] in fields:
        return f"unknown key; write {glued[1]}: {glued[2]}, with a colon and a blank"
    if schema is Scenario and (meant := _meant(places)) is not None:
        return f"unknown key; nearest: {meant}"
    begun = [field for field in fields if field.startswith(f"{name}_")] or [
        field for field in fields if name in field.split("_") and f"per_{name}" not in field]  # usd_per_gpu is no gpu
    elsewhere = _elsewhere(name) if schema is Scenario and not begun else []
    beside = begun or nearest(name, fields)
    close = nearest(name, beside, cutoff=ALIKE) if elsewhere else beside
    near = ", ".join([*close, *elsewhere][:SHOWN])
    few = len(elsewhere) > 1 and not close and len(fields) <= 2 * SHOWN
    known = f"; known: {', '.join(fields)}" if few or (fields and not beside and len(elsewhere) != 1) else ""
    return "unknown key" + (f"; nearest: {near}" if near else "") + known


def _meant(places: list[str]) -> str | None:
    """The field that people mean by a name that is like none, or whose path they part by other signs; None of all others."""
    path = ".".join(places)
    dotted = re.sub("[/:]", ".", path)
    return dotted if dotted != path and dotted in field_paths() else MEANT.get(path)


def _elsewhere(name: str) -> list[str]:
    """The paths at which other blocks of a scenario have a field of this name."""
    lasts = {path: path.rpartition(".")[2] for path in field_paths()}
    found = [path for path, last in lasts.items() if last == name] or [
        path for path, last in lasts.items() if last.startswith(f"{name}_") and NAME not in path]
    return [path if "." in path else f"{path} at the top level" for path in found]


def _places(loc: Sequence[str | int], data: object, *, missing: bool) -> tuple[list[str], str]:
    """The keys on the way to a mistake, and the name of the union's branch at its end, or nothing.

    pydantic puts names of branches between the keys, which mean nothing to a reader: they are what `data` has no place for.
    """
    keys, branch = [], ""
    for k, place in enumerate(loc):
        inside = isinstance(data, dict) and place in data
        listed = isinstance(data, list) and isinstance(place, int) and place < len(data)
        if inside or listed:
            data, branch = data[place], ""  # type: ignore[index]  # a block or a list, by the line above
        elif not (missing and k == len(loc) - 1):
            branch = str(place)
            continue
        keys.append(str(place))
    return keys, branch


def fields_at(places: list[str], schema: type[Section] = Scenario) -> list[str]:
    """Keys that the schema allows at a path."""
    block: type[Section] | None = schema
    entry = False
    for place in places:
        if entry:  # a name, or the number of an item
            entry = False
            continue
        info = None if block is None else block.model_fields.get(place)
        kind = None if info is None else info.annotation
        block, entry = section_in(kind), entries_in(kind) is not None
    fields = {} if block is None or entry else block.model_fields
    needed = sorted(fields.items(), key=lambda field: not field[1].is_required())  # those of a block it extends come first else
    return [info.alias or name for name, info in needed]
