"""What the columns of a table of one's own, or the values of a line of one's own log, hold: by their names and paths.

A line often holds the answer's usage as the API gave it: `usage.prompt_tokens`, `response.usage.input_tokens`. A column may lie
inside of others, by its path (`nested`); the counts then are those beside the input. The names inside a usage say what the
input counts: beside prompt_tokens_details (or input_tokens_details, inputTokenDetails) it holds what was cached; Anthropic's
and Bedrock's, beside cache_creation_input_tokens (cacheWriteInputTokens), leaves it out. A gateway that gives both beside
prompt_tokens counts as OpenAI does (LiteLLM adds Anthropic's three up); beside input_tokens nothing says which of them holds.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from roi.errors import InputError, nearest
from roi.usage.read.record import SIGNS

CURRENCIES: Final = ("usd", "eur", "gbp", "chf", "jpy", "cny", "inr", "krw", "cad", "aud", "nzd", "sgd", "hkd", "sek", "nok",
                     "dkk", "pln", "czk", "huf", "brl", "mxn", "zar", "ils")  # fmt: skip
"""Currencies that the name of a column of costs may say; a sign is one too."""
SIGNED: Final = {"$": "usd", **{sign: code.lower() for sign, code in SIGNS.items()}}
MONEY: Final = "|".join((*CURRENCIES, *map(re.escape, SIGNED)))
COST: Final = re.compile(
    rf"(?P<before>{MONEY})?(total|billed)?(cost(amount)?|spend|(?P<unsure>amount))(in)?(?P<code>{MONEY})?"
    rf"(?P<part>cents?|micros?|\u00b5|\u03bc)?(?P<after>{MONEY})?")
"""How a column of costs is called, without what stands between its words: a word for it, and a currency before or after, or in
parentheses; USD where it says none. In cents or millionths of it: many keep whole numbers (cost_cents, cost_usd_micros). An
`amount` is of money where its currency or its part is told."""
PARTS: Final = {"c": 100.0, "m": 1e6, "\u00b5": 1e6, "\u03bc": 1e6}
NAMES: Final = {
    "time": ("timestamp", "time", "start_time_iso", "start_time", "starttime", "created_at", "created", "datetime", "date",
             "arrival", "ts", "timegenerated", "timegenerated [utc]", "start_timestamp", "start_ns", "@timestamp", "event_time",
             "requested_at", "request_time", "occurred_at", "usage_date", "day", "week", "month", "quarter"),
    "input": ("input_tokens", "prompt_tokens", "inputtokens", "prompttokens", "contexttokens", "context_tokens", "tokens_in",
              "num_prefill_tokens", "request tokens", "input_length", "prompt_token_count", "prompttokencount",
              "$ai_input_tokens", "native_tokens_prompt", "input_token_count"),
    "output": ("output_tokens", "completion_tokens", "outputtokens", "completiontokens", "generatedtokens", "generated_tokens",
               "tokens_out", "num_decode_tokens", "response tokens", "output_length", "candidates_token_count",
               "candidatestokencount", "$ai_output_tokens", "native_tokens_completion", "output_token_count"),
    "thinking": ("thoughts_token_count", "thoughtstokencount", "thoughts_tokens", "thinking_tokens", "reasoning_tokens",
                 "output_reasoning_tokens", "reasoning_token_count", "reasoningtokens", "$ai_reasoning_tokens",
                 "native_tokens_reasoning"),
    "cached": ("cached_tokens", "cache_read_tokens", "cache_read_input_tokens", "input_cached_tokens", "cachedtokens",
               "cached_content_token_count", "cachedcontenttokencount", "cachereadinputtokens", "cachedinputtokens",
               "cachereadtokens", "prompt_cached_tokens", "cached_input_tokens", "prompt_cache_hit_tokens", "cache_read",
               "$ai_cache_read_input_tokens", "native_tokens_cached", "cached_read_input_tokens", "prompt_cache_read_tokens",
               "cached_prompt_tokens"),
    "cache_write": ("cache_write_tokens", "cache_creation_input_tokens", "cache_creation_tokens", "cache_write_input_tokens",
                    "cachewriteinputtokens", "cachewritetokens", "prompt_cache_creation_tokens", "cache_creation",
                    "$ai_cache_creation_input_tokens", "native_tokens_cache_creation", "cached_write_input_tokens",
                    "prompt_cache_write_tokens"),
    "cache_write_1h": ("cache_write_1h_tokens", "ephemeral_1h_input_tokens", "cache_creation_1h_tokens",
                       "$ai_cache_creation_1h_input_tokens"),
    "searches": ("web_search_requests", "web_search_count", "$ai_web_search_count"),
    "model": ("model", "model_name", "modelname", "model_id", "ls_model_name", "model_version", "modelversion", "modelid",
              "$ai_model", "response_model", "request_model", "model_group", "served_entity_name"),
    "provider": ("provider", "vendor", "provider_name", "ls_provider", "$ai_provider"),
    "session": ("session_id", "conversation_id", "session"),
    "group": ("tag", "task", "prompt_name", "feature", "endpoint", "use_case", "project", "key", "api_key_name",
              "$ai_span_name"),
    "cost": ("cost_usd", "cost", "total_cost", "total_cost_usd", "billed_cost", "spend", "spend_usd", "total_spend",
             "amount_usd", "$ai_total_cost_usd"),
    "currency": ("currency", "currency_code", "billing_currency", "cost_currency"),
    "requests": ("requests", "num_requests", "num_model_requests", "calls", "request_count", "api_requests"),
    "until": ("end_time", "endtime", "until"),
    "batch": ("batch", "is_batch"),
    "tier": ("service_tier", "servicetier", "traffic_type", "traffictype"),
    "speed": ("speed",),
    "inference_geo": ("inference_geo",),
    "status": ("status_code", "http_status", "http_status_code", "response_status", "response_code", "status",
               "$ai_http_status"),
    "run_type": ("run_type", "span_kind", "span_type", "span_attributes.type", "event"),
}  # fmt: skip
"""What a column holds, and the names by which it is found."""
TOTALS: Final = ("total_tokens", "totaltokens")
"""Names of the sum of input and output, where nothing tells the output: an answer of embeddings has no more."""
COLUMN_ALONE: Final = {
    "input": ("uncached_input_tokens", "input_uncached_tokens", "tokens_input", "input_text_tokens"),
    "output": ("tokens_output", "output_text_tokens", *TOTALS),
}
"""More names of a count, of a column where none has one of NAMES: inside a usage such a count may be a part of another."""
UNCACHED: Final = COLUMN_ALONE["input"][:2]
"""Names of an input that leaves out what was cached."""
HITS: Final = "prompt_cache_hit_tokens"
"""DeepSeek's name of what its input holds of cached tokens."""
GROUPING: Final = ("client", "client_name", "client_id", "customer", "customer_name", "customer_id", "tenant", "tenant_id",
                   "account", "account_name", "team", "department", "cost_center", "app", "app_name", "application", "service",
                   "workflow", "agent", "product", "environment")  # fmt: skip
