"""Cases that are kept on disk: the same to the last bit, another one where anything that makes them differs, and no more."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quiet_scenario import QUIET

from roi.answers.compare import compare_file
from roi.facts.case import Case
from roi.facts.fact import Basis, Fact
from roi.store import cache_files, cases
from roi.store.cache_files import KeptFiles
from roi.store.cases import KeptCase, case_name, find_case, keep_case

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), NUMBERS, st.text(), st.lists(NUMBERS).map(tuple))
FACTS = st.builds(Fact, value=VALUES, unit=st.text(), basis=st.sampled_from(Basis), source=st.text(),
                  date=st.none() | st.dates())
THIRD = Fact(value=1.0 / 3.0, low=0.1, high=0.7, basis=Basis.STATED, source="me", date=date(2026, 1, 2))
KEPT = KeptCase(Case(facts={"a": THIRD}), {"title": "x"}, ("look",), "a note")


@pytest.mark.full
@given(st.dictionaries(st.text(), FACTS))
def test_a_kept_case_is_found_to_the_last_bit(tmp_path_factory: pytest.TempPathFactory, facts: dict[str, Fact]) -> None:
    folder, kept = tmp_path_factory.mktemp("cache") / "cases", KEPT._replace(case=Case(facts=facts))
    assert find_case(folder, "name") is None
    keep_case(folder, "name", kept)
    found = find_case(folder, "name")
    assert found == kept
    assert [type(fact.value) for fact in found.case.facts.values()] == [type(fact.value) for fact in facts.values()]
    assert list(found.case) == list(facts)


def test_a_damaged_file_is_passed_over(tmp_path: Path) -> None:
    """Each byte of it replaced, and the file cut off anywhere; another number that is valid JSON among them."""
    keep_case(tmp_path, "name", KEPT)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for k in range(len(whole)):
        for damaged in (whole[:k], whole[:k] + (b"1" if whole[k:k + 1] != b"1" else b"2") + whole[k + 1:]):
            path.write_bytes(damaged)
            assert find_case(tmp_path, "name") is None or whole[64:65] != damaged[64:65], damaged
    path.write_bytes(whole)
    assert find_case(tmp_path, "name") == KEPT


def test_whatever_a_case_is_made_of_is_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "prices_folder", lambda: tmp_path / "prices")
    monkeypatch.chdir(tmp_path)
    mine, part, profiles = tmp_path / "mine.yaml", tmp_path / "part.yaml", tmp_path / "measured"
    mine.write_text("draws: 0", encoding="utf-8")
    part.write_text("a", encoding="utf-8")
    profiles.mkdir()
    names = []

    def name(*files: Path | None, words: tuple[str, ...] = (), folders: tuple[Path, ...] = (profiles,)) -> None:
        names.append(case_name(files or (mine, part, None), words, folders))
        assert names[-1] == case_name(files or (mine, part, None), words, folders)

    name()
    name(None, part, None)
    name(mine, None, part)
    name(words=("draws=1",))
    name(words=("draws=1", "seed=1"))
    name(folders=())
    mine.write_text("draws: 1", encoding="utf-8")  # as long as before
    name()
    part.write_text("b", encoding="utf-8")
    name()
    (profiles / "any").mkdir()
    (profiles / "any" / "new.json").write_text("{}", encoding="utf-8")
    name()
    (tmp_path / "prices").mkdir()
    (tmp_path / "prices" / "rentals.csv").write_text("gpu", encoding="utf-8")
    name()
    (tmp_path / "profiles").mkdir()  # the folder's own, which is searched too
    (tmp_path / "profiles" / "one.served").write_text("{}", encoding="utf-8")
    name()
    own = tmp_path / "gpus.json"
    monkeypatch.setattr(cases, "gpus_file", lambda: own)
    name()
    own.write_text("{}", encoding="utf-8")
    name()
    own.write_text("[]", encoding="utf-8")
    name()
    monkeypatch.setattr(cases, "program", lambda: "another version")
    name()
    assert None not in names
    assert len(set(names)) == len(names)


def test_a_program_that_changed_after_it_was_imported_names_no_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook's kernel that runs on after an upgrade: every file of the program is younger than its import."""
    assert case_name((None,), (), ()) is not None
    monkeypatch.setattr(cache_files, "IMPORTED_AT", 0.0)
    assert case_name((None,), (), ()) is None


@pytest.mark.skipif(sys.platform == "win32", reason="has no such modes")
def test_nobody_else_may_read_what_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "cases"
    keep_case(folder, "name", KEPT)
    (path,) = folder.iterdir()
    path.chmod(0o644)
    path.write_text("damaged", encoding="utf-8")
    keep_case(folder, "name", KEPT)
    assert [each.stat().st_mode & 0o777 for each in (folder, path)] == [0o700, 0o600]


