"""`roi init` with what is known already, and the roi.yaml of a folder."""

from datetime import date
from pathlib import Path

import pytest
from asked import ask

import roi
from roi.scenario.file import load_scenario
from roi.scenario.quantity import value_of
from roi.scenario.template import template

EXAMPLES = Path(roi.__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """A folder to stand in, in which roi.yaml is looked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("roi.cli.options.HERE", Path("roi.yaml"))


@pytest.mark.full
def test_what_is_given_stands_in_the_place_of_the_guesses():
    answer = ask("init", "my.yaml", "--incumbent", "anthropic/claude-haiku-5-5", "--requests", "60000")
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert "wrote my.yaml" in answer.stderr
    found = load_scenario("my.yaml")
    assert (found.workload.requests_per_day, found.incumbent.provider, found.incumbent.model) == (
        60000, "anthropic", "claude-haiku-5-5")
    assert list(found.quality.scores) == ["claude-haiku-5-5"]
    assert found.candidates.api_models == ("openai/gpt-6-luna",)
    assert Path("my.yaml").read_text().count("\n") <= 40
    assert ask("compare", "my.yaml", "--draws", "16").exit_code == 0


def test_prices_are_those_of_the_day_on_which_it_is_written(monkeypatch):
    """A clock that is behind the template's prices is wrong: the template's day has come."""
    monkeypatch.setattr("roi.clock.today", lambda: date(2026, 12, 10))
    assert ask("init", "my.yaml", "--incumbent", "openai/gpt-6-sol").exit_code == 0
    assert load_scenario("my.yaml").as_of == date(2026, 12, 10)
    assert ask("init", "--as-of", "2026-11-24").stdout == template("classification")
    late = ask("init", "--as-of", "2026-12-24")
    assert (late.exit_code, "--as-of: '2026-12-24' is not usable; a day up to today, 2026-12-10" in late.stderr) == (2, True)
    fit = ask("fit", "llama-3.1-8b", "--as-of", "2026-12-24")
    assert (fit.exit_code, fit.stderr) == (2, "roi: --as-of: '2026-12-24' is not usable; a day up to today, 2026-12-10\n")
    early = ask("init", "--as-of", "2020-01-01")
    assert (early.exit_code, "as_of: '2020-01-01' is not usable; the earliest price" in early.stderr) == (2, True)
    monkeypatch.setattr("roi.clock.today", lambda: date(2025, 1, 1))
    assert ask("init").stdout == template("classification")


@pytest.mark.full
def test_days_that_have_not_come_are_said_of_an_export_and_of_months_that_are_tracked(monkeypatch):
    export = EXAMPLES / "tracked_usage.csv"
    words = ("track", EXAMPLES / "tickets.yaml", "--actual", export, "--draws", "128")
    for day, used, tracked in (("2027-01-15", "days up to 2027-02-28", "2027-01 to 2027-02: not over"),
                               ("2027-02-28", "", "2027-02: not over"), ("2027-03-01", "", "")):
        monkeypatch.setattr("roi.clock.today", lambda day=day: date.fromisoformat(day))
        said = ask("init", "--usage", export).stderr, ask(*words).stderr
        assert [("have not come" in said[0], "not over" in said[1])] == [(bool(used), bool(tracked))]
        assert used in said[0]
        assert tracked in said[1]


@pytest.mark.full
def test_requests_that_are_the_templates_own_are_stated_still():
    """20,000 is what the template guesses: a source says that it is no guess."""
    assert ask("init", "my.yaml", "--requests", "20000").exit_code == 0
    assert "requests_per_day: {value: 20000, source: stated}  # requests" in Path("my.yaml").read_text()
    assert "requests a day 20,000" not in ask("compare", "my.yaml", "--draws", "16").stdout
    assert "requests_per_day: 20001 " in ask("init", "--requests", "20001").stdout


def test_a_price_that_is_listed_under_another_name_is_told():
    told = ask("init", "my.yaml", "--incumbent", "bedrock/claude-sonnet-5-5").stderr.splitlines()[0]
    assert told == ("roi: --incumbent: claude-sonnet-5-5 is priced as aws/regional.anthropic.claude-sonnet-5-5, $2.20 in and"
                    " $11 out a million tokens; also listed: aws/global.anthropic.claude-sonnet-5-5")
    assert "priced as" not in ask("init", "--incumbent", "anthropic/claude-sonnet-5-5").stderr


@pytest.mark.full
def test_a_usage_export_is_measured_and_laid_over_the_template():
    """The workload of examples/part.yaml, which roi usage makes of the same export."""
    answer = ask("init", "my.yaml", "--usage", EXAMPLES / "openai_export.csv", "--template", "extraction")
    assert answer.exit_code == 0, answer.stderr
    found, part = load_scenario("my.yaml"), load_scenario(None, part=EXAMPLES / "part.yaml")
    assert found.workload.requests_per_day == part.workload.requests_per_day
    assert found.workload.growth_per_year == part.workload.growth_per_year
    assert found.incumbent == part.incumbent
    text = Path("my.yaml").read_text()
    assert "# Measured: workload and incumbent, from openai_export.csv: 63 whole days, 2026-09-21 to 2026-11-22. The" in text
    assert text.count("\n") <= 40
    ready = ask("init", "--usage", EXAMPLES / "part.yaml")
    assert "requests_per_day: {value: 16326.111, low: 16095.966, high: 16559.547, " in ready.stdout


@pytest.mark.full
def test_a_log_of_calls_gives_lengths_in_the_place_of_means_and_a_prefix_within_them():
    """Prompts of 100 tokens are shorter than the template's prefix of 600 of 900, so the prefix is 2/3 of 100."""
    rows = [f"2026-11-{day:02}T{hour:02}:00:00Z,openai,gpt-6-sol,{90 + hour},{10 + hour % 3}"
            for day in range(1, 22) for hour in range(24)]
    Path("log.csv").write_text("\n".join(["time,provider,model,input_tokens,output_tokens", *rows]) + "\n")
    answer = ask("init", "my.yaml", "--usage", "log.csv")
    assert answer.exit_code == 0, answer.stderr
    found = load_scenario("my.yaml")
    assert found.workload.lengths is not None
    assert found.workload.input_tokens is None
    assert found.workload.shared_prefix_tokens == pytest.approx(600 / 900 * 101.5, abs=1)
    assert Path("my.yaml").read_text().count("\n") <= 40


def test_a_file_is_kept_unless_forced():
    Path("my.yaml").write_text("mine")
    answer = ask("init", "my.yaml")
    assert (answer.exit_code, answer.stderr) == (
        2, "roi: FILE: my.yaml is there already; give another name, or --force to put the new one in its place\n")
    assert Path("my.yaml").read_text() == "mine"
    assert ask("init", "my.yaml", "--force").exit_code == 0
    assert Path("my.yaml").read_text().startswith("# Classify")


def test_a_model_that_ends_today_is_still_the_one_that_is_paid():
    """gpt-4.1-nano ends on 2026-10-23."""
    for day, exit_code in (("2026-10-23", 0), ("2026-10-24", 2)):
        assert ask("init", f"{day}.yaml", "--incumbent", "openai/gpt-4.1-nano", "--as-of", day).exit_code == exit_code


@pytest.mark.parametrize(("args", "says"), [
    (["--incumbent", "openia/gpt-6-sol"], "--incumbent: unknown model 'openia/gpt-6-sol'; nearest: openai/gpt-6-sol"),
    (["--incumbent", "openai/gpt-6-sool"], "unknown model at openai: 'gpt-6-sool'; nearest: gpt-6-sol"),
    (["--incumbent", "openai/claude-haiku-5-5"], "openai has no such model; sold by anthropic"),
    (["--incumbent", "openai/gpt-4.1-nano"], "it was retired on 2026-10-23"),
    (["--incumbent", "openai/text-embedding-3-small"], "as embeddings; write the file without it, then both into"),
    (["--incumbent", "self-hosted/llama-3.3-70b"], "no list says what a model you serve costs: write the file without it"),
    (["--requests", "60k"], "--requests: '60k' is not usable; it should be a valid number; write 60000"),
    (["--requests", "-1"], "--requests: -1 is not usable; -1 must be greater than 0 and at most 1,000,000,000"),
    (["--requests", ""], "--requests: '' is not usable; requests of a mean day, such as 60000"),
    (["--usage", "none.csv"], "'none.csv' is not there"),
    (["--usage", "other.yaml"], "other.yaml is no part written by roi usage --output"),
])
def test_bad_input_writes_nothing(args, says):
    Path("other.yaml").write_text("a: 1\n")
    answer = ask("init", "my.yaml", *args)
    assert answer.exit_code == 2
    assert says in answer.stderr
    assert not Path("my.yaml").exists()


@pytest.mark.parametrize(("header", "row", "said"), [
    ("time,input_tokens,output_tokens", "2026-11-01T00:10:00Z,100,10",
     "--usage: the records name no model: say which one it is, --provider and --model; --provider and --model: of roi usage"),
    ("time,input_tokens,output_tokens,model", "11/01/2026,100,10,gpt-6-sol",
     "; --dates: of roi usage a.csv ... --output part.yaml, then roi init my.yaml --usage part.yaml"),
    ("time,input_tokens,output_tokens,model", "2026-11-01T00:10:00Z,100,10,my-own-v3", "--usage: no price of my-own-v3 on"),
    ("time,input_tokens,output_tokens,model", "2026-11-01T00:10:00Z,many,10,gpt-6-sol", "--usage: no row counts: 1 row for"),
])
def test_an_error_of_a_log_names_the_option_of_init_and_where_the_others_are(header, row, said):
    Path("a.csv").write_text(f"{header}\n{row}\n")
    answer = ask("init", "my.yaml", "--usage", "a.csv")
    assert (answer.exit_code, said in answer.stderr) == (2, True), answer.stderr
    assert not {"--output:", "FILES:"} & set(answer.stderr.split())
    assert not Path("my.yaml").exists()


def test_a_folder_and_a_place_that_is_not_there_are_refused(tmp_path):
    assert "FILE: " in ask("init", tmp_path).stderr
    assert "FILE: no folder no" in ask("init", "no/my.yaml").stderr


@pytest.mark.full
def test_the_folders_scenario_is_found_and_said():
    assert ask("init", "roi.yaml", "--template", "extraction").exit_code == 0
    for command in ("compare", "size"):
        answer = ask(command, *(["--draws", "16"] if command == "compare" else []))
        assert answer.exit_code == 0, answer.stderr
        assert "roi: using ./roi.yaml\n" in answer.stderr
        assert "Document extraction" in answer.stdout
        assert "bundled" not in answer.stderr
    assert ask("compare", "none.yaml").exit_code == 2
    assert "Here (Document extraction)" in ask("help", "quality.bar").stdout


@pytest.mark.parametrize("head", ["when,tok_in,tok_out", "when,input_tokens,output_tokens"])
def test_a_log_of_ones_own_columns_is_sent_to_the_command_that_takes_their_names(head):
    Path("mylog.csv").write_text(f"{head}\n2026-10-01T00:00:00Z,1,2\n")
    answer = ask("init", "u.yaml", "--usage", "mylog.csv")
    assert (answer.exit_code, Path("u.yaml").exists()) == (2, False)
    assert answer.stderr.endswith(
        "roi usage mylog.csv --map time=COLUMN --map input=COLUMN --map output=COLUMN --output part.yaml,"
        " then roi init u.yaml --usage part.yaml\n")
    assert answer.stderr.count("--map time") == 1


HEAD = ("usage_date_utc,model_version,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,"
        "usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens")


def anthropic_export() -> Path:
    """Twenty days of 4,000,000 tokens in and 400,000 out, and no count of requests."""
    rows = [f"2026-11-{day:02},claude-sonnet-5-5,standard,<= 200k,4000000,0,0,0,400000" for day in range(1, 21)]
    Path("a.csv").write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    return Path("a.csv")


@pytest.mark.full
def test_tokens_without_a_count_of_requests_are_no_workload_beside_a_templates_guess():
    """Neither init nor compare shows the template's volume as that of the export; each names the option that says it."""
    file = anthropic_export()
    answer = ask("init", "my.yaml", "--usage", file)
    assert (answer.exit_code, answer.stderr) == (2, (
        "roi: --usage: a.csv does not say how many requests a day its tokens are, and 20,000 is the guess of the template"
        " classification: --requests NUMBER\n"))
    assert not Path("my.yaml").exists()
    wrote = ask("usage", file, "--output", "part.yaml", "--tasks", "0")
    assert "states requests a day: the export does not" in wrote.stderr
    answer = ask("compare", "--usage", "part.yaml", "--draws", "0")
    assert answer.exit_code == 2
    assert "100,000 is the guess of the template bundled: roi usage --requests-per-day NUMBER, or --set" in answer.stderr
    assert ask("compare", "--usage", "part.yaml", "--draws", "0", "--set", "workload.requests_per_day=9000").exit_code == 0


@pytest.mark.full
def test_requests_that_are_said_tell_the_lengths_of_an_export_without_them():
    """4,000,000 / 8,000 = 500 tokens in and 50 out a request; what is still a guess is named as the template's."""
    assert ask("init", "my.yaml", "--usage", anthropic_export(), "--requests", "8000").exit_code == 0
    found, text = load_scenario("my.yaml").workload, Path("my.yaml").read_text()
    assert (found.requests_per_day, found.input_tokens, found.output_tokens) == (8000, 500, 50)
    assert "; requests a day are stated. The template's still: cache_hit_rate, can_wait_share, growth_per_year," in text


def test_the_list_price_of_uncounted_requests_checks_the_volume_of_a_scenario():
    """4 Mtok at $2 and 0.4 at $10 are $12 a day, x 365/12 = $365 a month: all of a gap to it is volume."""
    ask("usage", anthropic_export(), "--output", "part.yaml", "--tasks", "0")
    found = load_scenario(None, ("workload.requests_per_day=9000",), part=Path("part.yaml")).incumbent
    assert found.bill_usd_per_month == pytest.approx(365.0)
    assert found.bill_is_volume_share == 1.0


@pytest.mark.full
@pytest.mark.parametrize("name", ["extraction", "agent", *(
    pytest.param(name, marks=pytest.mark.full) for name in ("classification", "generation", "own-gpus"))])
def test_on_an_earlier_day_candidates_without_a_price_are_left_out_and_named(name):
    """Fireworks tunes Qwen3 and Llama 3.1 8B for a price of 24 November 2026 and later."""
    answer = ask("init", "my.yaml", "--template", name, "--as-of", "2026-06-30")
    assert (answer.exit_code, load_scenario("my.yaml").as_of) == (0, date(2026, 6, 30))
    written, asked = Path("my.yaml").read_text(), load_scenario("my.yaml").candidates
    late = [each for each in ("fireworks/qwen3-4b", "fireworks/qwen3-8b", "fireworks/llama-3.1-8b") if each in template(name)]
    assert asked.hosted_adapters == ()
    assert all(f"# Left out, without a price by 2026-06-30: {each}." in written for each in late)
    assert ("Left out" in written) == bool(late)
    assert ask("compare", "my.yaml", "--draws", "16").exit_code == 0


@pytest.mark.full
def test_a_log_of_agents_with_long_prompts_takes_the_place_of_the_templates_guesses():
    """Steps of 30,000 tokens, more than the longest example that a guess of shorter ones would be."""
    Path("log.csv").write_text("timestamp,model,input_tokens,output_tokens\n" + "".join(
        f"2026-11-{day:02d}T{hour:02d}:00:00Z,gpt-5.4,30000,500\n" for day in (3, 4, 5) for hour in range(24)))
    assert ask("init", "my.yaml", "--template", "agent", "--usage", "log.csv").exit_code == 0
    assert value_of(load_scenario("my.yaml").workload.requests_per_day) == 24
