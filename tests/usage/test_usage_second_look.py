"""What a stranger and a checker of numbers found in `roi usage`, held."""

import json
from datetime import date, timedelta
from types import SimpleNamespace

import ibis
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from roi.catalog.prices.token_rates import Unlisted, token_rates
from roi.cli import main
from roi.errors import InputError
from roi.usage.read.database import _with_try_cast, refusals_told

HEAD = "timestamp,model,provider,tag,input_tokens,output_tokens,cost\n"


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="roi")


def refused(*words):
    answer = run("usage", *words)
    assert answer.exit_code == 2, answer.stdout
    assert answer.stderr.count("\n") == 1
    return answer.stderr


def rows(days, hours=range(24), model="gpt-6-sol", provider="openai", tag="t", cost="0.0024"):
    return "".join(f"2026-10-{day:02d}T{hour:02d}:05:00Z,{model},{provider},{tag},1000,40,{cost}\n" for day in days
                   for hour in hours)


def wrote(file, text):
    file.write_text(text, encoding="utf-8")
    return file


def test_a_result_never_takes_the_place_of_what_is_read(tmp_path):
    log = wrote(tmp_path / "log.csv", HEAD + rows([5]))
    for option in ("--output", "--trace"):
        assert f"{option}: {log} is what the command reads" in refused(log, option, log)
    assert log.read_text(encoding="utf-8").startswith(HEAD)


def test_anthropics_fast_is_priced_as_fast():
    """claude-opus-5: 5 USD a million in, 10 where it is fast (genai-prices: speed, not tier)."""
    assert token_rates("anthropic", "claude-opus-5", date(2026, 10, 20), tier="fast").uncached_input == (10.0,)


def test_before_a_service_is_listed_its_first_price_stands_and_says_so():
    """gpt-6-sol's standard price did not move: 1 USD a million in batch and 5 out, as listed from 14 October on."""
    found, listed = (token_rates("openai", "gpt-6-sol", date(2026, *day), batch=True) for day in ((9, 1), (10, 14)))
    assert (found.uncached_input, found.output) == (listed.uncached_input, listed.output) == ((1.0, 2.0), (5.0, 7.5))
    assert (found.cache_read, found.cache_write) == (listed.cache_read, listed.cache_write)
    assert (found.unlisted, listed.unlisted) == (Unlisted("batch", date(2026, 10, 14)), None)
    assert Unlisted("batch", date(2026, 10, 14)).told == "no batch price is listed before 2026-10-14; that day's stands"


def test_before_a_service_is_listed_its_price_moves_as_the_standard_one_rate_by_rate():
    """o3 cost 10 in, 40 out and 0.5 read until 2025-06-10, then 2, 8 and 0.5; in batch 1, 4 and 0.25 from 2026-10-14 on
    (here: what genai-prices lists). So 10 x 1 / 2 = 5 and 40 x 4 / 8 = 20; the read rate moves as its own.

    Of claude-sonnet-4-6 calls above 200,000 tokens cost twice as much until 2026-03-13: in batch too, 1.5 and 3.
    """
    first, before = (token_rates("openai", "o3", day, batch=True) for day in (date(2026, 10, 14), date(2025, 6, 1)))
    then, now = (token_rates("openai", "o3", day) for day in (date(2025, 6, 1), date(2026, 10, 14)))
    assert (then.uncached_input, then.output, now.uncached_input, now.output) == ((10.0,), (40.0,), (2.0,), (8.0,))
    assert (before.uncached_input, before.output) == ((5.0,), (20.0,))
    assert before.cache_read == pytest.approx((first.cache_read[0] * then.cache_read[0] / now.cache_read[0],))
    assert before.unlisted is not None
    assert before.unlisted.told.endswith("before 2026-10-14; that day's stands, moved as the standard one")
    tiered = token_rates("anthropic", "claude-sonnet-4-6", date(2026, 3, 1), batch=True)
    assert (tiered.edges_tokens, tiered.uncached_input, tiered.output) == ((0.0, 200_000.0), (1.5, 3.0), (7.5, 11.25))


