"""`roi prices`: lists, additions and a refresh, as a user sees them."""

import json
import re
import threading
from datetime import date
from decimal import Decimal
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import genai_prices
import pytest
from click.testing import CliRunner
from genai_prices.data_snapshot import get_snapshot

from roi.catalog.prices.api_prices import find_api_price, genai_model
from roi.cli import main
from roi.errors import RoiError

UPDATE = Path(__file__).parents[1] / "data" / "prices" / "genai_update.json"
"""What genai-prices' update address held in 2026 for two providers, some of their models, without what reads usage."""
ADD = ("add", "rent", "--gpu", "h100-sxm", "--vendor", "coreweave", "--usd-per-gpu-hour", "2.1", "--source", "contract")

COUNTS = ("roi: counts where as_of is 2026-11-26 or later; a scenario of an earlier day keeps the prices of that day: --set "
          "as_of=2026-11-26\n")


@pytest.fixture(autouse=True)
def prices(tmp_path, monkeypatch):
    """The user's folder, and a day that does not move."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("roi.clock.today", lambda: date(2026, 11, 26))
    return tmp_path / "roi" / "prices"


def ask(*args):
    return CliRunner().invoke(main, ["prices", *map(str, args)])


def told(*args):
    answer = ask(*args, "--format", "json")
    assert answer.exit_code == 0, answer.output
    assert answer.stderr == ""
    return json.loads(answer.stdout)


def test_a_price_that_is_announced_is_listed_under_todays_from_its_day_on():
    """genai-prices 0.2.3 holds gemini-4-argon's doubling of 2026-12-01, from $2 and $10."""
    [row] = [row for row in told("gemini-4-argon")["announced"] if row["provider"] == "google"]
    assert (row["date"], row["input_usd_per_mtok"], row["output_usd_per_mtok"]) == ("2026-12-01", [4], [20])
    lines = [line.split() for line in ask("google/gemini-4-argon").stdout.splitlines()]
    assert ["announced", "from", "2026-12-01", "4.00", "20.00"] in [line[:5] for line in lines]
    assert told("google/gemini-4-argon", "--as-of", "2026-12-01")["announced"] == []


def test_a_card_is_listed_with_who_rents_it_its_age_and_its_source():
    """Nebius asked 4.50 on 2026-11-24, 2 days before; Modal's row of 2026-05-07 is 203 days old and stale."""
    found = told("h100-sxm")
    assert {row["gpu"] for row in found["rents"]} == {"H100-80GB-SXM"}
    ages = {row["vendor"]: (row["usd_per_gpu_hour"], row["age_days"], row["stale"]) for row in found["rents"]}
    assert ages["Nebius"] == (4.5, 2, False)
    assert ages["Modal"] == (3.95, 203, True)
    assert [row["usd_per_gpu"] for row in found["purchases"]] == [31600]
    text = ask("h100-sxm").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "2026-05-07 203 !" in text
    assert "modal.com/pricing" in text


def test_a_list_that_was_stated_after_the_day_has_its_own_day_and_no_age():
    """genai-prices 0.2.3 is of 2026-11-10. Of a day before, it tells the price in retrospect."""
    before, after = (told("openai/gpt-6-luna", "--as-of", day)["apis"][0] for day in ("2024-01-01", "2026-11-20"))
    assert (before["date"], before["age_days"], before["stale"]) == ("2026-11-10", None, False)
    assert (after["date"], after["age_days"]) == ("2026-11-10", 10)
    text = " ".join(ask("openai/gpt-6-luna", "--as-of", "2024-01-01").stdout.split())
    assert "2026-11-10 - [1]" in text
    assert "-: stated later, and tells 2024-01-01 in retrospect" in text
    assert "in retrospect" not in ask("openai/gpt-6-luna").stdout
    assert told("gemini-4-argon")["announced"][0]["age_days"] is None
    assert find_api_price("openai", "gpt-6-luna", date(2024, 1, 1)).date == date(2024, 1, 1)


def test_a_date_pins_the_list():
    rents = told("Nebius", "--as-of", "2026-10-01")["rents"]
    assert [row["usd_per_gpu_hour"] for row in rents if row["gpu"] == "H100-80GB-SXM"] == [3.85]


