"""AWS's Cost and Usage Report (Athena's names, which CUR 2.0 has too; or the older ones): what Bedrock billed, by model.

A row is one count of one model over an hour, a day or a month, and what it cost; nobody counts the requests. The usage type
names the count: `USW2-MP:USW2_InputTokenCount-Units`, `..._cache_read_tokens_global_standard-Units` of models that are sold in
AWS's marketplace ("... (Amazon Bedrock Edition)"), `USE1-NovaLite-input-tokens`, `USE1-qwen.qwen3-...-mantle-input-tokens-flex`
of the others. The model is the last part of the resource's ARN; without one it is made of the product's name, or of the usage
type, and called as Bedrock calls it. `Global` in the usage type is the model's global price, which is a name of its own.

The amount is in what `pricing_unit` says (1K tokens, 1M tokens), else in what the description counts ("Million Input Tokens"),
else, of a marketplace's "Units", in millions, as AWS prices them. Costs are after discounts where the report has them so. Model
units, tokens a minute that are reserved, guardrails and the like are billed without tokens, and so are fees of subscriptions,
refunds, and discounts where no column is after them. Usage that a reservation or a savings plan covers counts as other usage
does, at its effective cost; without that column a plan's tells no cost, since another row takes all of it back. Left out are
rows of other services and of tax, credits, which pay for usage and are no price of it, and what a plan or a reservation costs.
Rows of a report are told apart by their id, which another report of the same month has anew. Sources: a row of a report
(2025-02), the public price files AmazonBedrock and AmazonBedrockFoundationModels of us-east-1 and us-west-2 (2026-07 to
2026-09) as documents and tests of public repositories hold them, AWS's dictionary of the report's columns.
"""

import re
from dataclasses import replace
from functools import reduce
from typing import Final

from roi.usage.formats.clouds.bedrock import OTHER_MODELS, without_arn
from roi.usage.read.columns import find, real, text, utc
from roi.usage.read.lazy_ibis import Column, Table, ibis
from roi.usage.read.record import EMPTY_BUCKET, FILE, NO_TOKENS, OTHER_MODEL, PAYS, Fields, FileOptions, Format

NEEDS: Final = ("line_item_usage_start_date", "line_item_usage_type", "line_item_usage_amount", "line_item_unblended_cost")
KEYS: Final = ("line_item_usage_account_id", "line_item_resource_id", "line_item_operation", "line_item_product_code")
ITEM: Final = "identity_line_item_id"
NET: Final = "line_item_net_unblended_cost"
PLAN: Final = ("savings_plan_net_savings_plan_effective_cost", "savings_plan_savings_plan_effective_cost")
RESERVED: Final = ("reservation_net_effective_cost", "reservation_effective_cost")
"""What usage cost that one covers, after discounts and before."""
COVERED: Final = "savingsplancoveredusage"
USED: Final = ("usage", "discountedusage", COVERED)
"""Types of line items, in lower case, of what was used."""
OF_PLAN: Final = "^savingsplan|^rifee$"
"""Types of what a plan or a reservation costs, and of what a plan covers; a plan's are of a service of its own."""
BESIDE: Final = ("fee", "refund")
"""Types of money without a count."""
USES: Final = ("line_item_usage_end_date", "line_item_line_item_type", "line_item_line_item_description", "pricing_unit",
               "product_product_name", "product", NET, "line_item_currency_code", *PLAN, *RESERVED, ITEM, *KEYS)
OLDER: Final = {name: f"{head.replace('_', '')}/{name.removeprefix(f'{head}_').replace('_', '')}"
                for head in ("line_item", "pricing", "product", "identity", "savings_plan", "reservation")
                for name in (*NEEDS, *USES) if name.startswith(f"{head}_")}  # fmt: skip
"""What reports before CUR 2.0 call the columns as they lie in S3, in lower case: lineItem/UsageType."""
COUNTED: Final = (("cache[-_]?read|cached[-_]input", "cache_read"), ("cache[-_]?write", "cache_write"),
                  ("input[-_]?token", "uncached_input"), ("output[-_]?token", "output"))  # fmt: skip
