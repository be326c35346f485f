"""AWS's Cost and Usage Report (Athena's names, which CUR 2.0 has too): what Bedrock billed for each kind of token, by model.

A row is one count of one model over an hour, a day or a month, and what it cost; nobody counts the requests. The usage type
names the count: `USW2-MP:USW2_InputTokenCount-Units`, `..._cache_read_tokens_global_standard-Units` of models that are sold in
AWS's marketplace ("... (Amazon Bedrock Edition)"), `USE1-NovaLite-input-tokens`, `USE1-qwen.qwen3-...-mantle-input-tokens-flex`
of the others. The model is the last part of the resource's ARN; without one it is made of the product's name, or of the usage
type, and called as Bedrock calls it. `Global` in the usage type is the model's global price, which is a name of its own.

The amount is in what `pricing_unit` says (1K tokens, 1M tokens), else in what the description counts ("Million Input Tokens"),
else, of a marketplace's "Units", in millions, as AWS prices them. Costs are after discounts where the report has them so. Rows
of other services, and of tax, credits, fees and discounts, are left out. Sources: a row of a report (2025-02) and the public
price file AmazonBedrockFoundationModels of us-west-2 (2026-09) as documents and tests of public repositories hold them.
"""

from typing import Final

from roi.usage.formats.clouds.bedrock import OTHER_MODELS, without_arn
from roi.usage.read.columns import real, text, utc
from roi.usage.read.lazy_ibis import Column, Table, ibis
from roi.usage.read.record import EMPTY_BUCKET, Fields, FileOptions, Format

NEEDS: Final = frozenset({"line_item_usage_start_date", "line_item_usage_type", "line_item_usage_amount",
                          "line_item_unblended_cost"})  # fmt: skip
KEYS: Final = ("line_item_usage_account_id", "line_item_resource_id", "line_item_operation", "line_item_product_code")
USES: Final = ("line_item_usage_end_date", "line_item_line_item_type", "line_item_line_item_description", "pricing_unit",
               "product_product_name", "product", "line_item_net_unblended_cost", "line_item_currency_code")  # fmt: skip
COUNTED: Final = (("cache[-_]?read", "cache_read"), ("cache[-_]?write", "cache_write"), ("input[-_]?token", "uncached_input"),
                  ("output[-_]?token", "output"))  # fmt: skip
"""Part of a usage type in lower case, and the count that it is of; the first that fits: what is cached is called input too."""
UNITS: Final = (("1m tokens", 1e6), ("1k tokens", 1e3), ("tokens", 1.0))
"""`pricing_unit` in lower case, and its tokens."""
PLACE: Final = r"^[a-z]{2,4}[0-9]?-"
"""Where it was used, at the beginning of a usage type: use1-, eu-."""
KIND: Final = r"(-mantle)?-(cache-(read|write)-)?(input|output)?-?tokens?(-count)?(-.*)?$"
"""What was counted, behind the model in the usage type of what no marketplace sells."""
API_ID: Final = r"^[a-z0-9]+\.[a-z]"
"""Beginning of a model's id at Bedrock: qwen.qwen3-...; a name such as claude4.6opus has a digit there."""
EDITION: Final = r" \(amazon bedrock edition\)$"