@pytest.mark.parametrize(("what", "apis", "rents", "tunings"), [
    ("openai/gpt-6-luna", {"openai/gpt-6-luna", "openrouter/openai/gpt-6-luna"}, set(), set()),
    ("gpt-4o-mini-2024-07-18", {"openai/gpt-4o-mini"}, set(), set()),
    ("CoreWeave", set(), {"H100-80GB-SXM", "H200-141GB-SXM"}, set()),
    ("a100", set(), {"A100-40GB-SXM", "A100-80GB-SXM"}, set()),
    ("tinker", set(), set(), {"tinker"}),
])
def test_what_may_be_a_model_a_snapshot_a_vendor_or_a_name_of_several_cards(what, apis, rents, tunings):
    found = told(what)
    assert {f"{row['provider']}/{row['model']}" for row in found["apis"]} == apis
    assert {row["gpu"] for row in found["rents"]} >= rents
    assert bool(found["rents"]) == bool(rents)
    assert {row["vendor"] for row in found["tunings"]} >= tunings


def test_a_provider_and_a_part_of_a_name_list_every_model():
    assert len(told("groq")["apis"]) > 10
    assert {row["model"] for row in told("llama-3.3-70b-in")["apis"]} >= {"meta-llama/Llama-3.3-70B-Instruct-Turbo"}
    both = told("together")
    assert both["rents"]
    assert both["apis"]
    assert both["tunings"]


def test_what_a_cache_asks_beyond_reading_it_is_listed_where_a_vendor_takes_it():
    """gpt-6-luna's write costs 0.125; in batch, where half of every price is taken, reading costs 0.005 and writing 0.0625."""
    row = r"openai/gpt-6-luna +0\.125 +0\.005 +0\.0625\n +above 272,000 input tokens +0\.25 +0\.01 +0\.125\n"
    assert re.search(row, ask("gpt-6-luna").stdout)
    assert "APIs, prompt cache" not in ask("gpt-4o").stdout


def test_without_what_it_says_where_prices_come_from_and_how_old_they_are():
    found = told()
    held = {row["what"]: (row["rows"], row["oldest"], row["newest"]) for row in found["holdings"]}
    assert held["rents"] == (87, "2025-10-31", "2026-11-24")
    assert held["APIs, every model"][1:] == ("2026-11-10", "2026-11-10")
    assert "Older than 90 days" in ask().stdout
    assert ask("--format", "markdown").stdout.startswith("# Prices known on 2026-11-26")


def test_an_unknown_name_is_answered_with_the_nearest():
    answer = ask("coreweav")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("roi: WHAT: unknown card, model or vendor 'coreweav'; nearest: CoreWeave")
    assert "; nearest: claude-2" in ask("clade").stderr
    assert re.search(r"'zzz'; none of the \d,\d{3} known names is like it\n$", ask("zzz").stderr)
    for args, told in ((("h100-sxm", "--as-of", "2020-01-01"), "no price of h100-sxm is known on 2020-01-01"),
                       (("rtx-a4500",), "no price of rtx-a4500 is known on 2026-11-26; `roi prices add` states one"),
                       (("rtx-pro-6000",), ("no price of rtx-pro-6000, which may be RTX-PRO-6000-WS, RTX-PRO-6000-MQ or"
                                           " RTX-PRO-6000-SE, is known on 2026-11-26; `roi prices add` states one"))):
        answer = ask(*args)
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert told in answer.stderr
    assert ask("openai/gpt-4o", "--as-of", "2025-01-01").exit_code == 0  # before the first rent that is known