def test_a_service_that_is_never_listed_costs_the_standard_price():
    """Mistral lists no flex tier."""
    found, standard = (token_rates("mistral", "mistral-small-latest", date(2026, 9, 1), tier=tier) for tier in ("flex", None))
    assert found.uncached_input == standard.uncached_input
    assert found.unlisted == Unlisted("flex")
    assert Unlisted("flex").told == "no flex price is listed; the standard one stands"


def test_rows_older_than_the_price_of_their_service_are_counted_with_their_money(tmp_path):
    """13 October has no batch price of gpt-6-sol, 14 October has: twice 3 rows of 1,040 tokens at half of 0.0024, 6 at 0.0024.

    3 x 0.0012 = 0.36 cents of 6 x 0.0012 + 6 x 0.0024 = 2.16 cents.
    """
    head = HEAD.replace("cost", "batch")
    log = wrote(tmp_path / "log.csv", head + rows([13, 14], range(3), cost="true") + rows([13, 14], range(3), cost="false"))
    found = json.loads(run("usage", log, "--format", "json", "--tasks", "0").stdout)
    told = ("3 rows with 3,120 tokens, $0.00 of $0.02 at list price: no batch price is listed before 2026-10-14; that day's"
            " stands")
    assert [note for note in found["notes"] if "batch price" in note] == [f"gpt-6-sol, {told}"]
    assert found["list_usd"] == pytest.approx(6 * 0.0024 + 6 * 0.0012)
    assert told in " ".join(run("usage", log, "--tasks", "0").stdout.split())


def test_a_list_that_begins_is_no_price_cut_and_no_gap_to_the_bill(tmp_path):
    """A million calls a day in batch from 1 September to 24 November, 85 days of 1,000 x 1,040 tokens x 1,000: each day
    1,000 x 1,000 x 1,000 x 1 / 1e6 + 40 x 5 = $1,200; $36,500 a month, which is the bill. The part keeps it."""
    days = [date(2026, 9, 1) + timedelta(day) for day in range(85)]
    log, out = tmp_path / "log.csv", tmp_path / "part.yaml"
    wrote(log, "date,model,provider,input,output,requests,batch,until\n" + "".join(
        f"{day},gpt-6-sol,openai,1000000000,40000000,1000000,true,{day + timedelta(1)}\n" for day in days))
    words = ("--tasks", "0", "--map", "batch=batch", "--bill", "36500")
    found = json.loads(run("usage", log, *words, "--output", out, "--format", "json").stdout)
    assert found["list_usd"] == pytest.approx(85 * 1200)
    assert found["change"]["price_usd"] == pytest.approx(0.0, abs=1e-6)
    assert found["reconciliation"]["factor"] == pytest.approx(1.0)
    assert yaml.safe_load(out.read_text("utf-8"))["incumbent"]["bill_usd_per_month"] == pytest.approx(36_500)


def test_what_a_bucket_does_not_tell_hides_no_missing_price(tmp_path):
    head = HEAD.replace("tag", "requests").replace("cost", "batch")
    log = wrote(tmp_path / "log.csv", head + rows([13], tag="9", cost="true").replace(",1000,", ",180000,"))  # 20,000 a call
    notes = json.loads(run("usage", log, "--format", "json", "--tasks", "0").stdout)["notes"]
    [note] = [note for note in notes if "tells of cached tokens" not in note]
    assert "that day's stands; calls above 272,000 input tokens cost more; a bucket" in note


def test_groups_are_told_by_whole_days(tmp_path):
    """Office hours from Monday noon to Friday noon: three days are whole, of 10 calls a day."""
    cut = rows([5], range(12, 18)), rows(range(6, 9), range(8, 18)), rows([9], range(8, 12))
    log = wrote(tmp_path / "log.csv", HEAD + "".join(cut))
    found = json.loads(run("usage", log, "--format", "json").stdout)
    assert found["days"]["complete"] == 3
    assert found["workload"]["requests_per_day"] == 10.0
    [task] = found["tasks"]
    assert task["requests_per_day"] == 10.0
    assert task["usd_per_month"] == pytest.approx(10 * 0.0024 * 365 / 12)


