"""Sessions of coding agents: one row a request whatever is written again, list prices by hand, projects by pseudonyms."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from usage_support import CANARY, DATA, run_usage, totals, usage_answer
from usage_support import records as read

from roi.errors import InputError
from roi.usage.formats.agents import codex

AGENTS = DATA / "agents"


def counts(**given: int) -> dict[str, int]:
    return {"uncached_input": 0, "cache_read": 0, "cache_write": 0, "output": 0, "requests": 1} | given


def test_five_lines_of_two_calls_of_claude_code_are_two_calls(tmp_path: Path) -> None:
    """3 + 10 in, 9,000 + 11,000 read, 2,000 + 500 written, 100 + 40 out; the client's own `<synthetic>` answer is no call."""
    rows = read(tmp_path, AGENTS / "claude_code.jsonl")
    assert totals(rows) == counts(uncached_input=13, cache_read=20_000, cache_write=2500, output=140, requests=2)
    assert [row["cache_write_1h"] for row in rows] == [2000, 0]


def test_writes_kept_an_hour_cost_twice_the_input_price() -> None:
    """claude-opus-4-1: 15 in, 1.5 read, 18.75 and 30 written, 75 out. 3 x 15 + 9,000 x 1.5 + 2,000 x 30 + 100 x 75 = 81,045 and
    10 x 15 + 11,000 x 1.5 + 500 x 18.75 + 40 x 75 = 29,025 millionths.
    """
    assert usage_answer(AGENTS / "claude_code.jsonl")["total_usd"] == pytest.approx(0.110070)


def test_a_resumed_session_has_old_calls_in_a_new_file(tmp_path: Path) -> None:
    """Both files hold call 1, the later with one more call: 140 + 7 out."""
    old = (AGENTS / "claude_code.jsonl").read_text(encoding="utf-8")
    new = old.replace("msg_2", "msg_9").replace("req_2", "req_9").replace('"output_tokens":40', '"output_tokens":7')
    for name, text in (("old", old), ("new", new.replace("5e551011", "5e551012"))):
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
    found = usage_answer("--strict", tmp_path / "old.jsonl", tmp_path / "new.jsonl")
    assert (found["requests"], found["tokens"]["output"]) == (3, 147)


def test_an_event_of_codex_whose_sum_has_not_moved_is_no_call(tmp_path: Path) -> None:
    """1,200 (200 cached) and 500 out; then 2,700 - 1,200 = 1,500 (1,300 - 200 = 1,100 cached) and 600 - 500 = 100 out."""
    rows = read(tmp_path, AGENTS / "codex.jsonl")
    assert totals(rows) == counts(uncached_input=1000 + 400, cache_read=200 + 1100, output=600, requests=2)
    assert [(row["model"], row["provider"]) for row in rows] == [("gpt-5-codex", "openai")] * 2


def rollout(path: Path, metas: list[dict[str, object]], sums: list[tuple[int, int]], start: str) -> Path:
    """A session of Codex CLI whose sums of input and output are these after each call, an event a minute from `start` on."""
    lines: list[dict[str, object]] = [
        {"type": "session_meta", "timestamp": start, "payload": {"cwd": "/x", **meta}} for meta in metas
    ]
    lines.append({"type": "turn_context", "timestamp": start, "payload": {"model": "gpt-5-codex", "cwd": "/x"}})
    before = (0, 0)
    for k, after in enumerate(sums):
        names = ("input_tokens", "output_tokens")
        info = {
            "total_token_usage": dict(zip(names, after, strict=True)),
            "last_token_usage": {name: now - then for name, now, then in zip(names, after, before, strict=True)},
        }
        before, time = after, start.replace(":00:00Z", f":{k:02d}:00Z")
        lines.append({"type": "event_msg", "timestamp": time, "payload": {"type": "token_count", "info": info}})
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