def test_a_price_that_is_added_is_used_by_every_command(prices):
    """1,000 examples of 2,048 tokens on an L40S: the offer at 0.50 is the cheapest."""
    answer = ask("add", "rent", "--gpu", "l40s", "--vendor", "nebius", "--usd-per-gpu-hour", "0.5",
                 "--source", "quote  of\nNov")
    assert (answer.exit_code, answer.stderr) == (0, COUNTS)
    assert answer.stdout == f"added: {prices / 'rentals.csv'}\n"
    assert (prices / "rentals.csv").read_text() == (
        "gpu,vendor,kind,usd_per_gpu_hour,gpus_per_instance,minimum_months,source,date,note\n"
        "L40S,Nebius,on-demand,0.5,1,0,quote of Nov,2026-11-26,\n")
    assert "quote of Nov (yours: rentals.csv)" in {row["source"] for row in told("nebius")["rents"]}
    fit = CliRunner().invoke(main, ["fit", "qwen3-0.6b", "--gpu", "l40s", "--examples", "1000", "--as-of", "2026-11-26",
                                    "--format", "json"])
    (card,) = json.loads(fit.stdout)["gpus"]
    assert (card["offer"]["vendor"], card["offer"]["usd_per_gpu_hour"], card["offer"]["date"]) == ("Nebius", 0.5, "2026-11-26")


def test_a_comparison_pays_the_users_price_and_says_whose_it_is():
    ask("add", "api", "openai/gpt-6-luna", "--input", "0.02", "--output", "0.1", "--cache-read", "0.01", "--source", "contract")
    answer = CliRunner().invoke(main, ["compare", "--format", "json", "--draws", "0", "--set", "as_of=2026-11-26"])
    case = json.loads(answer.stdout)["case"]
    path = "options.cheaper-api:openai/gpt-6-luna.price.input_usd_per_mtok"
    assert case[path]["value"] == [0.02]
    assert case[path]["source"].startswith("contract (yours: hosted.csv)")
    assert case[path.replace("input_usd_per_mtok", "cache_minimum_tokens")]["value"] == 1024  # OpenAI's rule


def test_a_price_is_never_overwritten(prices):
    assert ask(*ADD).exit_code == 0
    before = (prices / "rentals.csv").read_text()
    assert ask(*ADD).stdout.startswith("is there already")
    other = ask(*(a if a != "2.1" else "2.2" for a in ADD))
    assert other.exit_code == 2
    assert "holds another price of the same, of 2026-11-26; none is overwritten: give --date" in other.stderr
    assert (prices / "rentals.csv").read_text() == before
    earlier = ask(*(a if a != "2.1" else "2.2" for a in ADD), "--date", "2026-11-20")
    assert earlier.exit_code == 0
    assert (prices / "rentals.csv").read_text().startswith(before)


def test_a_vendor_that_nobody_knew_is_said_to_be_new():
    answer = ask(*(a if a != "coreweave" else "CoreWave" for a in ADD))
    assert answer.exit_code == 0
    assert answer.stderr == "roi: CoreWave is a vendor that had no price until now; nearest: CoreWeave\n" + COUNTS


def test_what_may_be_a_slip_of_the_pen_is_said_and_added():
    """A model that is near another, a cache dearer than its input, and a rent of an instance for a month. A dated snapshot, and
    a model that has a price, are nothing new."""
    model = ("add", "api", "openai/gpt-6-lunna", "--input", "1", "--output", "2", "--cache-read", "5", "--source", "s")
    answer = ask(*model)
    assert answer.exit_code == 0, answer.stderr
    assert answer.stderr.startswith("roi: gpt-6-lunna is a model of openai that had no price until now; nearest: gpt-6-luna")
    assert "roi: $5 for input from the cache is above the $1 of other input\n" in answer.stderr
    for name in ("openai/gpt-4o-mini-2024-07-18", "openai/gpt-6-luna"):
        again = ask(*model[:2], name, *model[3:7], "--source", "s").stderr
        assert again.endswith(COUNTS)
        assert "had no price" not in again
    dear = ask(*(a if a != "2.1" else "20000" for a in ADD))
    told = "$20,000 is above every rent of H100-80GB-SXM that is known, at most $12.29 (Azure); it is of one GPU and an hour"
    assert dear.stderr == f"roi: {told}\n{COUNTS}"


LUNA = ("add", "api", "openai/gpt-6-luna", "--source", "s", "--output", "0.5")
"""A price of a model that is known at 0.1 and 0.5, with a cache, batch and a tier."""
CACHED = ("--cache-read", "0.01", "--cache-write", "0.12", "--batch-input", "0.05", "--batch-output", "0.25",
          "--batch-cache-read", "0.005", "--batch-cache-write", "0.06")


