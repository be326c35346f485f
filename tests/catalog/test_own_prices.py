"""The user's own prices beside the catalog's: the newest row wins, whoever wrote it; a file that cannot be used is named."""

import os
from datetime import date

import pytest

from roi.answers.prices import known_prices
from roi.catalog.prices.api_prices import find_api_price, model_names, provider_names
from roi.catalog.prices.gpu_offers import purchase_prices, rental_offers
from roi.catalog.prices.own_prices import csv_text, own_rows
from roi.catalog.prices.token_rates import token_rates
from roi.errors import InputError, ScenarioError
from roi.facts.price import ApiPrice, RentalKind, RentalOffer

DAY = date(2026, 11, 26)
RENT = "gpu,vendor,kind,usd_per_gpu_hour,gpus_per_instance,source,date\n"
API = "provider,model,input_usd_per_mtok,output_usd_per_mtok,batch_input_usd_per_mtok,batch_output_usd_per_mtok,source,date\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = tmp_path / "roi" / "prices"
    path.mkdir(parents=True)
    return path


def coreweave(day):
    """The on-demand rent of an H100 at CoreWeave: 6.155 in the catalog's row of 2026-11-24."""
    (found,) = (o for o in rental_offers(day) if (o.gpu, o.vendor, o.kind) == ("H100-80GB-SXM", "CoreWeave", "on-demand"))
    return found


def test_without_files_the_catalog_alone_speaks(folder):
    assert own_rows(RentalOffer) == ()
    folder.rmdir()
    assert own_rows(RentalOffer) == ()
    assert coreweave(DAY).usd_per_gpu_hour == 6.155


@pytest.mark.parametrize(("stated", "usd"), [
    ("2026-11-23", 6.155), ("2026-11-24", 5.0), ("2026-11-26", 5.0), ("2026-11-27", 6.155)])
def test_the_newest_row_on_or_before_the_date_wins_and_on_one_day_the_users(folder, stated, usd):
    (folder / "rentals.csv").write_text(f"{RENT}h100-sxm,CoreWeave,on-demand,5,8,contract,{stated}\n")
    assert coreweave(DAY).usd_per_gpu_hour == usd
    assert coreweave(date(2026, 11, 25)).usd_per_gpu_hour == (5.0 if stated == "2026-11-24" else 6.155)


def test_a_row_of_the_user_says_so_in_its_source_and_has_the_catalogs_name_of_its_card(folder):
    (folder / "rentals.csv").write_text(f"{RENT}h100-sxm,CoreWeave,on-demand,5,8,contract,2026-11-26\n")
    assert coreweave(DAY).source == "contract (yours: rentals.csv)"
    (folder / "purchase.csv").write_text(
        "gpu,usd_per_gpu,low_usd_per_gpu,high_usd_per_gpu,source,date\nl40s,7000,7000,7000,q,2026-11-01\n")
    assert {p.gpu: p.usd_per_gpu for p in purchase_prices(DAY)}["L40S"] == 7000


def test_what_was_added_by_hand_wins_over_what_was_fetched_on_the_same_day(folder):
    for name, usd, day in (("rentals", 5, DAY), ("rentals-2026-11-26", 4, DAY), ("rentals-2026-11-25", 3, "2026-11-25")):
        (folder / f"{name}.csv").write_text(f"{RENT}h100-sxm,CoreWeave,on-demand,{usd},8,s,{day}\n")
    assert coreweave(DAY).usd_per_gpu_hour == 5
    assert coreweave(date(2026, 11, 25)).usd_per_gpu_hour == 3


def test_a_file_that_changes_is_read_again(folder):
    file = folder / "rentals.csv"
    for usd in (5, 4.25):
        file.write_text(f"{RENT}h100-sxm,CoreWeave,on-demand,{usd},8,s,2026-11-26\n")
        assert coreweave(DAY).usd_per_gpu_hour == usd
    file.unlink()
    assert coreweave(DAY).usd_per_gpu_hour == 6.155