def test_the_bill_of_all_is_shared_by_list_price(tmp_path):
    """Two models, 3 to 1 at list price: gpt-6-sol 24 x (1,000 x 2 + 40 x 10) / 1e6 = 0.0576 a day of 0.0576 + luna's."""
    log = wrote(tmp_path / "log.csv", HEAD + rows([5, 6], cost="") + rows([5, 6], model="gpt-6-luna", cost=""))
    out = tmp_path / "part.yaml"
    assert run("usage", log, "--incumbent", "gpt-6-sol", "--bill", "100", "--output", out, "--tasks", "0").exit_code == 0
    found = json.loads(run("usage", log, "--format", "json", "--tasks", "0").stdout)
    listed = {model["model"]: model["list_usd"] for model in found["by_model"]}
    share = listed["gpt-6-sol"] / sum(listed.values())
    bill = yaml.safe_load(out.read_text(encoding="utf-8"))["incumbent"]["bill_usd_per_month"]
    assert bill == pytest.approx(100 * share, abs=0.01)


@pytest.mark.full
@pytest.mark.parametrize(("cost", "costs_as"), [
    ("0.0012", ["batch", "flex"]), ("0.00122", ["batch", "flex"]), ("0.00123", []), ("0.0048", ["priority"]), ("0.0024", []),
])
def test_a_gap_that_is_the_price_of_batch_is_asked_about(tmp_path, cost, costs_as):
    """A call costs 0.0024 at list, 0.0012 in batch and flex, 0.0048 with priority: within 2% of one of them it is named."""
    log = wrote(tmp_path / "log.csv", HEAD + rows([5, 6], cost=cost))
    found = json.loads(run("usage", log, "--format", "json", "--tasks", "0").stdout)["reconciliation"]
    assert found["costs_as"] == costs_as
    told = " ".join(run("usage", log, "--tasks", "0").stdout.split())
    asked = f"x {found['factor']:.3f} of list is what {' or '.join(costs_as)} costs: do these calls run as"
    assert (asked in told) == bool(costs_as)
    assert ("of list is what" in told) == bool(costs_as)


@pytest.mark.full
def test_a_bill_at_the_price_of_batch_is_asked_about_unless_the_rows_say_how_they_ran(tmp_path):
    """24 calls a day at 0.0024 are 1.752 a month at list, 0.876 in batch."""
    for batch, asked in (("", True), (",batch", False)):
        text = HEAD.replace(",cost", batch) + rows([5, 6], cost="false").replace(",false", ",false" if batch else "")
        log = wrote(tmp_path / f"log{batch[1:]}.csv", text)
        told = " ".join(run("usage", log, "--bill", "0.876", "--tasks", "0").stdout.split())
        assert "$0.876 against $1.75 at list price, x 0.500" in told
        assert ("do these calls run as batch or flex?" in told) == asked


def test_one_group_has_its_own_reported_bill(tmp_path):
    """24 calls a day at 0.0024: 0.0576 x 365/12 = 1.752 a month; the other group's costs stay out."""
    log = wrote(tmp_path / "log.csv", HEAD + rows([5, 6]) + rows([5, 6], tag="u", cost="0.01"))
    out = tmp_path / "part.yaml"
    assert run("usage", log, "--task", "t", "--output", out, "--tasks", "0").exit_code == 0
    incumbent = yaml.safe_load(out.read_text(encoding="utf-8"))["incumbent"]
    assert incumbent["bill_usd_per_month"] == pytest.approx(1.75)
    assert incumbent["bill_is_volume_share"] == 0.0