@pytest.mark.parametrize(("usd", "times"), [("100", "1000"), ("1", "10"), ("0.0001", "0.001"), ("0.9", ""), ("0.011", "")])
def test_a_rate_at_a_tenth_or_ten_times_its_known_price_is_remarked(usd, times):
    """Input of gpt-6-luna is known at $0.1 a million tokens: $100 is that of a thousand million."""
    said = ask(*LUNA, "--input", usd)
    assert said.exit_code == 0, said.stderr
    told = f"roi: --input: ${float(usd):,g} is {times} x the $0.10 that openai/gpt-6-luna is known to cost; it is of a million"
    assert said.stderr.startswith(told) is bool(times)


def test_what_was_known_of_a_model_and_its_new_price_does_not_state_is_said_with_the_options_that_do(prices):
    """No rate is invented: the cache, the batch and the tier of the list are gone until they are stated."""
    bare = ask(*LUNA, "--input", "0.09").stderr
    assert ("known until now, and not in this price: --cache-read 0.01, --cache-write 0.125, --batch-input 0.05, --batch-output"
            " 0.25, --batch-cache-read 0.005, --batch-cache-write 0.0625;") in bare
    assert "known until now, and not in this price: other rates above 272,000 input tokens of a call." in bare
    (prices / "hosted.csv").unlink()
    full = ask(*LUNA, "--input", "0.09", *CACHED).stderr
    assert "--cache" not in full
    assert "--batch" not in full
    price = find_api_price("openai", "gpt-6-luna", date(2026, 11, 26))
    assert (price.batch_cache_read_usd_per_mtok, price.batch_cache_write_usd_per_mtok) == ((0.005,), (0.06,))


@pytest.mark.parametrize(("usd", "times"), [("7", "0.00088"), ("80000", "10"), ("810", ""), ("79000", "")])
def test_a_card_at_a_tenth_or_ten_times_its_known_price_is_remarked(usd, times):
    """An L40S is known at $8,000: $7 is a rent, or another unit."""
    said = ask("add", "card", "--gpu", "l40s", "--usd", usd, "--source", "s")
    assert said.exit_code == 0, said.stderr
    told = f"roi: ${float(usd):,g} is {times} x the $8,000 that one L40S is known to cost; it is of one card, to buy\n"
    assert said.stderr.startswith(told) is bool(times)


@pytest.mark.parametrize(("args", "message"), [
    ((*ADD[:7], "0", *ADD[8:]), "--usd-per-gpu-hour: 0.0 is not usable; a number above 0"),
    ((*ADD[:7], "1e300", *ADD[8:]), "usd_per_gpu_hour: 1e+300 is not usable; from 1e-09 to 1e+09"),
    ((*ADD[:7], "nan", *ADD[8:]), "--usd-per-gpu-hour: nan is not usable; a number above 0"),
    ((*ADD[:3], "h1000", *ADD[4:]), "--gpu: unknown GPU 'h1000'; nearest: H100"),
    ((*ADD[:3], "A100", *ADD[4:]), "it may be A100-40GB-SXM or A100-40GB-PCIe"),
    ((*ADD, "--date", "2026-11-27"), "--date: 2026-11-27 is after today, 2026-11-26"),
    ((*ADD, "--kind", "reserved"), "--minimum-months: 0 does not go with --kind reserved"),
    ((*ADD, "--minimum-months", "12"), "--minimum-months: 12 does not go with --kind on-demand"),
    (ADD[:8], "--source: needed and not given"),
    ((*ADD[:9], " "), "--source: is empty"),
    ((*ADD[:5], " ", *ADD[6:]), "--vendor: is empty; say who rents it"),
    (("add", "api", "luna", "--input", "1", "--output", "1", "--source", "s"), "PROVIDER/MODEL: 'luna' is not usable"),
    (("add", "api", "a/b", "--input", "1", "--output", "1", "--batch-input", "1", "--source", "s"), "give both or none"),
    ((*LUNA, "--input", "1", *CACHED[4:]), "--batch-cache-read: needs --cache-read"),
    ((*LUNA, "--input", "1", *CACHED[:2], *CACHED[8:10]), "--batch-cache-read: needs --batch-input"),
    ((*LUNA, "--input", "1", *CACHED[:8], *CACHED[10:]), "--batch-cache-write: needs --batch-cache-read"),
    (("add", "api", "--provider", "OpenAI"), "--provider: write it before the model: openai/MODEL"),
    (("add", "api", "--provider", "opnai", "luna"), "--provider: unknown provider 'opnai'; nearest: openai"),
    (("add", "card", "--gpu", "l4", "--usd", "5", "--low", "6", "--source", "s"), "--high: 6, 5, 5 do not ascend"),
    (("add", "pony"), "no command 'pony'; there are rent, api, card"),
    (("h100-sxm", "--formt", "json"), "no option '--formt'; did you mean --format?"),
])
def test_what_cannot_be_a_price_is_refused_in_one_line(prices, args, message):
    answer = ask(*args)
    assert answer.exit_code == 2
    assert message in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not prices.exists()