def fields(table: Table, _: FileOptions) -> Fields:
    """What rows say of tokens."""
    usage, product = text(table, "line_item_usage_type").lower(), _product(table)
    arn, line = text(table, "line_item_resource_id"), text(table, "line_item_line_item_type").lower()
    bedrock = [x.contains("bedrock").fill_null(False) for x in (text(table, "line_item_product_code").lower(), product, arn)]
    which = ibis.cases(*((usage.re_search(part), name) for part, name in COUNTED), else_=ibis.null("string"))
    tokens = (real(table, "line_item_usage_amount") * _unit(table, usage)).round().cast("int64")
    of_hour = (which == "cache_write") & usage.re_search("1h|1-hour")
    model = _model(arn, product, usage)
    counts = {name: ibis.ifelse(which == name, tokens, 0) for _, name in COUNTED}
    other = [model.contains(part).fill_null(False) for part in ("embed", *OTHER_MODELS)]
    return Fields(
        at_us=utc(table, "line_item_usage_start_date"), until_us=utc(table, "line_item_usage_end_date"), provider="aws",
        model=model, requests=None, cache_write_1h=ibis.ifelse(of_hour, tokens, 0), **counts,
        batch=usage.contains("batch"), tier=usage.re_extract("[-_](flex|priority)", 1).nullif(""),
        long_context=usage.re_search("[-_]long[-_]"),
        cost_usd=ibis.coalesce(real(table, "line_item_net_unblended_cost"), real(table, "line_item_unblended_cost")),
        costs=("line_item_net_unblended_cost", "line_item_unblended_cost"), currency=text(table, "line_item_currency_code"),
        reasons=((~(bedrock[0] | bedrock[1] | bedrock[2]), "a service other than Bedrock"),
                 ((line != "usage").fill_null(False), "tax, a credit, a fee or a discount"),
                 (which.isnull(), "of Bedrock, and no tokens"),
                 *((each, "a model of embeddings, images, video, speech or ranks") for each in other),
                 (_unit(table, usage).isnull(), "a count that cannot be read: nothing says what its amount is in"),
                 ((tokens == 0).fill_null(False), EMPTY_BUCKET)))


def _product(table: Table) -> Column:
    """The product's name in lower case: a column, or an entry of CUR 2.0's map, as JSON or as a database writes a map."""
    held = text(table, "product").re_extract(r"""product_name["']?\s*[:=]\s*["']?([^"',}]*)""", 1).nullif("")
    return ibis.coalesce(text(table, "product_product_name"), held).lower()


def _unit(table: Table, usage: Column) -> Column:
    """Tokens of an amount of 1; null where nothing says."""
    unit, told = text(table, "pricing_unit").lower(), text(table, "line_item_line_item_description").lower()
    return ibis.cases(*((unit == word, tokens) for word, tokens in UNITS), (told.contains("million"), 1e6),
                      (usage.re_search("-mp:.*-units$"), 1e6), else_=ibis.null("float64"))


def _model(arn: Column, product: Column, usage: Column) -> Column:
    """What Bedrock calls the model: by the resource, else by the product that a marketplace sells, else by the usage type."""
    none = ibis.null("string")
    resource = ibis.ifelse(arn.re_search("(foundation-model|inference-profile)/[^/]*[.]"), without_arn(arn), none)
    sold = ibis.ifelse(product.re_search(EDITION), product.re_replace(EDITION, ""), none)
    sold = sold.re_replace("^(claude) ", r"anthropic.\1 ").re_replace("^(openai) ", r"\1.").re_replace("[ ]", "-")
    named = ibis.ifelse(usage.contains("-mp:"), none, usage.re_replace(PLACE, "").re_replace(KIND, ""))
    plain = (named.re_replace(r"^claude([4-9][0-9.]*)([a-z]+)$", r"anthropic.claude-\2-\1")
             .re_replace(r"^claude([0-9.]+)([a-z]+)$", r"anthropic.claude-\1-\2")
             .re_replace(r"^nova(\d+)?(\.0)?([a-z]+)$", r"amazon.nova-\1-\3").replace("nova--", "nova-"))
    called = ibis.coalesce(sold.re_replace(r"(\d)[.](\d)", r"\1-\2"),
                           ibis.ifelse(named.re_search(API_ID), named, plain.re_replace(r"(\d)[.](\d)", r"\1-\2")))
    routed = ibis.ifelse(usage.contains("global") & called.re_search(API_ID), ibis.literal("global.").concat(called), called)
    return ibis.coalesce(resource, routed)


AWS_CUR: Final = Format(
    name="aws-cur", title="AWS Cost and Usage Report", grain="bucket", needs=NEEDS, uses=(*USES, *KEYS), fields=fields,
    parts=(*KEYS, "line_item_usage_type"), groups={"project": "line_item_usage_account_id"})