"""Part of a usage type in lower case, and the count that it is of; the first that fits: what is cached is called input too."""
UNITS: Final = (("1m tokens", 1e6), ("1k tokens", 1e3), ("tokens", 1.0))
"""`pricing_unit` in lower case, and its tokens."""
TAGS: Final = "resource_tags"
"""The map of tags in CUR 2.0, and how columns of single tags begin."""
PLACE: Final = r"^[A-Za-z]{2,4}[0-9]?-"
"""Where it was used, at the beginning of a usage type: USE1-, EU-."""
SOLD: Final = r"^MP:[A-Za-z0-9]+_|-Units$"
"""Around what was counted, behind the place, in a usage type of the marketplace."""
FAST: Final = "-?latency-?optimized"
KIND: Final = rf"({FAST})?(-mantle)?(-text)?-(cache-(read|write)-)?(input|output)?-?tokens?(-count)?(-.*)?$"
"""What was counted, behind the model in the usage type of what no marketplace sells."""
API_ID: Final = r"^[a-z0-9]+\.[a-z]"
"""Beginning of a model's id at Bedrock: qwen.qwen3-...; a name such as claude4.6opus has a digit there."""
EDITION: Final = r" \(amazon bedrock edition\)$"
SPELLED: Final = (
    (" ", "-"), ("^openai-", ""), ("^claude-?([0-9][0-9.-]*)([a-z]+)", r"claude-\1-\2"), ("--", "-"),
    (r"^claude-([4-9][0-9.]*)-([a-z]+)", r"claude-\2-\1"), (r"^(claude.*[0-9])[.]([0-9])", r"\1-\2"),
    (r"^nova-?([0-9]*)(\.0)?-?([a-z]+)", r"nova-\1-\3"), ("^nova--", "nova-"), ("^(llama.*)$", r"\1-instruct"),
    (r"^(mistral|pixtral)(large|small)", r"\1-\2"), (r"^(mistral-large|pixtral-large)([0-9])", r"\1-\2"))
"""In order, what a bill's word for a model has in lower case and its id at Bedrock writes otherwise: claude4.6opus and Claude
Opus 4.6 are claude-opus-4-6, claude3-5haiku is claude-3-5-haiku, nova2.0lite is nova-2-lite."""
MAKERS: Final = (
    ("claude", "anthropic"), ("gpt-", "openai"), ("(nova|titan)", "amazon"), ("llama", "meta"), ("qwen", "qwen"),
    ("(m[a-z]+|devs|pix|vox)tral", "mistral"), ("gemma", "google"), ("nemotron", "nvidia"), ("palmyra", "writer"),
    ("deepseek", "deepseek"))  # fmt: skip
"""Beginning of a model's name, and the maker that stands before it in its id."""


def prepare(table: Table) -> Table:
    """The table with what is counted, in what, and of which model, by steps: each reads the columns of the ones before."""
    usage, none = text(table, "line_item_usage_type").lower(), ibis.null("string")
    read = table.mutate(roi_usage=usage, roi_product=_product(table), roi_arn=text(table, "line_item_resource_id"),
                        roi_line=text(table, "line_item_line_item_type").lower())
    used, less = _used(read.roi_line), _less(read.roi_line)
    counted = ((used & read.roi_usage.re_search(part), name) for part, name in COUNTED)
    kind = ibis.cases(*((read.roi_line == each, each) for each in BESIDE), (less, "discount"))
    sold = ibis.ifelse(read.roi_product.re_search(EDITION), read.roi_product.re_replace(EDITION, ""), none)  # by a marketplace
    read = read.mutate(
        roi_which=ibis.cases(*counted, else_=none), roi_kind=kind, roi_unit=_unit(read), roi_sold=sold,
        roi_named=ibis.ifelse(read.roi_usage.contains("-mp:"), none, read.roi_usage.re_replace(PLACE, "").re_replace(KIND, "")))
    plain = reduce(lambda name, spelled: name.re_replace(*spelled), SPELLED, ibis.coalesce(read.roi_sold, read.roi_named))
    read = read.mutate(roi_plain=plain, roi_tokens=(real(read, "line_item_usage_amount") * read.roi_unit).round().cast("int64"))
    read = read.mutate(roi_called=_called(read))
    item = _item(read)
    return read.mutate(roi_model=ibis.ifelse(
        read.roi_which.isnull(), ibis.coalesce(read.roi_kind.concat("/", item), item, read.roi_kind), _routed(read)))


