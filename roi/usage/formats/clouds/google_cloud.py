"""Google Cloud's bill: what Vertex AI and the Gemini API billed, by SKU and hour, day or month; nobody counts the requests.

Read are the billing export of BigQuery (JSON lines, CSV or Parquet; nested, or flat with dots or underscores), and two CSVs of
the console: its report by day, and its cost table, with the lines above it. The SKU's description names the model, the count,
and what it was of: "Gemini 2.5 Flash GA Thinking Text Output - Predictions", "Generate_content cached text input token count
for gemini 3 flash", "AI Dev Tools: Claude Opus 4.8 Input Cache Write Tokens (TTL 300 seconds)". Images, audio and video count
as the tokens that they are billed in. A unit of `count`, or `requests` as BigQuery has it, is one token; another is told as
unread. Gemini 1 was billed by the character on Vertex AI, and is told so. What has no tokens (storage of a cache by the hour,
searches, endpoints) is money of its own.

A cost is after what lowers the price (contract, commitments, a free tier) and before what pays for it: a credit of type
PROMOTION, the console's "Other savings", which are rounded to cents. Days of the console are those of California, read here as
UTC's. Its "($)" may be any dollar: the cost table says which above, the report does not. What stands at no global price (a SKU
without "Global", from Gemini 3 on) costs a tenth more than the list says. Not read: a console in another language than English.

Sources: invoices by SKU as a project keeps them (saross/map-reader-llm, reports/billing, 2025-12 to 2026-09); rows and SKUs of
exports as public repositories quote them (2026-05 to 2026-10); SKUs of Claude and of open models as tests quote the public
catalog; the nested row of BigQuery from Google's reference of its columns.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from roi.usage.formats.json_counts import NO_NUMBER, items_of, object_of
from roi.usage.read.columns import DAY_US, flag, real, text, utc, whole
from roi.usage.read.lazy_ibis import Table, ibis
from roi.usage.read.record import EMPTY_BUCKET, NO_TOKENS, OTHER_MODEL, PAYS, TOKENS, Document, Fields, FileOptions, Format

SERVICES: Final = ("vertex ai", "gemini api", "generative language api")
"""Services whose money without tokens is told; tokens count in any: Claude's stand under Vertex AI Search."""
MODALITY: Final = "(text|image|audio|video)"
COUNTED: Final = re.compile(rf"token count|{MODALITY} (input|output)\b|input {MODALITY} caching"
                            r"|\b(input|output|cache|read|write) tokens?\b|model as a service .* (input|output)$")
NOT_COUNTED: Final = re.compile(r"\bstorage|\bhours?\b|\btuning|\btraining|provisioned|throughput|grounding|\bquer(y|ies)\b")
"""What a description says that counts tokens, in lower case, and what one says that does not for all that."""
WHICH: Final = ((r"\boutput\b", "output"), (r"cache write", "cache_write"), (r"\bcach(ed|e|ing)\b", "cache_read"),
                (r"\binput\b", "uncached_input"))  # fmt: skip
"""In order: what is cached is called input too."""
SPELLED: Final = tuple((re.compile(pattern), new) for pattern, new in (
    (rf"(token count gemini.*) {MODALITY}( non-thinking)?( flex| batch| priority)?( caching)?$", r"\1"),
    ("^.*token count (for )?|^ai dev tools: |^cloud vertex ai model garden model as a service ", ""),
    (rf" (thinking )?{MODALITY} (input|output)\b.*$| input {MODALITY}\b.*$", ""),
    (r" (input|output)( .*)?$| cache (read|write)\b.*$", ""),
    ("( ga| global| regional| cached| batch| priority| flex| short| long| caching)+$", ""), (" ", "-"),
    (r"^(claude.*[0-9])[.]([0-9])", r"\1-\2"), (r"^gemini-3[.]0-", "gemini-3-"),
    (r"^gemini-(3-flash|3-pro|3[.]1-pro)$", r"gemini-\1-preview")))
