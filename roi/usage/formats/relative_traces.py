"""Public traces of calls, for a replay: arrivals from the beginning of the trace on, and lengths; no price and no day.

Mooncake (kvcache-ai): JSON lines, `timestamp` in milliseconds; Alibaba's Bailian traces have the same keys with a chat_id,
and seconds. BurstGPT (HPMLL): CSV, `Timestamp` in seconds; a call without response tokens failed. Others are known by the
names of their times: arrival_s and arrival_time_s (as `roi usage --trace` and simulators write them), arrived_at (Vidur), in
seconds. Azure's traces have dates and are tables of one's own. Times are counted from EPOCH, so that the day of the week and
the date mean nothing. Blocks that prompts share (hash_ids) are not read: how much is cached depends on the server. Source:
the header and first rows of each trace, as their readers in public repositories quote them (2024 to 2026).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from roi.usage.read.columns import FIRST_US, MICRO, bounded, count, real, text, whole
from roi.usage.read.lazy_ibis import Table
from roi.usage.read.names_alone import NO_MODEL
from roi.usage.read.record import Document, Fields, FileOptions, Format

EPOCH_US: Final = FIRST_US + 2 * 86_400 * MICRO
"""Monday 3 January 2000, UTC: where a trace that begins at 0 is put."""
NO_DATES: Final = (
    "times count from the trace's beginning: its days and hours are not those of a calendar, and nothing has a price"
)


def fields_of(time: str, per_s: float, given: str, output: str, failed: str = "") -> Callable[[Table, FileOptions], Fields]:
    """What rows say whose columns these are; `per_s` units of time are a second, `failed` why a row without output is none."""
    def fields(table: Table, options: FileOptions) -> Fields:
        made = whole(table, output)
        read = count(table, "cached_tokens")
        total = whole(table, given)
        return Fields(
            at_us=bounded(real(table, time) * (MICRO / per_s)).round().cast("int64") + EPOCH_US,
            model=text(table, "model").fill_null(options.model or NO_MODEL), uncached_input=total - read, cache_read=read,
            output=made, reasons=((made == 0, failed),) if failed else ())

    return fields


def _has(*keys: str, lacks: str = "") -> Callable[[Document], bool]:
    return lambda document: document.keys() >= {*keys} and lacks not in document


LENGTHS: Final = ("timestamp", "input_length", "output_length", "hash_ids")
MOONCAKE: Final = Format(
    name="mooncake", title="Mooncake trace", grain="call", needs=frozenset(LENGTHS[:3]), uses=(), relative=True,
    fields=fields_of("timestamp", 1e3, "input_length", "output_length"), recognises=_has(*LENGTHS, lacks="chat_id"),
    flatten=lambda document: iter(({name: document[name] for name in LENGTHS[:3]},)))
BAILIAN: Final = replace(
    MOONCAKE, name="bailian", title="Bailian trace", fields=fields_of("timestamp", 1.0, "input_length", "output_length"),
    recognises=_has(*LENGTHS, "chat_id"))
BURSTGPT: Final = Format(
    name="burstgpt", title="BurstGPT trace", grain="call",
    needs=frozenset({"timestamp", "model", "request tokens", "response tokens", "log type"}), uses=("session id",),
    relative=True, fields=fields_of("timestamp", 1.0, "request tokens", "response tokens", "no response tokens: a failed call"),
    groups={"tag": "log type", "session": "session id"})
NAMED: Final = tuple(
    Format(
        name=f"trace-{k}", title="trace of calls", grain="call", needs=frozenset(names), uses=("model", "cached_tokens"),
        relative=True, fields=fields_of(names[0], 1.0, *names[1:]))
    for k, names in enumerate((
        ("arrival_s", "input_tokens", "output_tokens"), ("arrival_time_s", "input_tokens", "output_tokens"),
        ("arrived_at", "num_prefill_tokens", "num_decode_tokens"), ("arrival_time", "input_tokens", "output_tokens"))))
TRACES: Final = (MOONCAKE, BAILIAN, BURSTGPT, *NAMED)