@pytest.mark.full
@pytest.mark.parametrize(("provider", "model"), [("anthropic", "claude-haiku-4-5"), ("openai", "gpt-6-luna")])
def test_compare_takes_the_part_of_another_incumbent(tmp_path, provider, model):
    """The bundled scores go with the bundled incumbent; in a scenario of one's own the template's guess stands for the new one,
    which is said, as is that the part took the old one's place.
    """
    log = wrote(tmp_path / "log.csv", HEAD + rows([5, 6], model=model, provider=provider))
    out, mine = tmp_path / "part.yaml", tmp_path / "mine.yaml"
    assert run("usage", log, "--output", out, "--tasks", "0").exit_code == 0
    mine.write_text(run("init").stdout, encoding="utf-8")
    answer = run("compare", "--usage", out, "--draws", "0")
    assert answer.exit_code == 0, answer.stderr
    mixed = run("compare", mine, "--usage", out, "--draws", "0", "--format", "json")
    assert mixed.exit_code == 0, mixed.stderr
    assert f"{out} puts {model} in the place of gpt-6-sol: what the scenario says of gpt-6-sol is not used" in mixed.stderr
    body = json.loads(mixed.stdout)
    assert any(f"write quality.scores.{model}: 0.94" in warning for warning in body["warnings"])
    assert body["case"][f"systems.{model}.error_rate"]["basis"] == "template"


def test_a_cost_with_a_decimal_comma_is_left_out_and_said(tmp_path):
    log = wrote(tmp_path / "log.csv", (HEAD + rows([5])).replace(",", ";").replace("0.0024", "0,0024"))
    assert "a cost that is no number with a decimal point" in refused(log)


@pytest.mark.full
def test_the_same_calls_in_two_kinds_of_file_never_count_twice(tmp_path):
    """As lines of JSON, which are read by their own names, and as Parquet, which has times of its own: they count once.

    Where one of them has a day more, what is twice cannot be told row by row, and is refused.
    """
    csv = wrote(tmp_path / "log.csv", HEAD + rows([5, 6]))
    names = HEAD.strip().split(",")
    lines = [json.dumps(dict(zip(names, line.split(","), strict=True))) for line in rows([5, 6]).splitlines()]
    jsonl = wrote(tmp_path / "log.jsonl", "\n".join(lines))
    frame = pd.read_csv(csv, parse_dates=["timestamp"])
    frame.to_parquet(tmp_path / "log.parquet")
    for other in (jsonl, tmp_path / "log.parquet"):
        found = json.loads(run("usage", csv, other, "--format", "json", "--tasks", "0").stdout)
        assert found["requests"] == 48
        told = [*found["notes"], *(each["reason"] for each in found["dropped"])]
        assert any("the same calls as in " in each or each == "a row that stands in another export too" for each in told)
    more = wrote(tmp_path / "more.csv", HEAD + rows([5, 6, 7]))
    assert "have the same calls on 2026-10-05" in refused(more, jsonl)


def test_requests_a_day_are_taken_where_no_day_is_whole_and_refused_where_they_are_counted(tmp_path):
    hour = wrote(tmp_path / "hour.csv", HEAD + rows([5], [9]))
    found = json.loads(run("usage", hour, "--requests-per-day", "500", "--format", "json", "--tasks", "0").stdout)
    assert found["workload"]["requests_per_day"] == 500.0
    day = wrote(tmp_path / "day.csv", HEAD + rows([5]))
    assert "is not needed; these records count 24 a day" in refused(day, "--requests-per-day", "500")


@pytest.mark.full
def test_an_unknown_group_is_named_without_an_incumbent_too(tmp_path):
    other = rows([5], model="claude-haiku-4-5", provider="anthropic", tag="triage")
    log = wrote(tmp_path / "log.csv", HEAD + rows([5]) + other)
    assert "nearest: triage" in refused(log, "--task", "triag")
    found = json.loads(run("usage", log, "--task", "triage", "--format", "json", "--tasks", "0").stdout)
    assert found["workload"]["model"] == "claude-haiku-4-5"


@pytest.mark.full
def test_a_model_that_stands_among_the_groups_can_be_asked_for_as_one(tmp_path):
    for tag in ("", "a"):
        other = rows([5], model="claude-haiku-4-5", provider="anthropic", tag="")
        log = wrote(tmp_path / f"tag{tag}.csv", HEAD + rows([5], tag=tag) + other)
        found = json.loads(run("usage", log, "--task", "claude-haiku-4-5", "--format", "json", "--tasks", "0").stdout)
        assert found["workload"]["model"] == "claude-haiku-4-5"
        assert "nearest: claude-haiku-4-5" in refused(log, "--task", "claude-haiku-4")