"""In order, what a description loses until the model's id is left; the last are models that the list has as previews alone."""
OTHER_MODELS: Final = re.compile("embed|image|imagen|veo|lyria|tts|live|native-audio")
BY_CHARACTER: Final = re.compile(r"^gemini 1[.]")
UNITS: Final = {"count": 1.0, "requests": 1.0, "tokens": 1.0, "token": 1.0, "1k tokens": 1e3, "1m tokens": 1e6}
"""Units in lower case, and the tokens of one; `requests` is BigQuery's word for a count of whatever it be."""
SUMS: Final = ("total", "subtotal", "filtered total", "rounding error", "rounding_error")
UNREAD_UNIT: Final = "a count that cannot be read: nothing says what its amount is in (usage unit)"
CHARACTERS: Final = "a count that cannot be read: Vertex AI billed Gemini 1 by the character"
NO_SKU: Final = "a sum of other rows, or a tax"
ELSEWHERE: Final = "a service other than Vertex AI or the Gemini API"
REASONS: Final = (NO_SKU, ELSEWHERE, PAYS, NO_TOKENS, OTHER_MODEL, CHARACTERS, UNREAD_UNIT, EMPTY_BUCKET)
"""Why rows do not count, in order."""
GROUPED: Final = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
SIGNS: Final = {"€": "EUR", "£": "GBP", "₹": "INR"}
"""What stands behind the name of a column of money, and is of one currency alone."""
DOLLARS: Final = ("amounts in ($) are taken to be US dollars; Google writes those of Australia, Canada and others so too,"
                  " and its report names none: its cost table and the export of BigQuery do")


@dataclass(frozen=True)
class Sku:
    """What a SKU's description says; `which` is the count, None where it is of no tokens and `model` is all that it says."""

    model: str
    which: str | None = None
    why: str | None = None
    thinking: bool = False
    an_hour: bool = False
    batch: bool = False
    tier: str | None = None
    long: bool = False


@lru_cache(maxsize=4096)
def sku_of(description: str) -> Sku:
    """The description taken apart."""
    said = " ".join(description.lower().replace("_", " ").split())
    named = re.sub("[^a-z0-9.]+", "-", said).strip("-")[:100]
    which = next((name for pattern, name in WHICH if re.search(pattern, said)), None)
    if which is None or NOT_COUNTED.search(said) or not COUNTED.search(said):
        return Sku(named)
    model = said
    for pattern, new in SPELLED:
        model = pattern.sub(new, model)
    tier = re.search(r"\b(flex|priority|offpeak)\b", said)
    other = OTHER_MODELS.search(model) or re.search(r"\b(image|audio|video) output", said)
    why = OTHER_MODEL if other else CHARACTERS if BY_CHARACTER.match(said) and "token" not in said else None
    return Sku(model, which, why, thinking=re.search("(?<!non-)thinking text output", said) is not None,
               an_hour=re.search(r"ttl 3600|\b1 ?h(our)?\b", said) is not None, batch=re.search(r"\bbatch\b", said) is not None,
               tier=None if tier is None else tier[1], long=re.search(r"\blong\b", said) is not None)


def _row(*, service: str, description: str, amount: object, unit: str, kind: str, credit: str, **said: object) -> Document:
    """A row: what it counts or bills, beside its times, money and place."""
    sku = sku_of(description)
    named, kind, credit = sku.model, kind.lower(), credit.lower()
    tokens = _number(amount)
    tokens = tokens * UNITS[unit.lower()] if isinstance(tokens, float) and unit.lower() in UNITS else None
    why = sku.why
    if not description or kind in (*SUMS, "tax"):
        why = NO_SKU
    elif sku.which is None and service.lower() not in SERVICES:
        why = ELSEWHERE
    elif "promotion" in credit or "free trial" in credit:
        why = PAYS
    elif credit or kind == "adjustment":
        why, named = NO_TOKENS, f"{'discount' if credit else kind}/{re.sub('[^a-z0-9.]+', '-', description.lower()).strip('-')}"
    elif sku.which is None:
        why = NO_TOKENS
    elif why is None:
        why = UNREAD_UNIT if tokens is None else EMPTY_BUCKET if tokens == 0 else None
    shown = why not in (NO_SKU, ELSEWHERE)
    return {
        "model": named if shown else None, "why": why, "which": sku.which if why is None else None,
        "tokens": None if tokens is None else str(round(tokens)), "thinking": sku.thinking, "an_hour": sku.an_hour,
        "batch": sku.batch, "tier": sku.tier, "long": sku.long, "sku": _hashed(description, kind, credit), **said,
    }  # fmt: skip


def _number(value: object) -> float | str | None:
    """The number, without the commas that the console writes into it; NO_NUMBER where something else stands there."""
    if not isinstance(value, str | int | float) or value == "":
        return None
    plain = value.replace(",", "") if isinstance(value, str) and GROUPED.fullmatch(value.strip()) else value
    try:
        return float(plain)
    except ValueError:
        return NO_NUMBER


def _hashed(*values: object) -> str:
    """What tells these values from others, and not what they are."""
    return sha256(repr(values).encode()).hexdigest()[:16]