@pytest.mark.parametrize(("stated", "usd"), [("2026-11-09", 0.1), ("2026-11-10", 0.08), ("2026-11-26", 0.08)])
def test_an_api_price_of_the_user_wins_from_the_day_of_the_price_list_on(folder, stated, usd):
    """genai-prices 0.2.3 is of 2026-11-10 and lists gpt-6-luna at 0.1 and 0.5."""
    (folder / "hosted.csv").write_text(f"{API}openai,gpt-6-luna,0.08,0.4,,,contract,{stated}\n")
    price = find_api_price("openai", "gpt-6-luna", DAY)
    assert price.input_usd_per_mtok[0] == usd
    assert ("yours" in price.source) == (usd == 0.08)
    assert model_names("openai").count("gpt-6-luna") == 1


def test_a_dated_snapshot_of_a_model_has_the_users_price_of_the_model(folder):
    (folder / "hosted.csv").write_text(f"{API}openai,gpt-4o-mini,0.08,0.4,,,contract,2026-11-26\n")
    assert find_api_price("openai", "gpt-4o-mini-2024-07-18", DAY).input_usd_per_mtok == (0.08,)


def test_a_model_that_nobody_lists_is_usable_from_its_day_on(folder):
    (folder / "hosted.csv").write_text(f"{API}mycorp,llm-1,2,4,1,2,contract,2026-11-20\n")
    assert "mycorp" in provider_names()
    assert find_api_price(None, "llm-1", DAY).output_usd_per_mtok == (4.0,)
    assert find_api_price(None, "MyCorp/llm-1", DAY).input_usd_per_mtok == (2.0,)
    with pytest.raises(ScenarioError, match="the earliest price of mycorp/llm-1 is of 2026-11-20"):
        find_api_price("mycorp", "llm-1", date(2026, 11, 1))


def test_a_model_with_a_fee_per_request_is_usable_at_the_users_price(folder):
    """Perplexity's sonar has no price by the token alone in genai-prices."""
    (folder / "hosted.csv").write_text(f"{API}perplexity,sonar,9,9,,,contract,2026-11-20\n")
    assert find_api_price("perplexity", "sonar", DAY).input_usd_per_mtok == (9.0,)


def test_what_was_spent_is_priced_at_the_users_rates_too(folder):
    """A million tokens in at 2, half a million out at 4: $4; in batch at 1 and 2: $2."""
    (folder / "hosted.csv").write_text(f"{API}openai,gpt-4o,2,4,1,2,contract,2026-11-20\n")
    tokens = {"uncached_input": 1e6, "cache_read": 0, "cache_write": 0, "cache_write_1h": 0, "output": 5e5}
    assert token_rates("openai", "gpt-4o", DAY).usd(0, **tokens) == 4.0
    assert token_rates("openai", "gpt-4o", DAY, batch=True).usd(0, **tokens) == 2.0
    assert token_rates("openai", "gpt-4o", date(2026, 11, 1)).usd(0, **tokens) == 2.5 + 5.0


