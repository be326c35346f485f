"""What a scenario from a log says is paid today is what its calls cost at list price, whoever sells the model and however long
its cached prefix is."""

import csv
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from asked import ask
from long_tables import every_row

from roi.economics.decision.comparison import compare
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario, overlay, read_part

DAYS = 28
MONTHS_OF_LOG = DAYS * 12 / 365
MODELS = (
    ("openai", "gpt-5.4-mini"), ("openai", "gpt-6-luna"), ("anthropic", "claude-haiku-5-5"), ("anthropic", "claude-haiku-4-5"),
    ("google", "gemini-2.5-flash"), ("google", "gemini-2.5-pro"), ("deepseek", "deepseek-chat"),
    ("mistral", "mistral-small-latest"), ("x-ai", "grok-4-1-fast"), ("groq", "llama-3.1-8b-instant"),
)  # fmt: skip


def a_month_today(log: Path, folder: Path, *words: str) -> tuple[float, float, dict[str, object]]:
    """(USD a month at list price, what staying costs in month 1 for tokens, the incumbent) of a log of four whole weeks."""
    part = folder / "part.yaml"
    asked = ask("usage", log, "--input-includes-cache", "no", *words, "--tasks", "0", "--output", part, "--force",
                "--format", "json")
    assert asked.exit_code == 0, asked.stderr
    base = {"schema": "roi.scenario/1", "as_of": "2026-11-22", "draws": 0, "workload": {"growth_per_year": 0.0}}
    overlay(base, read_part(part))
    [stay] = [option for option in compare(resolve(load_scenario(base)).case).options if option.id == "stay"]
    paid = sum(line.monthly_usd[0] for line in stay.lines if line.name.startswith("API"))
    return json.loads(asked.stdout)["list_usd"] / MONTHS_OF_LOG, paid, base["incumbent"]


def one_table(log: Path, seed: int) -> None:
    """Calls or sums of days, with or without a seller, and with tokens read and written that may lie below every minimum."""
    draw = Random(seed)  # noqa: S311 - a table, no secret
    seller, model = MODELS[seed % len(MODELS)]
    of_calls, named, writes = draw.random() < 0.5, draw.random() < 0.5, draw.random() < 0.3
    cached, given, made = (draw.choice(each) for each in ((0.0, 0.1, 0.3, 0.8, 0.95), (150, 900, 3000, 9000), (8, 300, 1500)))
    rows = []
    for row in range(280 if of_calls else DAYS):
        calls = 1 if of_calls else draw.randint(800, 1200)
        asked = calls * max(int(given * (draw.lognormvariate(0.0, 0.5) if of_calls else 1.0)), 1)
        read = min(int(asked * cached * draw.uniform(0.5, 1.1)), asked) if draw.random() < 0.9 else 0
        written = int((asked - read) * draw.uniform(0.0, 0.5)) if writes else 0
        time = datetime(2026, 10, 26, tzinfo=UTC) + timedelta(days=row * DAYS / (280 if of_calls else DAYS))
        rows.append({"timestamp": time.isoformat(timespec="seconds") if of_calls else time.date().isoformat(), "model": model,
                     "input_tokens": asked - read - written, "cached_tokens": read, "cache_creation_input_tokens": written,
                     "output_tokens": calls * made} | ({} if of_calls else {"requests": calls})
                    | ({"provider": seller} if named else {}))
    with log.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)


@pytest.mark.full
@every_row("seed", range(30))
def test_a_scenario_from_a_log_pays_what_its_calls_cost(tmp_path: Path, seed: int) -> None:
    """List price of 28 days x 365 / 12 / 28."""
    one_table(tmp_path / "log.csv", seed)
    listed, paid, _ = a_month_today(tmp_path / "log.csv", tmp_path)
    assert paid == pytest.approx(listed, rel=2e-4)