def _word(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def console_rows(row: Document) -> Iterator[Document]:
    """The row of a CSV of the console."""
    own = {name.lower(): value for name, value in row.items()}
    money = {name.partition(" (")[0]: (_number(value), name.partition(" (")[2].rstrip(")"))
             for name, value in own.items() if name.endswith(")")}
    paid, sign = next((money[name] for name in ("unrounded subtotal", "unrounded cost", "subtotal", "cost") if name in money),
                      (None, ""))
    saved, _ = money.get("other savings", (None, ""))
    if isinstance(paid, float) and isinstance(saved, float):
        paid -= saved
    yield _row(
        service=_word(own.get("service description")), description=_word(own.get("sku description")),
        amount=own.get("usage amount"), unit=_word(own.get("usage unit")), kind=_word(own.get("cost type")),
        credit=_word(own.get("credit type")), begins=own.get("date") or own.get("usage start date"),
        last=own.get("date") or own.get("usage end date"), cost=paid, project=own.get("project id"),
        currency=_word(own.get("currency")) or SIGNS.get(sign))


def _at(row: Document, *path: str) -> Any:  # Any: JSON as it was parsed
    """What stands under these keys: of objects, or in a column whose name has dots or underscores between them."""
    for name in (".".join(path), "_".join(path)):
        if name in row:
            return row[name]
    inner = object_of(row.get(path[0])) if len(path) > 1 else None
    return inner.get(path[1]) if isinstance(inner, dict) else None


def export_rows(document: Document) -> Iterator[Document]:
    """A row of the export of BigQuery, whatever way it is written."""
    for item in items_of(document):
        row = {name.lower(): value for name, value in item.items()}
        given, cost = object_of(row.get("credits")), _number(row.get("cost"))
        for each in given if isinstance(given, list) else []:
            lowers = _number(each.get("amount")) if isinstance(each, dict) else None
            if isinstance(cost, float) and isinstance(lowers, float) and _word(each.get("type")).upper() != "PROMOTION":
                cost += lowers
        apart = [row.get(name) for name in ("labels", "tags", "system_labels", "export_time", "location", "resource")]
        yield _row(
            service=_word(_at(row, "service", "description")), description=_word(_at(row, "sku", "description")),
            amount=_at(row, "usage", "amount"), unit=_word(_at(row, "usage", "unit")), kind=_word(row.get("cost_type")),
            credit="", begins=_time(row.get("usage_start_time")), ends=_time(row.get("usage_end_time")), cost=cost,
            project=_at(row, "project", "id"), currency=_word(row.get("currency")) or None, item=_hashed(apart))


def _time(value: object) -> object:
    """The time, with UTC as ISO 8601 writes it."""
    return re.sub(" UTC$", "Z", value) if isinstance(value, str) else value


def recognises(document: Document) -> bool:
    """Whether it is a row of the export, or a page of them."""
    first = next(items_of(document), {})
    row = {name.lower(): value for name, value in first.items()}
    return row.keys() >= NEEDS and bool(_word(_at(row, "sku", "description")))


def fields(table: Table, _: FileOptions) -> Fields:
    """What rows say, that are taken apart."""
    which, tokens, why = text(table, "which"), whole(table, "tokens"), text(table, "why")
    counts = {name: ibis.ifelse(which == name, tokens, 0) for name in TOKENS}
    return Fields(
        at_us=utc(table, "begins"), until_us=ibis.coalesce(utc(table, "ends"), utc(table, "last") + DAY_US), provider="google",
        model=text(table, "model"), requests=None, **counts,
        cache_write_1h=ibis.ifelse(flag(table, "an_hour"), counts["cache_write"], 0),
        reasoning=ibis.ifelse(flag(table, "thinking"), counts["output"], 0), batch=flag(table, "batch"),
        tier=text(table, "tier"), long_context=flag(table, "long"), cost_usd=real(table, "cost"), costs=("cost",),
        currency=text(table, "currency"), reasons=[(why == each, each) for each in REASONS])


NEEDS: Final = frozenset({"usage_start_time", "cost", "currency"})
OF_CONSOLE: Final = frozenset({"service description", "sku description", "usage amount", "usage unit"})
GCP_BILLING: Final = Format(
    name="gcp-billing", title="Google Cloud billing export", grain="bucket", needs=NEEDS,
    uses=("begins", "ends", "last", "which", "why", "model", "tokens", "thinking", "an_hour", "batch", "tier", "long", "sku",
          "project", "item"),
    fields=fields, recognises=recognises, flatten=export_rows, table_by_document=True, parts=("project", "sku"), item="item",
    groups={"project": "project"})  # fmt: skip
GCP_REPORT: Final = replace(
    GCP_BILLING, name="gcp-report", title="Google Cloud billing report", needs=OF_CONSOLE | {"date"}, recognises=None,
    uses=(*GCP_BILLING.uses, "cost", "currency"), flatten=console_rows, item="", remarks=(DOLLARS,))
GCP_COST_TABLE: Final = replace(
    GCP_REPORT, name="gcp-cost-table", title="Google Cloud cost table", needs=OF_CONSOLE | {"usage start date"}, remarks=())