@pytest.mark.parametrize("how", ["fork", "fork of a fork", "sub-agent", "without the parent"])
def test_what_a_fork_of_codex_copies_counts_once_at_its_own_time(tmp_path: Path, how: str) -> None:
    """100 and 300 in, 10 and 30 out in the parent at 9 and 9:01; each fork goes on from 300 and 30 to 600 and 70,
    or to 700 and 75: 600 + 400 in, 70 + 45 out, four calls; a fork of the fork to 800 and 90 adds 200 and 20.
    """
    day = "2026-10-05T"
    parent: dict[str, object] = {"id": "parent"}
    copied = [(100, 10), (300, 30)]
    says: dict[str, object] = (
        {"source": {"subagent": {"thread_spawn": {"parent_thread_id": "parent"}}}}
        if how == "sub-agent"
        else {"forked_from_id": "parent"}
    )
    files = [
        rollout(tmp_path / "parent.jsonl", [parent], copied, f"{day}09:00:00Z"),
        rollout(tmp_path / "a.jsonl", [{"id": "a", **says}, parent], [*copied, (600, 70)], f"{day}11:00:00Z"),
        rollout(tmp_path / "b.jsonl", [{"id": "b", **says}], [*copied, (700, 75)], f"{day}12:00:00Z"),
    ]
    expected = counts(uncached_input=1000, output=115, requests=4)
    if how == "fork of a fork":
        metas: list[dict[str, object]] = [{"id": "c", "forked_from_id": "a"}, {"id": "a", **says}, parent]
        files.append(rollout(tmp_path / "c.jsonl", metas, [*copied, (600, 70), (800, 90)], f"{day}13:00:00Z"))
        expected = counts(uncached_input=1200, output=135, requests=5)
    rows = read(tmp_path, *(files[1:] if how == "without the parent" else files))
    assert totals(rows) == expected
    hours = sorted(row["at_us"] // 3_600_000_000 % 24 for row in rows)
    assert hours == ([11, 11, 11, 12] if how == "without the parent" else [9, 9, *range(11, 11 + len(rows) - 2)])
    assert len({row["group"] for row in rows}) == 1


def test_a_fork_that_begins_with_its_parents_sum_alone_counts_its_own_calls(tmp_path: Path) -> None:
    """28,000,000 and 700,000 are the parent's; of 28,070,000 and 703,000, 70,000 and 3,000 are its own."""
    file = rollout(
        tmp_path / "a.jsonl",
        [{"id": "a", "forked_from_id": "p"}],
        [(28_000_000, 700_000), (28_070_000, 703_000)],
        "2026-10-05T11:00:00Z",
    )
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    del lines[2]["payload"]["info"]["last_token_usage"]
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert totals(read(tmp_path, file)) == counts(uncached_input=70_000, output=3000, requests=1)


def test_sessions_of_codex_that_are_no_forks_both_count(tmp_path: Path) -> None:
    files = [rollout(tmp_path / f"{k}.jsonl", [{"id": f"s{k}"}], [(100, 10)], "2026-10-05T09:00:00Z") for k in range(2)]
    assert totals(read(tmp_path, *files)) == counts(uncached_input=200, output=20, requests=2)


def test_token_usage_records_count_where_a_rollout_has_no_event(tmp_path: Path) -> None:
    usage = {"input_tokens": 50, "cached_input_tokens": 20, "cache_write_input_tokens": 5, "output_tokens": 7}
    rows = [
        {"type": "session_meta", "timestamp": "2026-10-05T11:00:00Z", "payload": {"id": "s", "cwd": "/x"}},
        {"type": "turn_context", "timestamp": "2026-10-05T11:00:00Z", "payload": {"model": "gpt-5-codex"}},
        {"type": "token_usage_record", "timestamp": "2026-10-05T11:00:01Z", "payload": {"response_id": "r", "usage": usage}},
    ]
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert totals(read(tmp_path, tmp_path / "r.jsonl")) == counts(uncached_input=25, cache_read=20, cache_write=5, output=7)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gemini_session.json", counts(uncached_input=1200 + 30 - 1000, cache_read=1000, output=80 + 40)),
        ("gemini_session.jsonl", counts(uncached_input=7, output=9)),
        ("gemini_telemetry.log", counts(uncached_input=120 + 7 - 10, cache_read=10, output=30 + 5)),
        ("opencode.json", counts(uncached_input=1500, cache_read=1000, cache_write=500, output=800 + 200)),
    ],
)
def test_what_messages_of_gemini_cli_and_opencode_count(tmp_path: Path, name: str, expected: dict[str, int]) -> None:
    """Thoughts and reasoning are billed beside output, tool prompts beside input; a message written three times counts once."""
    assert totals(read(tmp_path, AGENTS / name)) == expected


