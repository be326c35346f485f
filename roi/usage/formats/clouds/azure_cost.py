"""Azure's cost and usage details (Cost Management's export, actual or amortized): what its models billed, by meter.

A row is one meter of one resource on a day, and what it cost; nobody counts the requests. The meter names model, count and
deployment as people of billing abbreviate them: `gpt 4o 0806 cached Inp regnl Tokens`, `5.4 longco batch cd inp Dz 1M Tokens`,
`GPT 5 Mini outpt Glbl 1M Tokens`. `opt` is output, `pp` priority, `cd` what was read from a cache; a maker that it leaves out
stands in the product (`Azure Deepseek Models`) or is OpenAI. Data zones and regions cost a tenth more than the list, whose
price is the global one; the row's own cost has it.

`UnitOfMeasure` is what a price is for (1K, 1M). The quantity counts those: 77,469.256 of 1K are 77,469,256 tokens. Microsoft's
FOCUS conversion divides it by them, as if it counted tokens, so each file settles it by its own prices: where the quantity
times a price is more than sqrt(1K), or sqrt(1M), times the cost, tokens were counted, for no discount is 97%.

Costs are after discounts. Deployments that are paid by the hour (provisioned throughput), hosting, training, sessions and calls
of tools are billed without tokens. What a reservation costs is left out, as its use is in the amortized export; so are tax and
rounding, other services, and models of embeddings, images, video and speech. Claude, which Azure's marketplace sells, has no
meter of tokens here. Rows have no id. Sources: Microsoft's reference of the columns for agreements of enterprises and customers
(EA 2024-08, MCA), meters of the Retail Prices API as public repositories list them (2026-10), quantities and costs of one bill
in the tests of one (2026-08).
"""

from functools import reduce
from typing import Final

from roi.usage.read.columns import DAY_US, find, real, text, year_last_instant
from roi.usage.read.lazy_ibis import Column, Table, ibis
from roi.usage.read.record import EMPTY_BUCKET, FILE, NO_TOKENS, OTHER_MODEL, Fields, FileOptions, Format

NEEDS: Final = ("date", "metername", "unitofmeasure", "quantity", "metercategory")
USD: Final = "costinusd"
COSTS: Final = ("costinbillingcurrency", "cost")
LISTED: Final = ("paygprice", "unitprice")
"""Prices of one `UnitOfMeasure`, in the currency that prices are in."""
KEYS: Final = ("subscriptionid", "resourceid", "meterid", "meterregion", "resourcelocation", "chargetype", "pricingmodel",
               "reservationid")  # fmt: skip
"""Not shown; with the meter they tell one row from another of the same day."""
PROJECT: Final = "resourcegroup"
OF_CUSTOMERS: Final = "resourcegroupname"
"""What an agreement of customers calls it."""
USES: Final = ("metersubcategory", "productname", "product", USD, *COSTS, "costinpricingcurrency", *LISTED,
               "billingcurrencycode", "billingcurrency", PROJECT, OF_CUSTOMERS, *KEYS)
SERVICE: Final = "openai|foundry models|(deepseek|llama|mistral|grok|phi|cohere|kimi|mai|qwen) models"
"""Category, subcategory or product of what sells models by the token, in lower case."""
APART: Final = (("[\\s_-]+", "-"), ("batch(inp|outp)", r"batch-\1"), ("mini([0-9]{4})", r"mini-\1"), ("-?(1[km]-)?tokens$", ""))
"""In order, how a meter's words are told apart: some are run together."""
QUALIFIERS: Final = (
    "batch", "cached", "c?cchd", "chd", "cd", "inpt?", "input", "in", "outp?t?", "output", "opt", "gl(bl|obal)?",
    "reg(nl|ional)?", "data", "dz(n|one)?", "datazone", "sh(ort)?co", "lo(ng)?co", "pp", "priority", "fl(ex)?", "std")
"""Words of a meter behind its model: service, what was counted, length of the prompt, and where it was used."""
COUNTED: Final = (("-(c?cchd|chd|cd|cached?)-(wr|write)(-|$)", "cache_write"), ("-(c?cchd|chd|cd|cached?)(-|$)", "cache_read"),
                  ("-(inpt?|input|in)(-|$)", "uncached_input"), ("-(outp?t?|output|opt)(-|$)", "output"))  # fmt: skip
"""Words of a meter, and the count that it is of; the first that fits: what is cached is called input too."""
OTHERS: Final = ("(^|-)(aud|audio|rt|realtime|realtimeprvw|img|images?|transcribe|tts|whisper|embedding|sora|video|speech|ocr"
                 "|rerank)[0-9]*(-|$)")
TRAINING: Final = "-(training|trng)(-|$)"
SPELLED: Final = (
    ("^gpt([0-9])", r"gpt-\1"), ("^gpt-35-?", "gpt-3.5-"), ("turbo-?16k-", "turbo-"), ("^([0-9])([0-9])([a-z])", r"\1.\2-\3"),
    ("^([0-9])", r"gpt-\1"), ("^(gpt-4o(-mini)?|o1)-([01][0-9])([0-3][0-9])$", r"\1-2024-\3-\4"),
    ("^(o[34](-mini|-pro)?)-([01][0-9])([0-3][0-9])$", r"\1-2025-\3-\4"))
"""In order, what a meter's word for a model of OpenAI's has otherwise than its name: 5.4 is gpt-5.4, 56luna gpt-5.6-luna. Dated
versions of gpt-4o and o1 are of 2024, those of o3 and o4 of 2025."""
MAKERS: Final = ("deepseek", "grok", "mistral", "llama", "phi", "kimi", "cohere", "mai", "qwen")
"""Whose names a meter may leave out, where the product has it: V3.2 of Azure Deepseek Models."""
UNIT: Final = r"^([0-9]+) ?([km]?)( tokens?)?$"


