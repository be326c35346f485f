"""User files: YAML 1.2 scalars, and every refusal with its line."""

import os
import re
from itertools import permutations
from math import factorial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_tables import every_row

from roi.errors import InputError, ScenarioError, nearest, nearest_file
from roi.scenario.yaml import DEPTH_LIMIT, SIZE_LIMIT, dump_yaml, parse_yaml, read_yaml, set_value

LAUGHS = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefghijk", "bcdefghijkl", strict=True))

plain = st.none() | st.booleans() | st.integers(-(10**200), 10**200) | st.text()
finite = st.floats(allow_nan=False, allow_infinity=False)
tricky = st.sampled_from([
    "no", "Yes", "on", "~", "null", "", " ", "true", "0777", "0o17", "0x1F", "1e5", "1E5", "+1", ".5", "5.", "1_000", "1:30",
    "<<", "=", "2026-11-24", ".nan", "-.inf", "9" * 400, "a: b", "- a", "#", "a #b", "&a", "*a", "!x", "%", "@", "`", "---",
    "...", "\x00", "\x85", "a\x85", "\u2028", "\ufeff", "line\nline\n", " lead\n", "trail ", "\t", "'", '"', "\\", "😀",
])  # fmt: skip
nested = st.recursive(
    plain | finite | tricky,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | tricky, inner, max_size=4),
    max_leaves=12,
)


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "my.yaml")
    assert caught.value.exit_code == 2
    return str(caught.value)