def test_a_table_that_names_no_seller_has_the_cache_of_who_sells_the_model(tmp_path: Path) -> None:
    """1,000 requests a day of 1,800 tokens, 450 of them cached: OpenAI caches no prefix below 1,024, so 450 / 1,024 of the
    requests find one. A day costs (1,350 x 0.75 + 450 x 0.075 + 200 x 4.5) / 1,000 = 1.94625 USD; uncached it were 2.25."""
    log, day = tmp_path / "log.csv", date(2026, 10, 26)
    log.write_text("date,model,num_requests,input_tokens,input_cached_tokens,output_tokens\n" + "".join(
        f"{day + timedelta(days=k)},gpt-5.4-mini,1000,1350000,450000,200000\n" for k in range(DAYS)), encoding="utf-8")
    listed, paid, incumbent = a_month_today(log, tmp_path)
    assert listed == pytest.approx(1.94625 * 365 / 12)
    assert paid == pytest.approx(listed, rel=1e-4)
    assert "cache_minimum_tokens" not in incumbent


def test_calls_that_read_less_than_is_documented_say_what_is_cached(tmp_path: Path) -> None:
    """Calls of 900 tokens read 512 of them from a cache, where OpenAI documents 1,024: 512 takes its place."""
    log, start = tmp_path / "log.csv", datetime(2026, 10, 26, tzinfo=UTC)
    log.write_text("timestamp,model,input_tokens,cached_tokens,output_tokens\n" + "".join(
        f"{(start + timedelta(hours=4 * k)).isoformat()},gpt-5.4-mini,388,512,50\n" for k in range(6 * DAYS)),
        encoding="utf-8")  # fmt: skip
    listed, paid, incumbent = a_month_today(log, tmp_path)
    assert paid == pytest.approx(listed, rel=1e-4)
    assert incumbent["cache_minimum_tokens"] == 512
    told = ask("usage", log, "--input-includes-cache", "no", "--tasks", "0").stdout
    assert "some read 512 alone, so that the shortest prefix cached is not 1,024" in " ".join(told.split())


def test_prompts_beyond_an_edge_that_hold_more_history_are_billed_for_what_they_read(tmp_path: Path) -> None:
    """Half the calls have 100,000 tokens, 80,000 of them cached, half 400,000 and 380,000, all 1,000 out.

    gpt-5.4 asks 2.5, 0.25 and 15 USD, beyond 272,000 tokens 5, 0.5 and 22.5: (0.085 + 0.3125) / 2 = 0.19875 USD a call. One
    prefix for all that is read as much of has 360,000 tokens: (0.04 + 0.4025) / 2 = 0.22125, 1.113 times that.
    """
    log, start = tmp_path / "log.csv", datetime(2026, 10, 26, tzinfo=UTC)
    rows = [f"{(start + timedelta(hours=6 * k)).isoformat()},gpt-5.4,20000,{(80_000, 380_000)[k % 2]},1000\n"
            for k in range(4 * DAYS)]
    log.write_text("timestamp,model,input_tokens,cached_tokens,output_tokens\n" + "".join(rows), encoding="utf-8")
    listed, paid, incumbent = a_month_today(log, tmp_path)
    assert listed == pytest.approx(4 * 0.19875 * 365 / 12)
    assert paid == pytest.approx(listed, rel=1e-6)
    assert "bill_usd_per_month" not in incumbent
    found = [each["cached_tokens"] for each in read_part(tmp_path / "part.yaml")["workload"]["lengths"]]
    assert found == [80_000, 380_000]


def test_calls_below_what_is_cached_at_least_read_what_the_log_says(tmp_path: Path) -> None:
    """From 2,048 tokens on, the least that Google caches, a call reads as many. Six of seven in a cell have 1,200 and read
    none, one 2,400: of 1,371 a call 293 are cached, although a prefix of that length never is."""
    log, start = tmp_path / "log.csv", datetime(2026, 10, 26, tzinfo=UTC)
    prompts = 150, 300, 600, *[1200] * 6, 2400, 4800, 9600
    calls = [(given - read, read, 4 << j) for given in prompts for read in [2048 * (given >= 2048)] for j in range(10)]
    rows = ["{},gemini-2.5-pro,{},{},{}\n".format((start + timedelta(minutes=6 * k)).isoformat(), *calls[k % 120])
            for k in range(240 * DAYS)]
    log.write_text("timestamp,model,input_tokens,cached_tokens,output_tokens\n" + "".join(rows), encoding="utf-8")
    listed, paid, _ = a_month_today(log, tmp_path)
    assert paid == pytest.approx(listed, rel=1e-6)
    lengths = read_part(tmp_path / "part.yaml")["workload"]["lengths"]
    assert any(each["cached_tokens"] > 0 and each["input_tokens"] < 2048 for each in lengths)