def prepare(table: Table) -> Table:
    """The table with what is counted, in what, and of which model, by steps: each reads the columns of the ones before."""
    sold = [text(table, name).lower().fill_null("") for name in ("metercategory", "metersubcategory", "productname", "product")]
    read = table.mutate(
        roi_meter=reduce(lambda meter, apart: meter.re_replace(*apart), APART, text(table, "metername").lower()),
        roi_tokens_meter=text(table, "metername").lower().re_search("tokens?$"),
        roi_sold=reduce(lambda left, right: left.concat(" ", right), sold),
        roi_type=text(table, "chargetype").lower(), roi_unit=_unit(text(table, "unitofmeasure").lower()),
        roi_quantity=real(table, "quantity"), roi_cost=real(table, *COSTS))
    if not find(read, PROJECT) and find(read, OF_CUSTOMERS):
        read = read.rename({PROJECT: str(find(read, OF_CUSTOMERS))})
    training = read.roi_meter.re_search(TRAINING)
    counted = ((read.roi_tokens_meter & ~training & read.roi_meter.re_search(words), name) for words, name in COUNTED)
    plain = read.roi_meter.re_replace(rf"-({'|'.join(QUALIFIERS)})(-.*)?$", "")
    makers = ((read.roi_sold.contains(f"{maker} models") & ~plain.startswith(maker), ibis.literal(f"{maker}-").concat(plain))
              for maker in MAKERS)
    read = read.mutate(roi_which=ibis.cases(*counted, else_=ibis.null("string")), roi_model=ibis.cases(
        *makers, else_=reduce(lambda name, spelled: name.re_replace(*spelled), SPELLED, plain)))
    read = read.mutate(roi_model=ibis.ifelse(read.roi_which.isnull(), read.roi_meter, read.roi_model), roi_says=_says(read))
    tokens = _sum_of_file(read.roi_says, read) < 0
    return read.mutate(roi_tokens=(read.roi_quantity * ibis.ifelse(tokens, 1.0, read.roi_unit)).round().cast("int64"))


def _unit(words: Column) -> Column:
    """Tokens of one `UnitOfMeasure`; null where it is none of tokens."""
    times = ibis.cases((words.re_search("k"), 1e3), (words.re_search("m"), 1e6), else_=1.0)
    return ibis.ifelse(words.re_search(UNIT), words.re_extract(UNIT, 1).try_cast("float64") * times, ibis.null("float64"))


def _says(read: Table) -> Column:
    """What a row's price says of its quantity: 1 where it counts thousands or millions, -1 where it counts tokens, else 0."""
    price = ibis.coalesce(*(real(read, name) for name in LISTED))
    paid = ibis.coalesce(real(read, "costinpricingcurrency"), read.roi_cost)
    told = read.roi_which.notnull() & (read.roi_unit > 1) & (price > 0) & (paid > 0) & (read.roi_quantity > 0)
    return ibis.cases((told & (read.roi_quantity * price > paid * read.roi_unit.sqrt()), -1), (told, 1), else_=0)


def _sum_of_file(column: Column, table: Table) -> Column:
    """The column's sum over the file in which a row stands."""
    return column.sum().over(group_by=FILE) if FILE in table.columns else column.sum().over()


def fields(table: Table, options: FileOptions) -> Fields:
    """What rows say of tokens."""
    meter, which, tokens, kind = table.roi_meter, table.roi_which, table.roi_tokens, table.roi_type
    start = year_last_instant(table, "date", day_first=options.dates == "eu")
    usd, code = real(table, USD), ibis.coalesce(text(table, "billingcurrencycode"), text(table, "billingcurrency"))
    tiers = (("-(pp|priority)(-|$)", "priority"), ("-fl(ex)?(-|$)", "flex"))
    lengths = (("-lo(ng)?co(-|$)", True), ("-sh(ort)?co(-|$)", False))
    return Fields(
        at_us=start, until_us=start + DAY_US, provider="azure", model=table.roi_model, requests=None,
        **{name: ibis.ifelse(which == name, tokens, 0) for _, name in COUNTED},
        batch=meter.re_search("-batch(-|$)"),
        tier=ibis.cases(*((meter.re_search(word), tier) for word, tier in tiers), else_=ibis.null("string")),
        long_context=ibis.cases(*((meter.re_search(word), says) for word, says in lengths), else_=ibis.null("boolean")),
        cost_usd=ibis.coalesce(usd, table.roi_cost), costs=(USD, *COSTS),
        currency=ibis.ifelse(usd.notnull(), ibis.null("string"), code),
        reasons=((~table.roi_sold.re_search(SERVICE), "a service other than models by the token"),
                 (kind == "purchase", "what a reservation costs; the amortized export has it where it is used"),
                 (kind.isin(("tax", "roundingadjustment")), "tax or rounding"),
                 (table.roi_tokens_meter & meter.re_search(OTHERS), OTHER_MODEL),
                 (which.isnull(), NO_TOKENS),
                 (table.roi_unit.isnull(), "a count that cannot be read: UnitOfMeasure is none of tokens"),
                 (tokens == 0, EMPTY_BUCKET)))


AZURE_COST: Final = Format(
    name="azure-cost", title="Azure cost and usage details", grain="bucket", needs=frozenset(NEEDS), uses=USES, fields=fields,
    prepare=prepare, parts=(*KEYS, "metername"), groups={"project": PROJECT},
    remarks=("what was used in a data zone or a region costs a tenth more than the list, whose prices are global",))