@pytest.mark.parametrize(("name", "text", "told"), [
    ("rentals", f"{RENT}h100-sxm,V,on-demand,five,8,s,2026-11-26\n", "line 2: usd_per_gpu_hour: 'five' is not usable"),
    ("rentals", f"{RENT}h100-sxm,V,on-demand,-5,8,s,2026-11-26\n", "line 2: usd_per_gpu_hour: '-5' is not usable"),
    ("rentals", f"{RENT}h100-sxm,V,hourly,5,8,s,2026-11-26\n", "line 2: kind: 'hourly' is not usable"),
    ("rentals", f"{RENT}h100-sxm,V,spot,5,8,s,26.11.2026\n", "line 2: date: '26.11.2026' is not usable"),
    ("rentals", f"{RENT}h100-sxm,V,spot,5,8,s,0\n", "line 2: date: '0' is not usable; a day such as"),
    ("rentals", f"{RENT}h100-sxm,V,spot,1e308,8,s,2026-11-26\n", "usd_per_gpu_hour: 1e+308 is not usable; from 1e-09 to 1e+09"),
    ("rentals", f"{RENT}h100-sxm,V,spot,5,{10**400},s,2026-11-26\n", "line 2: gpus_per_instance: 1000"),
    ("hosted", f"{API}a,b,5e-324,3,,,s,2026-11-26\n", "line 2: input_usd_per_mtok: 5e-324 is not usable"),
    ("rentals", f"{RENT}h100-sxm,V,spot,5,8,,2026-11-26\n", "line 2: source: '' is not usable"),
    ("rentals", f"{RENT}h1000,V,spot,5,8,s,2026-11-26\n", "line 2: gpu: unknown GPU 'h1000'; nearest: H100"),
    ("rentals", f"{RENT}h100-sxm,V,spot,5,8,s,2026-11-26,x\n", "line 2: more cells than the first line has columns"),
    ("rentals", "gpu,vendor,cost\nl4,V,5\n", "line 2: unknown column 'cost'"),
    ("rentals", f'{RENT}l4,"V\n', "is no CSV"),
    ("hosted", f"{API}a,b,1;2,3,,,s,2026-11-26\n", "input_usd_per_mtok has 2 rates, edges_tokens 1"),
])
def test_a_row_that_cannot_be_used_is_named_with_file_line_column_and_value(folder, name, text, told):
    (folder / f"{name}.csv").write_text(text)
    with pytest.raises(InputError) as error:
        own_rows(RentalOffer if name == "rentals" else ApiPrice)
    assert told in str(error.value)
    assert str(folder / f"{name}.csv") in str(error.value)
    assert str(error.value).endswith("correct that line, or remove it") != (told == "is no CSV")
    assert "\n" not in str(error.value)


def test_a_file_of_another_encoding_or_size_is_refused(folder):
    (folder / "rentals.csv").write_bytes(RENT.encode() + "l4,Übermut,spot,5,8,s,2026-11-26\n".encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8 text"):
        own_rows(RentalOffer)
    os.truncate(folder / "rentals.csv", 2**25)
    with pytest.raises(InputError, match="33,554,432 bytes; a file of prices has at most 16,777,216"):
        own_rows(RentalOffer)


@pytest.mark.full
def test_a_price_list_that_is_written_is_read_as_it_was(folder):
    """All 2,000 prices of genai-prices, tiers, batch and announced changes among them."""
    prices = []
    for provider in provider_names():
        for model in model_names(provider):
            try:
                prices.append(find_api_price(provider, model, DAY))
            except ScenarioError:
                continue
    (folder / "hosted-2026-11-26.csv").write_text(csv_text(ApiPrice, prices))
    assert len(prices) > 1900
    assert own_rows(ApiPrice) == tuple(
        row.model_copy(update={"source": f"{row.source} (yours: hosted-2026-11-26.csv)"}) for row in prices)


def test_a_row_is_added_below_those_of_a_file_with_its_own_columns():
    before = 'gpu,kind,vendor,usd_per_gpu_hour,date,source\nl4,spot,V,0.3,2026-11-01,"a, b"\n'
    row = RentalOffer(gpu="L4", vendor="W", kind=RentalKind.RESERVED, usd_per_gpu_hour=0.25, gpus_per_instance=8,
                      minimum_months=12, source="s", date=DAY, note="n")
    assert csv_text(RentalOffer, [row], before) == (
        "gpu,kind,vendor,usd_per_gpu_hour,date,source,gpus_per_instance,minimum_months,note\n"
        'l4,spot,V,0.3,2026-11-01,"a, b",,,\n'
        "L4,reserved,W,0.25,2026-11-26,s,8,12,n\n")


@pytest.mark.parametrize(("text", "told"), [
    (f"{RENT}h100-sxm,CoreWeave,on-demand,true,8,contract,2026-11-26\n", "line 2: usd_per_gpu_hour: 'true' is not usable"),
    (f"{RENT[:-1]},usd_per_gpu_hour\nh100-sxm,CoreWeave,on-demand,5,8,contract,2026-11-26,9\n", "two columns are called"),
])
def test_a_list_of_prices_names_a_file_that_cannot_be_used(folder, text, told):
    """The list had no rents at all, and did not say why; of two columns of one name the last one counted."""
    (folder / "rentals.csv").write_text(text)
    with pytest.raises(InputError, match=told):
        known_prices("h100-sxm", DAY)