def test_nothing_that_counts_is_an_error_that_says_why(tmp_path):
    log = wrote(tmp_path / "log.csv", (HEAD + rows([5])).replace("2026-10-05T", "28.09.2026 "))
    said = refused(log)
    assert "24 of 24 rows cannot be read: no time that can be read" in said
    assert "times are ISO 8601" in said


@pytest.mark.parametrize(("url", "said"), [
    ("duckbd:///x.ddb", "nearest: duckdb"), ("duckdb:///no/such/file.ddb", "no DuckDB file /no/such/file.ddb"),
    ("postgresql://me:se/cret@host/base", "/ as %2F, ? as %3F, # as %23"),
    ("postgres://me:1#cret@host/base", "written in percent"),
])
def test_a_wrong_backend_is_one_sentence(url, said):
    told = refused("calls", "--backend", url)
    assert said in told
    assert "cret" not in told


def test_a_database_that_refuses_is_one_sentence_without_a_cell():
    """SQLSTATE 42501: no right to read. 22P02: a value that is no number, which Postgres quotes. A bug of ours stays one."""
    for state, quoted, said in (("42501", "permission denied for table calls", "permission denied for table calls"),
                                ("22P02", 'invalid input syntax for type integer: "a prompt"', "Refused")):
        kind = type("Refused", (Exception,), {"__module__": "psycopg.errors", "sqlstate": state,
                                              "diag": SimpleNamespace(message_primary=quoted)})
        with pytest.raises(InputError) as told, refusals_told("postgres://me:secret@host/base"):
            raise kind(f"{quoted}\nLINE 1: SELECT")
        assert str(told.value) == f"--backend: postgres refuses the table's rows: {said}"
    with pytest.raises(KeyError), refusals_told("postgres://host/base"):
        raise KeyError("calls")


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path):
    assert "is not a valid DuckDB database file" in refused(
        "calls", "--backend", f"duckdb://{wrote(tmp_path / 'junk.ddb', 'time,model')}")


def test_postgres_is_asked_for_a_boolean_as_a_number_by_way_of_its_only_integer():
    """Postgres has a cast of a boolean to integer, and none to bigint."""
    compilers = pytest.importorskip("ibis.backends.sql.compilers")
    table = ibis.table({"at": "int64"}, name="calls")
    asked = _with_try_cast(compilers.PostgresCompiler()).to_sqlglot(table.select(even=(table["at"] == 0).cast("int64")))
    assert 'CAST(CAST("t0"."at" = 0 AS INT) AS BIGINT)' in asked.sql("postgres")


def test_a_wrong_table_of_a_database_names_the_nearest(tmp_path):
    import duckdb

    file = tmp_path / "log.ddb"
    connection = duckdb.connect(str(file))
    connection.sql("CREATE TABLE calls AS SELECT TIMESTAMP '2026-10-05' AS timestamp, 'gpt-6-sol' AS model, 1 AS input_tokens,"
                   " 2 AS output_tokens")
    connection.close()
    assert "FILES: unknown table 'cals'" in refused("cals", "--backend", f"duckdb://{file}")


def test_mixed_line_ends_are_read(tmp_path):
    text = (HEAD + rows([5])).replace("\n", "\r\n") + rows([6], [0])
    log = tmp_path / "log.csv"
    log.write_bytes(text.encode())
    assert json.loads(run("usage", log, "--format", "json", "--tasks", "0").stdout)["requests"] == 25


@pytest.mark.parametrize("block", ["workload: 5", "incumbent: gpt"])
def test_a_part_whose_block_is_no_block_is_refused(tmp_path, block):
    part = wrote(tmp_path / "p.yaml", f"schema: roi.usage-part/1\n{block}\n")
    answer = run("compare", "--usage", part)
    assert answer.exit_code == 2
    assert "it should be a block of keys" in answer.stderr