def test_gemini_telemetry_through_a_collector_counts_the_same(tmp_path: Path) -> None:
    values = {
        "input_token_count": "120",
        "output_token_count": "30",
        "cached_content_token_count": "10",
        "thoughts_token_count": "5",
    }
    attributes = [
        {"key": "event.name", "value": {"stringValue": "gemini_cli.api_response"}},
        {"key": "model", "value": {"stringValue": "gemini-2.5-pro"}},
        *({"key": key, "value": {"intValue": value}} for key, value in values.items()),
    ]
    record = {"timeUnixNano": "1791208800000000000", "body": {"stringValue": CANARY}, "attributes": attributes}
    (tmp_path / "otlp.jsonl").write_text(
        json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}), encoding="utf-8"
    )
    assert totals(read(tmp_path, tmp_path / "otlp.jsonl")) == counts(uncached_input=110, cache_read=10, output=35)


def test_claude_codes_telemetry_counts_a_request_once(tmp_path: Path) -> None:
    """As a collector writes OTLP logs: the event's name as an attribute or as the body, an error, a request that two exporters
    wrote: 120 + 9,000 + 300 + 45, and 10 + 0 + 0 + 5. A suffix of the model's name is the client's.
    """
    def event(name: str, counts: dict[str, str], **words: str) -> dict[str, Any]:
        said = [{"key": key, "value": {"intValue": value}} for key, value in counts.items()]
        words["model"] = "claude-sonnet-4-6[1m]"
        said += [{"key": key, "value": {"stringValue": value}} for key, value in words.items()]
        return {"timeUnixNano": "1791427770000000000", "body": {"stringValue": name}, "attributes": said}

    first = {"input_tokens": "120", "output_tokens": "45", "cache_read_tokens": "9000", "cache_creation_tokens": "300"}
    logs = [event("claude_code.api_request", first, request_id="r1"), event("claude_code.api_error", {}, error=CANARY),
            event(CANARY, first, **{"event.name": "api_request", "request_id": "r1"}),
            event(CANARY, {"input_tokens": "10", "output_tokens": "5"}, **{"event.name": "api_request"})]
    file = tmp_path / "otlp.jsonl"
    file.write_text("".join(json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [each]}]}]}) + "\n" for each in logs))
    rows = read(tmp_path, file)
    assert totals(rows) == counts(uncached_input=130, cache_read=9000, cache_write=300, output=50, requests=2)
    assert {row["model"] for row in rows if row["dropped"] is None} == {"claude-sonnet-4-6"}
    assert CANARY not in str(rows)


def test_messages_in_opencodes_database_are_read(tmp_path: Path) -> None:
    data = json.loads((AGENTS / "opencode.json").read_text(encoding="utf-8"))
    del data["id"], data["sessionID"]
    with sqlite3.connect(tmp_path / "opencode.db") as database:
        database.execute("CREATE TABLE message (id TEXT, session_id TEXT, time_created INTEGER, data TEXT)")
        database.executemany(
            "INSERT INTO message VALUES (?, ?, 0, ?)",
            [("msg_a", "ses_1", json.dumps(data)), ("msg_b", "ses_1", json.dumps({"role": "user"})), ("msg_c", "ses_1", "{")],
        )
    database.close()
    assert totals(read(tmp_path, tmp_path / "opencode.db")) == counts(
        uncached_input=1500, cache_read=1000, cache_write=500, output=1000
    )


