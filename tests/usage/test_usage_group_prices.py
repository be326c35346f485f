"""Groups of calls at the list price of their days: what they cost together is what the models cost."""

from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest
from usage_support import usage_answer

from roi.usage import summary
from roi.usage.formats import FORMATS
from roi.usage.log import read_log
from roi.usage.read.database import local_engine
from roi.usage.read.files import find_files
from roi.usage.read.record import FileOptions

MODELS = ("openai/gpt-6-sol", "openai/gpt-6-luna", "openai/gpt-5.5-cyber", "mistral/mistral-large-4",
          "deepseek/deepseek-v4-pro")
"""Batch of the first two is listed from 2026-10-14, their tiers from 10-12, and cost the same before; the others' standard
prices move on days of August and October."""


def drawn(seed):
    """Calls of eighty days from 2026-08-10 06:00, of which the first and the last are not covered whole."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(5, 600))
    frame = pd.DataFrame({
        "timestamp": pd.Timestamp("2026-08-10T06:00Z") + pd.to_timedelta(np.sort(rng.uniform(0, 80 * 86400, rows)), unit="s"),
        "tag": rng.choice(["a", "b", "c"], rows), "batch": rng.random(rows) < 0.5,
        "input_tokens": rng.choice([1000, 150_000, 300_000], rows), "output_tokens": rng.integers(0, 5000, rows),
    })  # fmt: skip
    frame[["provider", "model"]] = [name.split("/") for name in rng.choice(MODELS, rows)]
    frame["cached_tokens"] = np.where(rng.random(rows) < 0.4, frame["input_tokens"] // 2, 0)
    return frame


@pytest.mark.full
def test_a_price_that_moves_is_paid_from_then_on(tmp_path):
    """mistral-large-4 in batch: 0.34 USD a million in until 2026-10-19, then 0.68: a million on the 19th and one on the 20th
    are 1.02 USD."""
    file = tmp_path / "log.csv"
    file.write_text("timestamp,model,provider,tag,batch,input_tokens,output_tokens\n" + "".join(
        f"2026-10-{day}T{hour}:30Z,mistral-large-4,mistral,{tag},true,250000,0\n"
        for day in (19, 20) for hour in ("00", "23") for tag in "ab"))
    found = usage_answer(file)
    assert [group["list_usd"] for group in found["by_group"]] == pytest.approx([0.51, 0.51])
    assert found["by_model"][0]["list_usd"] == pytest.approx(1.02)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(8))
def test_all_groups_cost_what_all_models_cost(tmp_path, seed):
    """On all days, and on those covered whole, which alone tell of a month."""
    drawn(seed).to_parquet(tmp_path / "log.parquet")
    engine = local_engine(tmp_path)
    log = read_log(find_files([str(tmp_path / "log.parquet")]), FORMATS, FileOptions(includes_cache=True), engine, tmp_path)
    records = log.tables[0].records  # of a format of one's own, which has no tiers
    tier = ibis.cases((~records.batch & (records.output % 3 == 0), "flex"), else_=ibis.null("string"))
    log.tables[0] = replace(log.tables[0], records=records.mutate(tier=tier))
    found = summary._summary(summary.Question((), FileOptions()), log, engine)[0]
    assert sum(each.list_usd for each in found.groups) == pytest.approx(sum(each.list_usd for each in found.priced))
    whole = replace(found, groups=())
    assert sum(each.usd for each in found.of_whole_days) == pytest.approx(sum(each.usd for each in whole.of_whole_days))


@pytest.mark.full
@pytest.mark.parametrize("cached", [0, 1500])
def test_a_group_of_short_and_long_calls_is_compared_as_what_it_costs_and_not_at_its_mean_length(tmp_path, cached):
    """One call in five of docs has 400,000 tokens, which cost twice as much each above 272,000: compared with its group or
    alone, as the workload with its histogram, docs saves the same. At the mean of 81,600 it would be half the bill."""
    def call(tag, at, given, read):
        return f"{at},gpt-6-sol,openai,{tag},{given},{read},300\n"

    head = "timestamp,model,provider,tag,input_tokens,cached_tokens,output_tokens\n"
    times = [f"2026-11-{day:02d}T{hour:02d}:{minute:02d}:30Z" for day in range(2, 16) for hour in range(24)
             for minute in range(0, 60, 12)]
    docs = [call("docs", at, *((400_000, cached * 200) if ":00:" in at else (2000, cached))) for at in times]
    (tmp_path / "both.csv").write_text(head + "".join(docs + [call("chat", at, 2000, cached) for at in times]))
    (tmp_path / "alone.csv").write_text(head + "".join(docs))
    both, alone = (usage_answer("--tasks", "5", "--no-cache", tmp_path / name)["tasks"] for name in ("both.csv", "alone.csv"))
    grouped = next(task for task in both if task["group"] == "docs")
    assert grouped["usd_per_month"] == pytest.approx(alone[0]["usd_per_month"], abs=0.005)  # a bill is written to the cent
    assert grouped["passed_over"]["option"] == alone[0]["passed_over"]["option"]
    assert grouped["passed_over"]["npv_usd"] == pytest.approx(alone[0]["passed_over"]["npv_usd"], rel=0.02)