def _used(line: Column) -> Column:
    """Whether a line of this type is of usage, or says no type."""
    return line.isin(USED) | line.isnull()


def _less(line: Column) -> Column:
    """Whether it is a discount on others."""
    return line.contains("discount") & ~line.isin(USED)


def fields(table: Table, _: FileOptions) -> Fields:
    """What rows say of tokens."""
    usage, which, tokens, model, line = table.roi_usage, table.roi_which, table.roi_tokens, table.roi_model, table.roi_line
    code = text(table, "line_item_product_code").lower()
    bedrock = [x.contains("bedrock").fill_null(False) for x in (code, table.roi_product, table.roi_arn)]
    of_hour = (which == "cache_write") & usage.re_search("1h|1-hour")
    used, less = _used(line), _less(line)
    paid = ibis.coalesce(real(table, NET), real(table, "line_item_unblended_cost"))
    cost = ibis.cases((line == COVERED, real(table, *PLAN)),
                      (line == "discountedusage", ibis.coalesce(real(table, *RESERVED), paid)), else_=paid)
    tier = usage.re_extract("[-_](flex|priority)", 1)
    counts = {name: ibis.ifelse(which == name, tokens, 0) for _, name in COUNTED}
    other = [model.contains(part) for part in ("embed", *OTHER_MODELS)]
    return Fields(
        at_us=utc(table, "line_item_usage_start_date"), until_us=utc(table, "line_item_usage_end_date"), provider="aws",
        model=model, requests=None, cache_write_1h=ibis.ifelse(of_hour, tokens, 0), **counts,
        batch=usage.contains("batch"), tier=ibis.cases((usage.re_search(FAST), "latency-optimized"), else_=tier.nullif("")),
        long_context=usage.re_search("[-_](long[-_]|lctx)"),
        cost_usd=cost, costs=(NET, "line_item_unblended_cost"), currency=text(table, "line_item_currency_code"),
        reasons=((line.re_search(OF_PLAN) & ~used, "what a plan or a reservation costs"),
                 (~(bedrock[0] | bedrock[1] | bedrock[2]), "a service other than Bedrock"),
                 (line == "credit", PAYS),
                 (less & _any_net(table), "a discount, which costs are after"),
                 (~(used | less | line.isin(BESIDE)).fill_null(False), "tax"),
                 (which.isnull(), NO_TOKENS),
                 *((each, OTHER_MODEL) for each in other),
                 (table.roi_unit.isnull(), "a count that cannot be read: nothing says what its amount is in (pricing_unit)"),
                 (tokens == 0, EMPTY_BUCKET)))


def _any_net(table: Table) -> Column:
    """Whether the file has costs after discounts: the column may stand there and be empty."""
    if find(table, NET) is None:
        return ibis.literal(False)
    told = text(table, NET).notnull().cast("int64")
    return (told.max().over(group_by=FILE) if FILE in table.columns else told.max().over()) > 0


def _product(table: Table) -> Column:
    """The product's name in lower case: a column, or an entry of CUR 2.0's map."""
    return ibis.coalesce(text(table, "product_product_name"), _entry(table, "product", "product_name")).lower()