"""Names of columns by which calls may belong together, or that say who or where one was: by these they are grouped if asked."""
NEEDED: Final = ("time", "input", "output")
"""What a table of one's own must hold."""
IN_USAGE: Final = ("speed", "inference_geo")
"""What Anthropic's usage says of how a call ran; a column of one's own that is called so may hold anything."""
SAID: Final = {what: names if what in {"thinking", "tier"} else (*names, what) for what, names in NAMES.items()
               if what not in IN_USAGE}
"""Columns by what they hold; one that is called as --map calls what it holds is that column, but `thinking`, which may be a
word, and `tier`, which may be a customer's."""
SPELLED: Final = {"prompttokencount": "promptTokenCount", "inputtokens": "inputTokens", "prompttokens": "promptTokens"}
"""Names of inputs as an API writes them, where that is in two cases."""
THOUGHTS: Final = NAMES["thinking"][:3]
"""Gemini's names of thinking, which its count of the output leaves out."""
COUNTS_CACHE: Final = ("prompt_token_count", "prompttokencount", "native_tokens_prompt")
"""Gemini's names of its input, and OpenRouter's of a generation's, which count what was read from a cache."""
EXCLUSIVE: Final = "$ai_cache_reporting_exclusive"
"""What PostHog says of each call: whether its input leaves out what was read from a cache and written to it."""
IDS: Final = ("request_id", "requestid", "response_id", "generation_id", "databricks_request_id", "id")
"""Columns by which a call that stands in its file twice is known; `id` may be anybody's, which its rows show (`duplicates`)."""
ANSWER_IDS: Final = ("id", "responseid", "response_id")
"""How APIs call the id of an answer, which stands beside its usage."""
OF_CALLS: Final = ("request_id", "requestid", "call_id", "run_id", "parent_run_id", "run_type", "span_id", "trace_id",
                   "generation_id", "latency", "latency_ms", "duration", "duration_ms", *NAMES["status"])  # fmt: skip