def offers(*rows):
    """By hand: offers of AWS, one T4 for `price`."""
    return [SimpleNamespace(provider="aws", instance_name=name, location="us-east-1", price=usd, gpu_count=1, gpu_name=gpu,
                            gpu_memory=gb, spot=False, provider_data={}) for name, gpu, gb, usd in rows]


def asked_by_aws(found):
    return [row["usd_per_gpu_hour"] for row in found["rents"] if (row["vendor"], row["kind"]) == ("AWS", "on-demand")]


@pytest.mark.full
def test_a_refresh_writes_dated_files_and_says_what_changed(monkeypatch):
    """AWS asks 0.526 for a T4 in the catalog, then 0.6; its L4 at 0.805 stays, an A10G at 1.006 is gone."""
    monkeypatch.setattr("roi.answers.prices.fetch_items", lambda: offers(
        ("g4dn.xlarge", "T4", 16.0, 0.6), ("g6.xlarge", "L4", 24.0, 0.805), ("p2.xlarge", "K80", 12.0, 0.9)))
    monkeypatch.setattr("roi.answers.prices.fetch_providers", lambda: get_snapshot().providers)
    found = told("refresh")
    assert [Path(file).name for file in found["files"]] == ["rentals-2026-11-26.csv", "hosted-2026-11-26.csv"]
    changes = {row["what"]: (row["change"], row["before"], row["after"]) for row in found["changes"]}
    assert changes["T4, AWS, on-demand"] == ("dearer", [0.526], [0.6])
    assert changes["A10G, AWS, on-demand"] == ("gone", [1.006], None)
    assert "L4, AWS, on-demand" not in changes
    assert not [row for row in found["changes"] if row["unit"] == "USD/Mtok"]
    assert found["left_out"] == {"K80 12 GB": 1}
    assert "RunPod" in found["silent"]
    assert asked_by_aws(told("T4")) == [0.6]
    assert told("openai/gpt-6-luna")["apis"][0]["age_days"] == 0
    assert asked_by_aws(told("T4", "--as-of", "2026-11-25")) == [0.526]
    again = ask("refresh")
    assert again.exit_code == 2
    assert "is there already: prices of a day are fetched once" in again.stderr


@pytest.mark.full
def test_a_refresh_leaves_what_was_stated_by_hand(monkeypatch):
    """A contract of 2026-11-20 for an L4 at AWS and for gpt-6-luna; the lists of 2026-11-26 do not take their place."""
    monkeypatch.setattr("roi.answers.prices.fetch_items", lambda: offers(("g6.xlarge", "L4", 24.0, 0.9)))
    monkeypatch.setattr("roi.answers.prices.fetch_providers", lambda: get_snapshot().providers)
    when = ("--source", "contract", "--date", "2026-11-20")
    ask("add", "rent", "--gpu", "l4", "--vendor", "aws", "--usd-per-gpu-hour", "0.5", *when)
    ask("add", "api", "openai/gpt-6-luna", "--input", "0.08", "--output", "0.4", *when)
    found = told("refresh")
    assert found["stated"] == ["L4, AWS, on-demand", "openai/gpt-6-luna"]
    assert not {row["what"] for row in found["changes"]} & set(found["stated"])
    assert asked_by_aws(told("l4")) == [0.5]
    assert told("openai/gpt-6-luna")["apis"][0]["input_usd_per_mtok"] == [0.08]