@pytest.mark.parametrize(("tables", "said"), [
    (("calls", "users"), "and not OpenCode's, which has a table message; its tables: calls, users. Write that of your calls"),
    ((), "its tables: none. "), (tuple("abcdefg"), "its tables: a, b, c, d, e, .... "),
])  # fmt: skip
def test_another_database_is_told_by_its_tables(tmp_path: Path, tables: tuple[str, ...], said: str) -> None:
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE made (id TEXT)")
        for name in tables:
            database.execute(f"CREATE TABLE {name} (id TEXT)")
        database.execute("DROP TABLE made")
    database.close()
    with pytest.raises(InputError) as raised:
        read(tmp_path, tmp_path / "other.db")
    assert said in str(raised.value)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a session of each agent in its usual folder."""
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, place in {
        "claude_code.jsonl": ".claude/projects/-home-someone-canary-project",
        "codex.jsonl": ".codex/sessions/2026/10/05",
        "gemini_session.json": ".gemini/tmp/abab/chats",
        "opencode.json": ".local/share/opencode/storage/message/ses_1",
    }.items():
        folder = tmp_path / place
        folder.mkdir(parents=True)
        shutil.copy(AGENTS / name, folder / name)
    return tmp_path


@pytest.mark.full  # runs the command twice
@pytest.mark.usefixtures("home")
def test_agents_are_found_in_their_folders_and_told_without_names() -> None:
    """2 + 2 + 1 + 1 calls; the project is a pseudonym until its name is asked for, and the list price is called no bill."""
    run = run_usage("--agents")
    assert run.exit_code == 0, run.stderr
    for words in (
        "Claude Code: 1 file in ~/.claude/projects",
        "Codex CLI: 1 file in ~/.codex/sessions",
        "Gemini CLI: 1 file in ~/.gemini/tmp",
        "OpenCode: 1 file in ~/.local/share/opencode/storage/message",
    ):
        assert words in run.stderr
    assert "6 requests" in run.stdout
    assert "list-price equivalent, not a bill" in " ".join(run.stdout.split())
    assert "canary-project" not in run.stdout + run.stderr
    assert "project-4295e5" in run.stdout
    assert "canary-project" in run_usage("--agents", "--names").stdout


def test_agents_that_are_nowhere_are_an_error_that_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    run = run_usage("--agents")
    assert run.exit_code == 2
    assert "--agents: no sessions in ~/.claude/projects" in run.stderr


@pytest.mark.full
@pytest.mark.parametrize(("kind", "groups"), [("session", 1), ("day", 1), ("hour", 1)])
def test_sessions_days_and_hours_are_groups(kind: str, groups: int) -> None:
    found = usage_answer(AGENTS / "claude_code.jsonl", "--group-by", kind)["by_group"]
    assert len(found) == groups
    assert found[0]["group"] == {"session": found[0]["group"], "day": "2026-10-05", "hour": "10:00"}[kind]


def codex_event(total: object, last: object = None) -> dict[str, object]:
    info = {"total_token_usage": total, "last_token_usage": last}
    return {"type": "event_msg", "timestamp": "2026-10-05T11:00:00Z", "payload": {"type": "token_count", "info": info}}


@pytest.mark.parametrize("spoiled", [{"input_tokens": "x", "output_tokens": 30}, {"output_tokens": 30}, None])
def test_a_sum_of_codex_that_cannot_be_read_is_counted_once(spoiled: object) -> None:
    """100, then 200 whose sum is spoiled, then 600 - 300 = 300 by the sum alone: 600 in all; it was 100 + 200 + 600."""
    def usage(given: int) -> dict[str, int]:
        return {"input_tokens": given, "output_tokens": given // 10}

    events = [codex_event(usage(100), usage(100)), codex_event(spoiled, usage(200)), codex_event(usage(600))]
    rows = list(codex.session_rows(events))
    assert [(row["input_tokens"], row["output_tokens"]) for row in rows] == [(100, 10), (200, 20), (300, 30)]


def test_a_call_of_codex_that_only_a_spoiled_sum_tells_of_is_unreadable() -> None:
    rows = list(codex.session_rows([codex_event({"input_tokens": 9, "output_tokens": 1}), codex_event({"input_tokens": "x"})]))
    assert [row["input_tokens"] for row in rows] == [9, "no number"]


def test_a_line_of_codex_whose_type_is_a_list_is_passed_over() -> None:
    """The fuzzer found it: a list is in no set."""
    assert list(codex.session_rows([{"type": ["session_meta"], "payload": {"id": "a"}}])) == []