"""Names beside which the end of a row is that of a call, and of no bucket."""
COUNTS: Final = ("input", "output", "thinking", "cached", "cache_write", "cache_write_1h")
"""What a column may hold that is a count of tokens."""
DETAILS: Final = re.compile(r"(prompt|input)_?tokens?_?details$")
"""What holds a usage's cached tokens where its input counts them."""
MADE: Final = re.compile(r"(completion|output)_?tokens?_?details\.")
"""What holds its thinking, where that is part of its output."""
OF_USAGE: Final = re.compile(r"(prompt|input|completion|output)_?tokens?_?details|cache_creation")
"""What a usage has inside of it."""
LEFT_OUT: Final = (("cache_read_input_tokens", "cache_creation_input_tokens"),
                   ("cachereadinputtokens", "cachewriteinputtokens"))  # fmt: skip
INPUT_ALONE: Final = ("input_tokens", "inputtokens")
"""Names of what was read and written, and of the input, in a `usage` whose input leaves both out: Anthropic's, and that of
Bedrock's Converse."""
METADATA: Final = "metadata"
OF_METADATA: Final = ("group", "session", "provider")
"""What is taken from there alone, or by a name that begins with $: elsewhere inside a line a word called so may be of a prompt,
or of who serves for whom one pays.
"""
IN_CENTS: Final = "req_units"
"""A column of Portkey's, whose `cost` is in cents."""
SEPARATORS: Final = re.compile(r"[ _.-]+")


def _plain(name: str) -> str:
    """A column's name in lower case, with _ for what people put between words: `Prompt Tokens` is prompt_tokens."""
    return SEPARATORS.sub("_", name.strip().lower())


@lru_cache(1 << 14)
def money_of(column: str) -> tuple[str | None, float] | None:
    """(Currency that the name of a column of costs says, in capitals, parts of it in one); None where it is no cost's name.

    cost_eur, Spend (EUR), EUR cost: euros; cost_cents: 100 to a dollar.
    """
    found = COST.fullmatch(re.sub(r"[ _.()-]", "", column.rpartition(".")[2].lower()))
    if found is None or (found["unsure"] and not any(found[k] for k in ("before", "code", "after", "part"))):
        return None
    code = found["before"] or found["code"] or found["after"]
    return code and SIGNED.get(code, code).upper(), PARTS[found["part"][0]] if found["part"] else 1.0


INPUTS: Final = frozenset(map(_plain, NAMES["input"]))
ALL_NAMES: Final = frozenset(each for names in SAID.values() for name in names for each in (name, _plain(name))) | {
    IN_CENTS, EXCLUSIVE, *IN_USAGE, *OF_CALLS, *IDS, *COLUMN_ALONE["input"], *COLUMN_ALONE["output"]}  # fmt: skip
"""Names of inputs, and all by which a column is found or told to be of a call."""