def agents(log: Path, model: str, *, writes: bool) -> None:
    """Sessions of 3 to 40 calls, each with all that was said before, of which a cache holds it but for one call in twenty."""
    draw, head = Random(1), ["timestamp", "model", "input_tokens", "cached_tokens", "output_tokens"]  # noqa: S311 - no secret
    with log.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(head + ["cache_creation_input_tokens"] * writes)
        for session in range(84):
            begins, held, prompt = datetime(2026, 10, 26, tzinfo=UTC) + timedelta(hours=8 * session), 0, 20_000
            for call in range(draw.randint(3, 40)):
                read = 0 if draw.random() < 0.05 else held // 128 * 128
                written = int((prompt - read) * 0.98) if writes else 0
                out.writerow([(begins + timedelta(seconds=30 * call)).isoformat(), model, prompt - read - written, read,
                              draw.randint(50, 2000), *([written] if writes else [])])
                held, prompt = prompt, prompt + int(draw.lognormvariate(9.0, 0.6))


@pytest.mark.parametrize(("model", "writes"), [
    ("gpt-5.4", False), ("claude-haiku-5-5", True), *(pytest.param(*each, marks=pytest.mark.full) for each in (
        ("gpt-6-sol", False), ("gpt-6-sol", True), ("claude-sonnet-4-5", True), ("gemini-2.5-pro", False),
        ("gpt-5.4-mini", False)))])  # fmt: skip
def test_agents_whose_history_grows_pay_what_their_calls_cost_under_a_price_by_length(
    tmp_path: Path, model: str, writes: bool,
) -> None:
    """Sonnet 4.5 and Gemini ask twice as much beyond 200,000 tokens, Haiku 5.5 five times beyond 100,000, GPT twice beyond
    272,000: with one prefix for all these came to 1.05 to 1.08 times the list price. 1e-5 is the rounding of requests a day."""
    agents(tmp_path / "log.csv", model, writes=writes)
    listed, paid, _ = a_month_today(tmp_path / "log.csv", tmp_path)
    assert paid == pytest.approx(listed, rel=2e-5)


def test_a_candidate_whose_price_has_another_edge_costs_what_the_calls_would(tmp_path: Path) -> None:
    """Agents on gpt-5.4, whose price doubles beyond 272,000 tokens, at Gemini's list, which does beyond 200,000."""
    log, other = tmp_path / "log.csv", "google/gemini-2.5-pro"
    agents(log, "gpt-5.4", writes=False)
    a_month_today(log, tmp_path)
    base = {"as_of": "2026-11-22", "draws": 0, "workload": {"growth_per_year": 0.0}, "candidates": {"api_models": [other]},
            "timing": {"months_to_live": {"api": 0.0}, "months_in_parallel": 0.0}}
    overlay(base, read_part(tmp_path / "part.yaml"))
    found = {option.id: option for option in compare(resolve(load_scenario(base)).case).options}
    paid = sum(line.monthly_usd[0] for line in found[f"cheaper-api:{other}"].lines if line.name.startswith("API"))
    usd = 0.0
    for row in csv.DictReader(log.read_text(encoding="utf-8").splitlines()):
        uncached, read, made = (int(row[name]) for name in ("input_tokens", "cached_tokens", "output_tokens"))
        long = uncached + read > 200_000
        usd += ((1.25 * uncached + 0.125 * read) * (1 + long) + made * (15.0 if long else 10.0)) / 1e6
    assert paid == pytest.approx(usd / MONTHS_OF_LOG, rel=2e-5)