@pytest.mark.full
def test_a_price_that_is_announced_holds_from_its_day_on(monkeypatch):
    """Gemini 4 Argon doubles on 2026-12-01, from 2 to 4."""
    monkeypatch.setattr("roi.answers.prices.fetch_providers", lambda: get_snapshot().providers)
    assert ask("refresh", "--only", "apis").exit_code == 0
    for day, usd in (("2026-11-30", 2.0), ("2026-12-01", 4.0)):
        assert told("google/gemini-4-argon", "--as-of", day)["apis"][0]["input_usd_per_mtok"][0] == usd


@pytest.mark.full
def test_an_announced_price_that_is_no_price_of_tokens_is_left_out_and_todays_told(monkeypatch):
    """As if from 2026-12-01 each of 1,000 requests of Gemini 4 Argon cost $5 besides its tokens."""
    model = genai_model("google", "gemini-4-argon")
    later = next(p.prices for p in model.prices if getattr(p.constraint, "start_date", None) == date(2026, 12, 1))
    monkeypatch.setattr(later, "requests_kcount", Decimal(5))
    for module in ("answers.prices", "catalog.prices.api_prices"):
        monkeypatch.setattr(f"roi.{module}.find_api_price", find_api_price.__wrapped__)  # without its cache
    found = told("google/gemini-4-argon")
    assert (found["apis"][0]["input_usd_per_mtok"], found["announced"]) == ([2.0], [])
    monkeypatch.setattr("roi.answers.prices.fetch_providers", lambda: get_snapshot().providers)
    done = ask("refresh", "--only", "apis")
    assert done.exit_code == 0, done.stderr


def test_the_update_of_genai_prices_is_read_from_its_address(monkeypatch):
    """Haiku 4.5 is there at 1 and 5; the day's Opus 4.6 lost its dearer tier on 2026-03-13."""
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(UPDATE.read_bytes())

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        at = f"http://127.0.0.1:{server.server_port}/data.json"
        monkeypatch.setattr("genai_prices.UpdatePrices", partial(genai_prices.UpdatePrices, url=at))
        found = told("refresh", "--only", "apis")
        thread.join()
    assert found["rows"] == 5
    opus = told("anthropic/claude-opus-4-6")["apis"][0]
    assert (opus["input_usd_per_mtok"], opus["date"]) == ([5.0], "2026-11-26")
    assert opus["source"].startswith("genai-prices, update of 2026-11-26, https://www.anthropic.com/pricing")


def test_without_a_network_one_sentence_is_said_and_nothing_is_written(prices, monkeypatch):
    """GPU offers came, API prices did not: neither is kept."""
    monkeypatch.setattr("roi.answers.prices.fetch_items", lambda: offers(("g4dn.xlarge", "T4", 16.0, 0.6)))
    monkeypatch.setattr("genai_prices.UpdatePrices", partial(genai_prices.UpdatePrices, url="http://127.0.0.1:9/data.json"))
    answer = ask("refresh")
    assert (answer.exit_code, answer.stdout) == (RoiError.exit_code, "")
    assert answer.stderr.startswith("roi: refresh: genai-prices brought no API prices (")
    assert answer.stderr.endswith("; nothing was written\n")
    assert answer.stderr.count("\n") == 1
    assert not prices.exists()


def test_help_has_examples_that_fit_80_columns():
    for args in ((), ("add",), ("show",), ("refresh",), ("add", "rent"), ("add", "api"), ("add", "card")):
        answer = CliRunner(env={"COLUMNS": "80"}).invoke(main, ["prices", *args, "--help"])
        assert answer.exit_code == 0
        assert max(map(len, answer.stdout.splitlines())) <= 80
    assert "\n    roi prices CoreWeave --format json\n" in CliRunner().invoke(main, ["prices", "-h"]).stdout