def found_and_missing(mapped: Mapping[str, str], header: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The columns of a table that are needed, by what they hold, and what no column holds."""
    found = columns_found(mapped, header)
    there = {what: column for what, column in found.items() if what in NEEDED}
    return there, [what for what in NEEDED if what not in there]


def columns_found(mapped: Mapping[str, str], header: Iterable[str]) -> dict[str, str]:
    """The column of each kind that has one, in lower case: as the user mapped it, else by name.

    What is mapped to a column that is not there has none; `check_mapped` tells of it.
    """
    names = [name.lower() for name in header]
    own = {_plain(name): name for name in reversed(names)}
    named = {what: next((own[n] for n in map(_plain, said) if n in own), None) for what, said in SAID.items()}
    for what, alone in COLUMN_ALONE.items():
        named[what] = named[what] or next((own[n] for n in alone if n in own), None)
    named["cost"] = named["cost"] or next((name for name in names if "." not in name and money_of(name)), None)
    if IN_CENTS in own:
        named["cost"] = None
    inside = sorted((name for name in names if "." in name), key=lambda name: name.count("."))
    if inside and not any(own.get(_plain(name)) for name in NAMES["input"]):
        named = _with_inside(named, inside, mapped)
    elif inside:  # a usage laid flat beside the time and the model keeps its details
        named = {what: column or (_of_details(what, inside) if what in COUNTS else None) for what, column in named.items()}
    named |= {what: column.lower() if column.lower() in names else None for what, column in mapped.items()}
    return {what: column for what, column in named.items() if column}


def check_mapped(mapped: Mapping[str, str], header: Sequence[str]) -> None:
    """Raise InputError where something is mapped to a column that is not there, with the nearest that is."""
    for what, column in mapped.items():
        if column.lower() not in {name.lower() for name in header}:
            raise _unknown_column(what, column, header)


def _of_details(what: str, paths: list[str]) -> str | None:
    """The first path to such a count in the details of a usage that is the line itself."""
    inside = (path for path in paths if OF_USAGE.fullmatch(path.rpartition(".")[0]))
    return next((path for path in inside if leaf(path) in map(_plain, NAMES[what])), None)


def _with_inside(named: dict[str, str | None], paths: list[str], mapped: Mapping[str, str]) -> dict[str, str | None]:
    """What is named, and for what is not the nearest path to a value of such a name; counts lie where the input does."""
    def nearest_path(what: str, beginning: str = "") -> str | None:
        """The first of the shallowest paths with this beginning that end in a name of it, the likeliest name first."""
        names = [*map(_plain, NAMES[what])]
        names += [leaf(path) for path in paths if what == "cost" and money_of(path)]
        there = [path for path in paths if path.startswith(beginning) and leaf(path) in names]
        if what in OF_METADATA:
            there = [path for path in there if METADATA in path.split(".")[:-1] or leaf(path).startswith("$")]
        return min(there, key=lambda path: (path.count("."), names.index(leaf(path))), default=None)

    given = mapped["input"].lower() if "input" in mapped else _one_input(paths)
    usage = given.rpartition(".")[0] if given else ""
    answer = usage.rpartition(".")[0]
    if given is None or not usage:
        return named
    beside = {what: nearest_path(what, f"{usage}.") for what in (*COUNTS, *IN_USAGE, "cost")} | {"input": given}
    for what in ("time", "model", "status", "run_type", "searches", "tier", *OF_METADATA):
        own = next((path for path in paths if path in NAMES[what]), None)
        beside[what] = named[what] or own or nearest_path(what, f"{answer}.") or nearest_path(what)
    beside["output"] = beside["output"] or next((path for path in paths if path in {f"{usage}.{x}" for x in TOTALS}), None)
    return named | beside | {"cost": named["cost"] or beside["cost"]}


def _one_input(paths: list[str]) -> str | None:
    """The shallowest path to an input; of several that of a `usage`. None where that leaves several, as with one a model."""
    there = [path for path in paths if leaf(path) in map(_plain, NAMES["input"])]
    nearest_ones = [path for path in there if path.count(".") == there[0].count(".")]
    of_usage = [path for path in nearest_ones if path.split(".")[-2] == "usage"]
    return next((each[0] for each in (nearest_ones, of_usage) if len(each) == 1), None)


def has_several_inputs(names: Iterable[str]) -> bool:
    """True where a line has several counts of an input, none of which is told to be the call's."""
    return sum(leaf(name) in INPUTS for name in names) > 1


def has_counts_twice(header: Iterable[str]) -> bool:
    """True where a table has two columns of one count, as where answers of several vendors were made one table."""
    leaves = [leaf(name) for name in header]
    return any(sum(each in {*map(_plain, NAMES[what])} for each in leaves) > 1 for what in COUNTS)


@lru_cache(1 << 14)
def may_be_column(name: str) -> bool:
    """True of a name by which something is found, and of what lies beside cached tokens."""
    known = leaf(name) in ALL_NAMES or name in ALL_NAMES or money_of(name) is not None
    return known or DETAILS.search(name.rpartition(".")[0]) is not None


def counts_cached(found: Mapping[str, str], header: Iterable[str]) -> bool | None:
    """Whether the input counts cached tokens, as names say; None where they do not, or speak for both."""
    given = leaf(found["input"])
    usage, nested, _ = found["input"].rpartition(".")
    written, read = (leaf(found.get(what, "")) for what in ("cache_write", "cached"))
    if given in COUNTS_CACHE or read == HITS:
        return True
    if given in UNCACHED:
        return False
    left_out = (given in INPUT_ALONE and usage.rpartition(".")[2] == "usage"
                and any(written == write and read in ("", cached) for cached, write in LEFT_OUT))
    holders = (name.rpartition(".")[0].lower() for name in header if name.startswith(f"{usage}{nested}"))
    details = any(DETAILS.search(holder) if usage else DETAILS.fullmatch(holder) for holder in holders)
    return None if left_out and details else True if details else False if left_out else None


def thinking_beside(found: Mapping[str, str]) -> bool:
    """True where thinking has a name that Gemini gives it, whose output leaves it out."""
    return leaf(found.get("thinking", "")) in THOUGHTS


def is_total(found: Mapping[str, str]) -> bool:
    """True where what holds the output holds the sum of input and output."""
    return leaf(found.get("output", "")) in TOTALS


def leaf(name: str) -> str:
    """The last name of a path, plain."""
    return _plain(name.rpartition(".")[2])


def _unknown_column(what: str, column: str, header: Sequence[str]) -> InputError:
    """Says that a file has no such column, the nearest that it has, by name or by what is asked for, and where others are."""
    near = nearest(column, header) or nearest(what, header)
    more = len(set(header)) - len(near)
    told = f"; nearest: {', '.join(name[:40] for name in near)}" if near else ""
    others = f"; the file's header lists {f'{more:,} more' if near else f'its {more:,}'}" if more else ""
    return InputError(f"--map {what}: unknown column {column[:80]!r}{told}{others}")
