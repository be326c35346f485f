"""Remarks on rows that no price list has, and on what is billed without tokens."""

from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from roi.answers.track_months import usage_months
from roi.answers.track_remarks import with_counted
from roi.answers.track_roles import Models, listed_name
from roi.facts.exchange_rate import read_rates
from roi.usage.read.record import FileOptions
from roi.usage.summary import Question, summarize


def test_rows_of_ones_own_servers_are_said_to_count(tmp_path: Path) -> None:
    """They were told as an unknown provider, as if they were left out, where a name has a / in it.

    Rows of a model that is left out still are: 3 calls of 100 + 10 tokens.
    """
    log = tmp_path / "calls.csv"
    log.write_text("timestamp,provider,model,input_tokens,output_tokens\n" + "".join(
        f"2026-12-0{day}T10:00:00Z,self-hosted,Qwen/qwen3-8b+lora,100,10\n" for day in (1, 2, 3)))
    found = summarize(Question(files=(str(log),), options=FileOptions()))
    left_out = next(note for note in found.notes if "unknown provider" in note)
    assert left_out.startswith("Qwen/qwen3-8b+lora, 3 rows with 330 tokens: model: unknown provider 'self-hosted'")
    ours = Models(None, (), base="qwen3-8b", served=True)
    counted = list(with_counted(found, {"2026-12": [("own", each) for each in found.priced]}, ours))
    assert [note for note in counted if note not in found.notes] == [
        ("Qwen/qwen3-8b+lora, 3 rows with 330 tokens: counted; the price list has no provider 'self-hosted', so what they cost"
         " is as --bill or --opencost tell it, else as forecast")]
    assert left_out not in counted
    assert list(with_counted(found, {}, ours)) == list(found.notes)


def test_what_an_export_bills_without_tokens_is_told_in_dollars(tmp_path: Path) -> None:
    """$10 of guardrails on each of November's 30 days are $304 in a month of 365/12."""
    names = ("line_item_usage_start_date", "line_item_usage_end_date", "line_item_usage_type", "line_item_usage_amount",
             "line_item_unblended_cost", "line_item_product_code", "pricing_unit")
    days = [f"2026-11-{day:02}" for day in range(1, 31)] + ["2026-12-01"]
    rows = [f"{start},{end},{what},AmazonBedrock,1K tokens" for start, end in pairwise(days)
            for what in ("USE1-NovaLite-input-tokens,1000,0.06", "USE1-Guardrail-ContentPolicyUnitsConsumed,9,10")]
    log = tmp_path / "cur.csv"
    log.write_text("\n".join([",".join(names), *rows]))
    notes: list[str] = []
    usage_months([str(log)], Models(own=None, others=("amazon.nova-lite",)), notes, options=FileOptions(), named=None,
                 zone="UTC", as_of="2026-11-01")
    (told,) = [note for note in notes if "without tokens" in note]
    assert told.startswith("--actual: $304 a month is billed without tokens ($304 Guardrail-ContentPolicyUnitsConsumed)")


@pytest.mark.parametrize(("provider", "model", "usd", "role"), [
    ("openai", "gpt-6-sol", 5600.0, None), (None, "gpt-6-sol", 0.0, None), ("openai", "text-embedding-3-small", 0.0, None),
    ("a-vendor", "a-model", 3.0, None), *((seller, "llama-3.1-8b-instant", 3.0, None) for seller in ("groq", None)),
    ("anthropic", "claude-opus-5", 100.0, "other"), (None, "meta-llama/Meta-Llama-3.1-8B-Instruct", 0.0, "own"),
    *((provider, "llama-3.1-8b+lora", usd, "own") for provider, usd in (("openai", 0.0), ("self-hosted", 3.0))),
    (None, "default", 0.0, "own"), ("openai", "/models/tickets-v2", 0.0, "own"), ("hosted_vllm", "tickets-lora", 0.0, "own"),
    *((place, "tickets-lora", 3.0, "own") for place in ("hosted_vllm", "In-House", "on-prem", "internal-gateway", "llama.cpp")),
    ("tgif-cloud", "tickets-lora", 3.0, None),
])
def test_what_a_vendor_sells_or_bills_is_no_server_of_ones_own(
    provider: str | None, model: str, usd: float, role: str | None,
) -> None:
    """An own server's adapters have any names; those of models of the price list, and what a provider billed, are not its."""
    models = Models(None, ("anthropic/claude-opus-5",), base="llama-3.1-8b", served=True)
    assert models.role(model, listed_name(provider, model, date(2026, 12, 1)), provider, usd) == role


def test_a_tuned_model_of_a_vendor_s_is_billed_and_another_of_the_list_is_not_it() -> None:
    models = Models(None, (), base="qwen3-8b")
    assert models.role("accounts/us/models/tickets", None, "fireworks", 3.0) == "own"
    assert models.role("gpt-6-sol", "openai/gpt-6-sol", "openai", 3.0) is None


def test_what_a_gateway_charges_in_house_is_no_cash_beside_the_gpus(tmp_path: Path) -> None:
    """31 days of 10 calls at $0.02 each are $6.20; they were left out as another's, or were cash on top of the rent."""
    log = tmp_path / "calls.csv"
    log.write_text("timestamp,provider,model,input_tokens,output_tokens,cost_usd\n" + "".join(
        f"2026-12-{day:02}T{hour:02}:00:00Z,hosted_vllm,tickets-lora,100,10,0.02\n" for day in range(1, 32)
        for hour in range(10)))
    notes: list[str] = []
    models = Models(None, ("openai/gpt-6-sol",), base="qwen3-8b", served=True)
    months = usage_months([str(log)], models, notes, options=FileOptions(), named=None, zone="UTC", as_of="2026-11-24")
    found = months["2026-12"]
    assert (found.calls, found.own_calls, found.api_usd) == (310.0, 310.0, 0.0)
    (told,) = [note for note in notes if "in-house" in note]
    assert told.startswith("--actual: $6.20 that is charged in-house for tickets-lora is no cash here")


def test_a_rate_that_the_bill_uses_is_not_told_as_idle_and_one_that_nothing_uses_is(tmp_path: Path) -> None:
    """The remark on EUR and GBP was one sentence, which stood whole where the bill is in EUR alone."""
    log = tmp_path / "calls.csv"
    log.write_text("timestamp,model,input_tokens,output_tokens,cost_usd\n" + "".join(
        f"2026-12-{day:02}T10:00:00Z,gpt-6-sol,100,10,0.02\n" for day in range(1, 32)))
    options = FileOptions(rates=read_rates(("EUR=1.08@2026-10-31", "GBP=1.3@2026-10-31"), "--exchange-rate"))
    told = {}
    for billed in ((), ("EUR",), ("EUR", "GBP")):
        notes: list[str] = []
        usage_months([str(log)], Models(own=None, others=("openai/gpt-6-sol",)), notes, options=options, named=None, zone="UTC",
                     as_of="2026-11-24", billed_in=frozenset(billed))
        told[billed] = [note.partition(";")[0] for note in notes if "--exchange-rate" in note]
    idle = "--actual: --exchange-rate: nothing here is in"
    assert told == {(): [f"{idle} EUR or GBP"], ("EUR",): [f"{idle} GBP"], ("EUR", "GBP"): []}