def test_what_cached_tokens_on_top_of_the_input_would_cost_is_told_where_a_part_is_written(tmp_path: Path) -> None:
    """200,000 tokens in, 190,000 cached, 800 out of gpt-5.4: in it 10,000 x 2.5 + 190,000 x 0.25 + 800 x 15 = 84,500 millionths
    of a USD; on top of it 200,000 x 5 + 190,000 x 0.5 + 800 x 22.5 = 1,113,000, as 390,000 are beyond the edge at 272,000."""
    log = tmp_path / "log.csv"
    log.write_text("time,model,input_tokens,cached_tokens,output_tokens\n" + "".join(
        f"2026-11-{day}T{hour:02d}:00:00Z,gpt-5.4,200000,190000,800\n" for day in (18, 19) for hour in range(24)),
        encoding="utf-8")  # fmt: skip
    asked = ask("usage", log, "--tasks", "0", "--output", tmp_path / "part.yaml", "--format", "json")
    found = json.loads(asked.stdout)
    assert (found["list_usd"], found["list_usd_high"]) == pytest.approx((48 * 0.0845, 48 * 1.113))
    told = "on top of it these calls cost up to 13.2 x as much"
    assert told in " ".join(asked.stderr.split())
    assert told in (tmp_path / "part.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("paid", "split"), [(1.0, 1.0), (0.5, None)], ids=["list price", "half of it"])
def test_costs_of_an_export_that_counts_no_requests_are_other_requests_where_they_are_the_list_price(
    paid: float, split: float | None, tmp_path: Path,
) -> None:
    """400 million tokens in at 2.5 USD and 30 million out at 15 are 1,450: what a scenario's requests come to is none of price.
    At half of that it is both, and nobody can say how much of which."""
    log = tmp_path / "log.csv"
    log.write_text(f"month,model,input_tokens,output_tokens,cost\n2026-09,gpt-5.4,400000000,30000000,{1450 * paid}\n"
                   f"2026-10,gpt-5.4,480000000,36000000,{1740 * paid}\n", encoding="utf-8")
    assert ask("usage", log, "--tasks", "0", "--output", tmp_path / "part.yaml").exit_code == 0
    incumbent = read_part(tmp_path / "part.yaml")["incumbent"]
    assert incumbent["bill_usd_per_month"] == pytest.approx(3190 * paid / 61 * 365 / 12, abs=0.01)
    assert incumbent.get("bill_is_volume_share") == split


@pytest.mark.full
@pytest.mark.parametrize("model", ["gpt-6-sol", "gemini-2.5-pro"])
def test_long_prompts_of_many_lengths_are_billed_by_the_tier_that_they_are_in(model: str, tmp_path: Path) -> None:
    """Prompts around 100,000 tokens, nothing cached: what lies beyond 200,000 or 272,000 costs twice as much a token. In few
    wide cells of lengths no mean lies beyond, and the bill is 29 to 34% too low."""
    draw = Random(3)  # noqa: S311 - a table, no secret
    start = datetime(2026, 10, 26, tzinfo=UTC)
    rows = [f"{(start + timedelta(minutes=5 * k)).isoformat()},{model},{int(draw.lognormvariate(11.5, 0.9))},"
            f"{int(draw.lognormvariate(6.0, 1.0))}\n" for k in range(12 * 24 * DAYS)]
    (tmp_path / "log.csv").write_text("timestamp,model,input_tokens,output_tokens\n" + "".join(rows), encoding="utf-8")
    listed, paid, _ = a_month_today(tmp_path / "log.csv", tmp_path)
    assert paid == pytest.approx(listed, rel=1e-5)


def test_a_context_that_answered_calls_exceed_is_todays_models_alone(tmp_path: Path) -> None:
    """250,000 tokens in and 112 out, half of all, of a model that holds 200,000 by its list: at its vendor they were answered,
    and at another they go where they were."""
    log, start = tmp_path / "log.csv", datetime(2026, 10, 26, tzinfo=UTC)
    rows = [f"{(start + timedelta(hours=6 * k)).isoformat()},claude-haiku-4-5,{(20_000, 250_000)[k % 2]},0,112\n"
            for k in range(4 * DAYS)]
    log.write_text("timestamp,model,input_tokens,cached_tokens,output_tokens\n" + "".join(rows), encoding="utf-8")
    _, _, incumbent = a_month_today(log, tmp_path)
    assert incumbent["context_tokens"] == 250_112
    words = "the log shows an answered call of 250,112 tokens, answer included, the list says 200,000"
    assert words in " ".join(ask("usage", log, "--input-includes-cache", "no", "--tasks", "0").stdout.split())
    other = "aws/anthropic.claude-haiku-4-5-20251001-v1:0"
    base = {"as_of": "2026-11-22", "draws": 0, "candidates": {"api_models": [other]}}
    overlay(base, read_part(tmp_path / "part.yaml"))
    found = compare(resolve(load_scenario(base)).case)
    assert not any(alarm.name == "context" for alarm in found.alarms)
    [elsewhere] = [option for option in found.options if option.id == f"cheaper-api:{other}"]
    assert elsewhere.sent_on is not None
    assert elsewhere.sent_on.longest_tokens == 200_000


@pytest.mark.full
def test_groups_of_calls_beyond_the_listed_context_are_compared_too(tmp_path: Path) -> None:
    """Each of two keys has calls of 20,000 and of 250,000 tokens."""
    log, start = tmp_path / "log.csv", datetime(2026, 10, 26, tzinfo=UTC)
    log.write_text("timestamp,model,input_tokens,output_tokens,project\n" + "".join(
        f"{(start + timedelta(hours=6 * k)).isoformat()},claude-haiku-4-5,{(20_000, 250_000)[k % 2]},112,{'ab'[k // 2 % 2]}\n"
        for k in range(4 * DAYS)), encoding="utf-8")
    tasks = json.loads(ask("usage", log, "--input-includes-cache", "no", "--format", "json").stdout)["tasks"]
    assert [task["reason"] for task in tasks] == [None] * len(tasks) != []


@pytest.mark.full
def test_calls_in_flex_save_nothing_in_batch_and_a_later_log_without_them_forgets_them(tmp_path: Path) -> None:
    """0.02515 USD a call at the standard list, every other day in flex: 0.75 of that, though half of them can wait.

    Of the quarter that can wait beyond them half is saved: 0.625. Without a tier all of it is paid again.
    """
    log, out = tmp_path / "log.csv", tmp_path / "part.yaml"
    base = {"as_of": "2026-11-22", "draws": 0, "timing": {"months_to_live": {"cache_batch": 0.0}, "months_in_parallel": 0.0}}
    for tier, waits, paid in (("flex", 0.5, [0.75]), ("flex", 0.75, [0.75, 0.625]), ("default", 0.5, [1.0, 0.75])):
        log.write_text("date,model,provider,requests,input_tokens,output_tokens,service_tier\n" + "".join(
            f"2026-11-{day},gpt-5.4,openai,100,1000000,1000,{('default', tier)[day % 2]}\n" for day in range(10, 20)),
            encoding="utf-8")  # fmt: skip
        assert ask("usage", log, "--tasks", "0", "--output", out, "--force").exit_code == 0
        overlay(base, read_part(out))
        base["workload"] |= {"growth_per_year": 0.0, "can_wait_share": waits}
        found = {option.id: option for option in compare(resolve(load_scenario(base)).case).options}
        usd = [sum(line.monthly_usd[1] for line in found[id].lines if line.name.startswith("API"))
               for id in ("stay", "cache-batch") if id in found]
        assert usd == pytest.approx([100 * 365 / 12 * 0.02515 * each for each in paid])


@pytest.mark.parametrize(("usd", "bills"), [((1, 2), (100.0, 200.0)), ((0, 0), (150.0, 150.0))])
def test_a_bill_is_shared_out_by_what_the_rows_report(
    usd: tuple[int, int], bills: tuple[float, float], tmp_path: Path,
) -> None:
    """Two models of $2 a day at list, of which one reports half: a third of $300, which by the list it had half of.

    Where all report 0, as a gateway does of calls that others pay, the bill was left out without a word.
    """
    log, day = tmp_path / "log.csv", date(2026, 10, 26)
    log.write_text("date,model,provider,num_requests,input_tokens,output_tokens,cost\n" + "".join(
        f"{day + timedelta(days=k)},{model},openai,1000,{given},0,{paid}\n" for k in range(DAYS)
        for model, given, paid in (("gpt-6-sol", 1_000_000, usd[0]), ("gpt-5.4", 800_000, usd[1]))))
    for model, bill in zip(("gpt-6-sol", "gpt-5.4"), bills, strict=True):
        _, _, incumbent = a_month_today(log, tmp_path, "--bill", "300", "--incumbent", model)
        assert incumbent["bill_usd_per_month"] == pytest.approx(bill)