def _entry(table: Table, name: str, key: str) -> Column:
    """An entry of a map, as JSON or as a database writes a map; null where it has none. What stands in quotes is read whole."""
    held, begins = text(table, name), rf"""[{{,]\s*["']?{key}["']?\s*[:=]\s*"""
    whole = [held.re_extract(rf"{begins}{sign}((?:[^{sign}\\]|\\.)*){sign}", 1) for sign in "\"'"]
    bare = held.re_extract(rf"""{begins}([^"'\s,}}][^,}}]*)""", 1)
    return ibis.coalesce(*(each.re_replace(r"""\\(["'\\])""", r"\1").nullif("") for each in whole), bare.nullif(""))


def _unit(table: Table) -> Column:
    """Tokens of an amount of 1; null where nothing says."""
    unit, told = text(table, "pricing_unit").lower(), text(table, "line_item_line_item_description").lower()
    return ibis.cases(*((unit == word, tokens) for word, tokens in UNITS), (told.contains("million"), 1e6),
                      (table.roi_usage.re_search("-mp:.*-units$"), 1e6), else_=ibis.null("float64"))


def _item(table: Table) -> Column:
    """What the bill calls something that is counted in no tokens: the usage type without its place, behind the model's name."""
    item = text(table, "line_item_usage_type").re_replace(PLACE, "").re_replace(SOLD, "")
    return ibis.coalesce(table.roi_sold.replace(" ", "-").concat("/", item), item)


def _called(table: Table) -> Column:
    """What Bedrock calls the model: by the resource, else by the product that a marketplace sells, else by the usage type."""
    none, arn, named, plain = ibis.null("string"), table.roi_arn, table.roi_named, table.roi_plain
    resource = ibis.ifelse(arn.re_search("(foundation-model|inference-profile)/[^/]*[.]"), without_arn(arn), none)
    maker = ibis.cases(*((plain.re_search(f"^{name}"), maker) for name, maker in MAKERS), else_=none)
    called = ibis.coalesce(ibis.ifelse(named.re_search(API_ID), named, none), maker.concat(".", plain), plain)
    return ibis.coalesce(resource, called.re_replace("(gpt-oss-[0-9]+b)$", r"\1-1"))


def _routed(table: Table) -> Column:
    """What Bedrock calls the model, with global. before it where the price is a global one, which is a name of its own."""
    called = table.roi_called
    routed = table.roi_usage.contains("global") & called.re_search(API_ID) & ~called.startswith("global.")
    return ibis.ifelse(routed, ibis.literal("global.").concat(called), called)


def _renamed(table: Table) -> Table:
    """The columns of an older report as they are called today, prepared."""
    return prepare(table.rename({name: own for name, older in OLDER.items() if (own := find(table, older)) is not None}))


def tagged(form: Format, asked: str | None) -> Format:
    """The format with the one tag that is asked for by its column as a group: people write tags, so that no other is read.

    In CUR 2.0 a tag such as resource_tags_user_task is the entry user_task of the map resource_tags.
    """
    name = (asked or "").lower()
    if form not in (AWS_CUR, AWS_CUR_OLDER) or not re.match(f"({TAGS}_|resourcetags/).", name):
        return form

    def prepared(raw: Table) -> Table:
        read = form.prepare(raw)
        if find(read, name) or not find(read, TAGS):
            return read
        return read.mutate(**{name: _entry(read, TAGS, re.escape(name.removeprefix(f"{TAGS}_")))})

    return replace(form, uses=(*form.uses, name, TAGS), prepare=prepared, groups={**form.groups, name: name})


AWS_CUR: Final = Format(
    name="aws-cur", title="AWS Cost and Usage Report", grain="bucket", needs=frozenset(NEEDS), uses=USES, fields=fields,
    prepare=prepare, parts=(*KEYS, "line_item_usage_type"), item=ITEM, groups={"project": "line_item_usage_account_id"})
AWS_CUR_OLDER: Final = replace(
    AWS_CUR, name="aws-cur-older", needs=frozenset(OLDER[name] for name in NEEDS), prepare=_renamed,
    uses=tuple(OLDER[name] for name in USES if name in OLDER))
