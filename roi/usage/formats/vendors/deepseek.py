"""DeepSeek: the amount CSV of the usage export, one count of a model, key and day (or hour) a row; and its cost CSV.

Each row becomes a record with that count alone, so that a bucket's records add up to it. The counts are disjoint: input is
split into cache hits and misses, output holds reasoning. Times carry their offset; exports before August 2026 have utc_date
instead. `price` is in the wallet's currency, dollars or yuan, which only the cost CSV names: there is no cost here. The cost
CSV has a model, wallet and day a row; some have what was spent below 0: where a file's rows come to less than 0, they are
turned. Source: platform.deepseek.com, usage export, its columns as exported (2026-08); both kinds of cost as tests of public
parsers of the export have them (2026-05 to 2026-09).
"""

from typing import Final

from roi.usage.read.columns import DAY_US, real, text, utc, whole
from roi.usage.read.lazy_ibis import Table, ibis
from roi.usage.read.record import EMPTY_BUCKET, FILE, Fields, FileOptions, Format

TYPES: Final = {
    "uncached_input": "input_cache_miss_tokens", "cache_read": "input_cache_hit_tokens", "output": "output_tokens",
    "requests": "request_count",
}  # fmt: skip
"""A column of the record and the type of row that fills it."""


def _fields(table: Table, _: FileOptions) -> Fields:
    kind, amount = text(table, "type").lower(), whole(table, "amount")
    start = ibis.coalesce(utc(table, "start_time_iso"), utc(table, "utc_date"))
    counts = {name: (kind == own).ifelse(amount, ibis.literal(0, "int64")) for name, own in TYPES.items()}
    return Fields(
        at_us=start, until_us=ibis.coalesce(utc(table, "end_time_iso"), start + DAY_US), provider="deepseek",
        model=text(table, "model"), **counts,
        reasons=((~kind.isin(tuple(TYPES.values())).fill_null(False), "a type of row that is no known count"),
                 (amount.isnull(), "a count that cannot be read"), (amount == 0, EMPTY_BUCKET)))


DEEPSEEK_CSV: Final = Format(
    name="deepseek-csv", title="DeepSeek amount CSV", grain="bucket",
    needs=frozenset({"model", "api_key_name", "type", "price", "amount"}),
    uses=("start_time_iso", "end_time_iso", "utc_date", "user_id"), fields=_fields,
    parts=("api_key_name", "user_id", "type"), groups={"key": "api_key_name", "user": "user_id"})


def _cost_fields(table: Table, _: FileOptions) -> Fields:
    start, cost = ibis.coalesce(utc(table, "start_time_iso"), utc(table, "utc_date")), real(table, "cost")
    of_file = cost.sum().over(group_by=table[FILE]) if FILE in table.columns else cost.sum().over()
    return Fields(
        at_us=start, until_us=ibis.coalesce(utc(table, "end_time_iso"), start + DAY_US), provider="deepseek",
        model=text(table, "model"),
        cost_usd=ibis.ifelse(of_file < 0, -cost, cost), currency=text(table, "currency"))


DEEPSEEK_COST_CSV: Final = Format(
    name="deepseek-cost-csv", title="DeepSeek cost CSV", grain="cost",
    needs=frozenset({"model", "wallet_type", "cost", "currency"}),
    uses=("start_time_iso", "end_time_iso", "utc_date", "user_id"), fields=_cost_fields,
    parts=("user_id", "wallet_type"), groups={"tag": "wallet_type", "user": "user_id"})