@every_row(
    "written, value",
    [
        ("no", "no"), ("Yes", "yes".title()), ("on", "on"), ("off", "off"), ("y", "y"),
        ("true", True), ("False", False), ("~", None), ("", None), ("null", None),
        ("0777", 777), ("0o17", 15), ("0x1F", 31), ("1_000", "1_000"), ("1:30", "1:30"), ("-3", -3), ("+4", 4),
        ("1e5", 100000.0), ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("-2.5E-3", -0.0025),
        ("2026-11-24", "2026-11-24"), ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z"), ("'1'", "1"), ('"no"', "no"),
        ("llama-3.1-8b", "llama-3.1-8b"), ("[1, two, {three: 3}]", [1, "two", {"three": 3}]),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(written: str, value: object) -> None:
    read = parse_yaml(f"x: {written}\n", "f")["x"]
    assert read == value
    assert type(read) is type(value)


def test_keys_are_text() -> None:
    assert parse_yaml("no: 1\n1: 2\nnull: 3\n<<: {a: 4}\n", "f") == {"no": 1, "1": 2, "null": 3, "<<": {"a": 4}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb:\n  c: 2\n  d: 3\n  c: 4\n", "my.yaml:5: b.c: given twice, first in line 3"),
        ('1: a\n"1": b\n', "my.yaml:2: 1: given twice, first in line 1"),
        ("a:\n  - x: 1\n  - y: [0, .nan]\n", "my.yaml:3: a[1].y[1]: .nan is not a finite number"),
        ("\na: -.INF\n", "my.yaml:2: a: -.INF is not a finite number"),
        ("a: 1e999\n", "my.yaml:1: a: 1e999 is beyond the largest number"),
        ("a: " + "9" * 5000, "my.yaml:1: a: a number of 5000 digits"),
        ("a: 0x" + "f" * 5000, "my.yaml:1: a: a number of 5002 digits"),
        ("a: 1\nb: &x 2\n", "my.yaml:2: anchor &x;"),
        ("a: 1\nb: *x\n", "my.yaml:2: alias *x;"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", "my.yaml:2: tag tag:yaml.org,2002:python/object/apply:os.system;"),
        ("a: !!str 5\n", "my.yaml:1: tag tag:yaml.org,2002:str;"),
        ("a: !mine 5\n", "my.yaml:1: tag !mine;"),
        ("a: 1\n---\nb: 2\n", "my.yaml:2: a second document (---)"),
        ("? [1, 2]\n: 3\n", "my.yaml:1: a key is a name"),
        ("a: 1\n\tb: 2\n", "my.yaml:2: not valid YAML:"),
        ("a:\n\t- b\n", "indent with spaces, not tabs"),
        ("a: b: c\n", "my.yaml:1: not valid YAML: mapping values are not allowed in this context"),
        ("a: [1, 2\nb: 3\n", "my.yaml:2: not valid YAML:"),
        ("a: '" + "\n" * 9, "not valid YAML: found unexpected end of stream"),
        ("a: 1\nb: '\x07'\n", r"my.yaml:2: control character '\x07'"),
        ("- 1\n", "my.yaml:1: it should be a mapping of names to values, not a list"),
        ("hello\n", "not the single value 'hello'"),
        ("", "my.yaml: empty; `roi init`"),
        ("# nothing\n---\n", "my.yaml: empty; `roi init`"),
    ],
)
def test_a_refusal_names_file_line_and_problem(text: str, message: str) -> None:
    assert message in refusal(text)


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    assert refusal(LAUGHS).startswith("my.yaml:1: anchor &a")


@pytest.mark.parametrize("opening", ["[", "{", "- ", "? ", "[{a: ", '{"a":'])
def test_deep_nesting_is_refused(opening: str) -> None:
    why = "a key is a name" if opening == "? " else "nest"
    assert why in refusal("a: " * (opening in "[{") + opening * (SIZE_LIMIT // len(opening)))


def test_nesting_up_to_the_limit_is_read() -> None:
    deep = "a: " + "[" * (DEPTH_LIMIT - 1) + "]" * (DEPTH_LIMIT - 1)
    assert "a" in parse_yaml(deep, "f")
    assert f"nested deeper than {DEPTH_LIMIT} levels" in refusal(deep.replace("[]", "[[]]"))


def test_what_is_no_text_file_is_refused(tmp_path: Path) -> None:
    def write(name: str, raw: bytes) -> Path:
        (tmp_path / name).write_bytes(raw)
        return tmp_path / name

    cases = {
        tmp_path: "a directory; give a file",
        tmp_path / "missing.yaml": "missing.yaml: cannot be read: No such file or directory",
        tmp_path / ("n" * 300): "cannot be read: File name too long",
        write("binary", b"a: 1\n\x00\x01"): "binary:2: a zero byte",
        write("latin1.yaml", "a: 1\nb: né\n".encode("latin-1")): "latin1.yaml:2: byte 0xe9 is not UTF-8 text",
        write("utf16.yaml", "a: 1".encode("utf-16")): "UTF-16, not UTF-8 text",
        write("cut.yaml", "a: é".encode()[:-1]): "cut.yaml:1: byte 0xc3 is not UTF-8 text",
        write("empty.yaml", b""): "empty.yaml: empty",
        write("long.yaml", b"#" * (SIZE_LIMIT + 1)): "2,097,153 bytes; a scenario has at most 2,097,152",
    }
    for path, message in cases.items():
        with pytest.raises(InputError, match=re.escape(message)):
            read_yaml(path)


def test_a_huge_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    """100 GB, sparse: reading it would take minutes."""
    huge = tmp_path / "huge.yaml"
    with huge.open("wb") as file:
        os.truncate(file.fileno(), 100 * 10**9)
    with pytest.raises(InputError, match="100,000,000,000 bytes"):
        read_yaml(huge)


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: two\r\n")
    assert read_yaml(path) == {"a": 1, "b": "two"}


@pytest.mark.full
@given(st.dictionaries(st.text() | tricky, nested, max_size=5).filter(bool))
def test_what_is_written_is_read_back(data: dict[str, object]) -> None:
    """NaN-free equality is not enough: True == 1 == 1.0, so types are compared through repr."""
    assert repr(parse_yaml(dump_yaml(data), "f")) == repr(data)


def test_a_value_used_twice_is_written_twice() -> None:
    shared = {"low": 1}
    assert dump_yaml({"a": shared, "b": shared}) == "a:\n  low: 1\nb:\n  low: 1\n"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_are_not_written(value: float) -> None:
    with pytest.raises(ValueError, match="has no place in a scenario"):
        dump_yaml({"a": value})


def test_a_file_that_is_not_there_names_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "tickets.yaml").write_text("title: x\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"tickts\.yaml: cannot be read: .*; nearest: .*tickets\.yaml"):
        read_yaml(tmp_path / "tickts.yaml")


@pytest.mark.parametrize(("asked", "near"), [
    ("tick.yaml", "tickets.yaml"), ("tickets.yml", "tickets.yaml"), ("tickets", "tickets.yaml"), ("exprot.csv", "export.csv"),
    ("nofile.yaml", None), ("cases.yaml", None), ("tickers.csv", None), ("a.yaml", None), ("tickts.yam", "tickets.yaml"),
    ("export.cvs", "export.csv"), ("config.json", None), ("alone.yaml", "runs/alone.yaml"), ("rnus/other.csv", "runs"),
    ("rnus/alone.yaml", "runs/alone.yaml"), ("rnus/alon.yaml", "runs/alone.yaml"), ("myy.yaml", "my.yaml"),
    ("m.yaml", "my.yaml"), ("mx.yaml", "my.yaml"), ("ky.yaml", None),
])
def test_a_file_is_the_nearest_only_where_the_names_are_alike(tmp_path: Path, asked: str, near: str | None) -> None:
    (tmp_path / "runs").mkdir()
    for name in ("tickets.yaml", "batch.yaml", "my.yaml", "export.csv", "runs/alone.yaml", "of.json"):
        (tmp_path / name).write_text("title: x\n", encoding="utf-8")
    lost = f"; no folder {tmp_path / 'rnus'}" if asked.startswith("rnus/") else ""
    assert nearest_file(tmp_path / asked) == lost + ("" if near is None else f"; nearest: {tmp_path / near}")


@pytest.mark.parametrize(("asked", "known", "near"), [
    ("ba-c", {"ab-c", "bac-", "b-ac", "cab-"}, ["ab-c", "b-ac", "bac-"]),  # the same letters: in the alphabet's order
    ("mode", {"mode-2", "mode-3", "mode-1"}, ["mode-1", "mode-2", "mode-3"]),  # but for a version the same: in that order too
    ("GPT", {"gpt", "Gpt"}, ["gpt"]),
])
def test_what_is_nearest_does_not_depend_on_the_order_of_what_is_known(asked: str, known: set[str], near: list[str]) -> None:
    """Known names may come as a set, whose order is another in every process."""
    assert [nearest(asked, every) for every in permutations(known)] == [near] * factorial(len(known))


def test_a_folder_that_is_not_there_and_like_none_is_named(tmp_path: Path) -> None:
    assert nearest_file(tmp_path / "xyz" / "a.yaml") == f"; no folder {tmp_path / 'xyz'}"


@pytest.mark.parametrize(("text", "said"), [
    ("[a", "not valid YAML: did not find expected ',' or ']'; write --set 'x.y=[a]'"),
    ("[{a: 1}, {b: [2", "; write --set 'x.y=[{a: 1}, {b: [2]}]'"),
    ("{value: 1, low: 2", "; write --set 'x.y={value: 1, low: 2}'"),
    ("'gpt", "; write --set \"x.y='gpt'\""),
    ('"gpt', "; write --set 'x.y=\"gpt\"'"),
    ("@a", "; write --set \"x.y='@a'\""),
    ("*a", "alias *a; write the value out instead; write --set \"x.y='*a'\""),
    ("[a]]", "not valid YAML: did not find expected key; a list is [a, b], a block {value: 9, low: 6}"),
    ("[{a: [1}]", "; a list is [a, b], a block {value: 9, low: 6}"),
    ("[.inf]", "x.y[0]: .inf is not a finite number"),
    ("{a: 1, a: 2}", "x.y.a: given twice, first in line 1"),
])
def test_a_value_of_set_that_is_no_yaml_is_told_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        set_value(text, "x.y")
    shown = f"--set: {f'x.y={text}'!r} is not usable; "
    assert str(raised.value).startswith(shown)
    assert str(raised.value).endswith(said)
    assert str(raised.value).count("write --set") <= 1