def test_what_cannot_be_told_apart_has_no_name(tmp_path: Path) -> None:
    loop, broken = tmp_path / "loop", tmp_path / "broken"
    for folder in (loop, broken):
        folder.mkdir()
    (loop / "again").symlink_to(loop)
    (loop / "once_more").symlink_to(loop)
    (broken / "gone.json").symlink_to(tmp_path / "nowhere")
    assert case_name((None,), (), (tmp_path / "absent",)) is None
    assert [case_name((None,), (), (folder,)) for folder in (loop, broken)] == [None, None]
    assert case_name((tmp_path,), (), ()) is None
    large = tmp_path / "large.yaml"
    large.write_bytes(b" " * (cases.MOST_GIVEN + 1))
    assert case_name((large,), (), ()) is None


@pytest.fixture
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small scenario in a file, and a cache folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    file = tmp_path / "quiet.yaml"
    file.write_text(json.dumps({"schema": "roi.scenario/1", **QUIET}), encoding="utf-8")
    return file


def test_a_kept_case_gives_the_same_answer_and_resolves_nothing(quiet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, anew = compare_file(quiet), compare_file(quiet, cache=False)
    monkeypatch.setattr("roi.answers.opening.open_case", lambda *_, **__: pytest.fail("resolved again"))
    again = compare_file(quiet)
    assert first == again == anew
    with pytest.raises(pytest.fail.Exception, match="resolved again"):
        compare_file(quiet, cache=False)
    with pytest.raises(pytest.fail.Exception, match="resolved again"):
        compare_file(quiet, draws=64)


@pytest.mark.full
def test_a_case_is_not_kept_where_something_was_left_out_or_changed_meanwhile(
    quiet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was said of a damaged profile is said again; a scenario that changes while it is resolved is another one."""
    from roi.answers import opening

    folder, told = tmp_path / "measured", []
    folder.mkdir()
    (folder / "damaged.json").write_text("{", encoding="utf-8")
    for _ in range(2):
        compare_file(quiet, profiles=(folder,), tell=told.append)
    assert len(told) == 2
    assert told[0] == told[1]
    kept = tmp_path / "cache" / "roi" / "cases"
    assert not kept.exists()
    resolve = opening.open_case

    def slowly(*given: object, **asked: object) -> object:
        quiet.write_text(quiet.read_text(encoding="utf-8").replace("0.004", "0.005") + " ", encoding="utf-8")
        return resolve(*given, **asked)  # type: ignore[arg-type]

    monkeypatch.setattr(opening, "open_case", slowly)
    compare_file(quiet)
    assert not kept.exists()


READS = """
import sys
from pathlib import Path
read = set()
def heard(event, given):
    if event == "open" and isinstance(given[0], str) and not (isinstance(given[1], str) and set(given[1]) & set("wxa+")):
        read.add(given[0])
sys.addaudithook(heard)
from roi.answers.compare import compare_file
compare_file(Path(sys.argv[1]))
import genai_prices, pydantic, roi, yaml
told = [str(Path(each.__file__).parent) for each in (roi, genai_prices, pydantic, yaml)] + sys.argv[1:]
CODE = (".py", ".pyc", ".so", ".pyd", ".dll", ".dylib")
told += [str(Path(roi.__file__).parents[1] / "profiles")]
left = [each for each in read if Path(each).is_file() and not each.startswith(tuple(told)) and not each.endswith(CODE)]
sys.stderr.write("\\n".join(sorted(left)))
"""


@pytest.mark.full
def test_resolving_reads_no_file_that_the_name_does_not_tell(quiet: Path, tmp_path: Path) -> None:
    """Every file that is opened while a scenario is resolved for the first time, modules apart."""
    command = [sys.executable, "-c", READS, str(quiet), str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert [line for line in done.stderr.splitlines() if "dist-info" not in line and not line.startswith("/dev/")] == []


def test_the_folder_stays_within_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 5 files where 4 may lie, the older half goes; one that is too large is not kept."""
    monkeypatch.setattr(cases, "MOST_FILES", 4)
    for k in range(5):
        keep_case(tmp_path, f"{k}", KEPT)
    assert len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr(cases, "MOST_BYTES", 100)
    keep_case(tmp_path, "large", KEPT)
    assert find_case(tmp_path, "large") is None


def test_the_size_of_a_file_is_its_bytes_with_the_line_of_its_digest(tmp_path: Path) -> None:
    """A digest of 64 letters and the end of its line, then 10 letters of two bytes each."""
    for most, kept in ((65 + 20, "\u00e9" * 10), (65 + 19, None)):
        files = KeptFiles(tmp_path / str(most), most, 4)
        files.keep("name", "\u00e9" * 10)
        assert files.text("name") == kept
        assert (tmp_path / str(most)).exists() == (kept is not None)


def test_a_fact_changed_in_one_place_is_another_fact() -> None:
    """Plain facts compare by value, as records did."""
    fact = KEPT.case["a"]
    assert replace(fact) == fact != fact.model_copy(update={"low": 0.2})
    assert fact.model_copy(update={"value": 9.0}).value == 9.0  # unchecked, as records are
    for wrong in ({"low": 0.5}, {"high": 0.2}, {"value": float("nan")}, {"value": "x"}, {"low": None}):
        with pytest.raises(ValueError, match=r"low|finite"):
            replace(fact, **wrong)
