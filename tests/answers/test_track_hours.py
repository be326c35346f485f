"""An answer of /allocation by month: what its windows cover, and what of it is left out."""

import json
from datetime import date, timedelta

import pytest

from roi.answers.track_hours import opencost_months
from roi.errors import InputError


def sets(first, days, hours=24.0):
    """A set for each day from `first` on: two thirds of the hours used, a third idle, $2 an hour; no hour: an empty set."""
    found = []
    for k in range(days):
        start, end = (f"{date.fromisoformat(first) + timedelta(k + n)}T00:00:00Z" for n in (0, 1))
        found.append({} if not hours else {
            name: {"gpuHours": hours * part, "gpuCost": 2 * hours * part, "window": {"start": start, "end": end}}
            for name, part in (("llm", 2 / 3), ("__idle__", 1 / 3))})
    return found


def read(tmp_path, data):
    """Hours and USD by month, and the notes."""
    (tmp_path / "oc.json").write_text(json.dumps({"code": 200, "data": data}))
    notes = []
    found = opencost_months(tmp_path / "oc.json", notes)
    return {month: (pytest.approx(each.hours), pytest.approx(each.usd)) for month, each in found.items()}, notes


def test_a_month_that_is_not_covered_whole_is_left_out_and_said(tmp_path):
    """30 days of 24 hours and $48 in April; 3 of May. Taken as a month, these would be a tenth of its hours."""
    found, notes = read(tmp_path, sets("2027-04-01", 33))
    assert found == {"2027-04": (720, 1440)}
    assert notes == ["--opencost: covers 3 of 31 days of 2027-05, left out as it is not whole"]
    assert read(tmp_path, sets("2027-04-01", 30) * 2)[0] == {"2027-04": (1440, 2880)}  # two clusters cover no more days


def test_a_day_without_an_allocation_is_a_day(tmp_path):
    """Nothing ran on the 11th to 20th: an empty set for each; 20 x 24 hours. The same days without a set are missing."""
    some = sets("2027-04-01", 10), sets("2027-04-11", 10, 0.0), sets("2027-04-21", 10)
    assert read(tmp_path, [*some[0], *some[1], *some[2]]) == ({"2027-04": (480, 960)}, [])
    with pytest.raises(InputError, match=r"no month is covered whole: it covers 20 of 30 days of 2027-04; ask for the whole"):
        read(tmp_path, [*some[0], *some[2]])


def test_an_answer_that_was_cut_off_is_no_record_of_usage(tmp_path):
    (tmp_path / "oc.json").write_text(json.dumps({"code": 200, "data": sets("2027-04-01", 30)})[:2000])
    with pytest.raises(InputError, match=r"^--opencost: [^ ]+: cut off, not valid JSON: "):
        opencost_months(tmp_path / "oc.json", [])


def test_one_day_is_no_month(tmp_path):
    with pytest.raises(InputError, match=r"covers 1 of 30 days of 2027-04"):
        read(tmp_path, sets("2027-04-01", 1))
