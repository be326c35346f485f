"""The script of the GitHub Action and of the GitLab job, in a repository of its own, against a server that plays the API."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from asked import ask

from ci import comment as script

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "tests" / "data" / "ci"
REPOSITORY = "Codertocat/Hello-World"


class Api:
    """The comments of one request, and what was asked."""

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.writes = True

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, object]:
        self.asked.append((method, path))
        if method == "GET":
            page = int(path.partition("page=")[2].partition("&page=")[2] or 1)
            return 200, self.comments[100 * (page - 1) : 100 * page]
        if not self.writes:
            return 403, {"message": "Resource not accessible by integration"}
        if method == "POST":
            who = {"login": "github-actions[bot]", "type": "Bot", "username": "project_1_bot_0a"}
            self.comments.append({"id": 100 + len(self.comments), "user": who, "author": who, **body})
            return 201, self.comments[-1]
        mine = next(each for each in self.comments if str(each["id"]) == path.rpartition("/")[2])
        mine.update(body)
        return 200, mine

    @property
    def written(self) -> list[str]:
        return [method for method, _ in self.asked if method != "GET"]


@pytest.fixture
def api() -> Iterator[tuple[Api, str]]:
    played = Api()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            code, found = played.answer(self.command, self.path, json.loads(self.rfile.read(length) or b"{}"))
            text = json.dumps(found).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: object) -> None:
            pass

    for method in ("GET", "POST", "PATCH", "PUT"):
        setattr(Handler, f"do_{method}", Handler.answer)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield played, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["/usr/bin/env", "git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with scenario and policy, the state that a pull request is compared with committed."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in ("roi.yaml", "policy.yaml"):
        (folder / name).write_bytes((FIXTURE / name).read_bytes())
    git(folder, "init", "--quiet", ".")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "The decision")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs in this process, where its packages are loaded already."""
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        done = ask(*arguments)
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    monkeypatch.setattr(script, "roi", run)


def github(checkout: Path, url: str, **more: str) -> dict[str, str]:
    """What GitHub sets: a recorded event, its base the first commit of the repository here."""
    event = json.loads((FIXTURE / "pull_request.json").read_text())
    event["pull_request"]["base"]["sha"] = git(checkout, "rev-list", "--max-parents=0", "HEAD")
    path = checkout.parent / "event.json"
    path.write_text(json.dumps(event))
    return {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(path),
            "GITHUB_API_URL": url, "GITHUB_REPOSITORY": REPOSITORY, "ROI_TOKEN": "t", "ROI_POLICY": "policy.yaml",
            "GITHUB_STEP_SUMMARY": str(checkout.parent / "summary.md"), **more}  # fmt: skip


def change(checkout: Path, old: str, new: str, name: str = "roi.yaml") -> None:
    path = checkout / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.full
@pytest.mark.usefixtures("here")
def test_nothing_is_posted_where_nothing_changed_and_one_comment_is_kept_up_to_date(
    checkout: Path, api: tuple[Api, str], capsys: pytest.CaptureFixture[str],
) -> None:
    played, url = api
    environment = github(checkout, url)
    assert script.main(environment) == 0
    assert played.written == []
    assert capsys.readouterr().out == "roi: nothing changed: nothing posted\n"

    change(checkout, "requests_per_day: 4000", "requests_per_day: 6000")
    assert script.main(environment) == 0
    assert played.written == ["POST"]
    body = played.comments[0]["body"]
    assert "requests a day: 4,000 -> 6,000" in body
    assert "rules hold" in body

    assert script.main(environment) == 0  # the same again: nothing to edit
    assert played.written == ["POST"]
    change(checkout, "requests_per_day: 6000", "requests_per_day: 7000")
    assert script.main(environment) == 0
    assert played.written == ["POST", "PATCH"]
    assert "requests a day: 4,000 -> 7,000" in played.comments[0]["body"]
    assert ("PATCH", f"/repos/{REPOSITORY}/issues/comments/100") in played.asked

    change(checkout, "requests_per_day: 7000", "requests_per_day: 4000")
    assert script.main(environment) == 0
    assert "Nothing changes in the decision." in played.comments[0]["body"]
    assert len(played.comments) == 1


@pytest.mark.usefixtures("here")
def test_a_broken_policy_fails_the_job_and_says_by_how_much(
    checkout: Path, api: tuple[Api, str], capsys: pytest.CaptureFixture[str],
) -> None:
    played, url = api
    change(checkout, "at_most: 300", "at_most: 5", "policy.yaml")
    assert script.main(github(checkout, url)) == 3
    assert "a rule does not hold any more" in capsys.readouterr().err
    assert "1 of 5 rules does not hold: cash a month: asked at most \\$5, found" in played.comments[0]["body"]


@pytest.mark.full
@pytest.mark.usefixtures("here")
def test_names_and_rates_are_left_out_unless_asked_for(checkout: Path, api: tuple[Api, str]) -> None:
    played, url = api
    change(checkout, "usd_per_hour: 77", "usd_per_hour: 88")
    script.main(github(checkout, url))
    body = played.comments[0]["body"]
    assert "cost of an engineer hour" in body
    assert not any(each in body for each in ("Example Corp", "gpt-6", "luna", "openai", "77/", "88/"))
    script.main(github(checkout, url, ROI_REDACT="false"))
    assert all(each in played.comments[0]["body"] for each in ("Example Corp", "gpt-6-luna", "\\$77/hour -> \\$88/hour"))


@pytest.mark.full
@pytest.mark.usefixtures("here")
def test_a_comment_of_a_person_with_the_same_mark_is_left_alone_and_later_pages_are_read(
    checkout: Path, api: tuple[Api, str],
) -> None:
    played, url = api
    change(checkout, "4000", "6000")
    script.main(github(checkout, url))
    mine = played.comments.pop()
    played.comments = [{"id": k, "user": {"login": "x", "type": "User"}, "body": mine["body"]} for k in range(100)]
    played.comments.append({**mine, "body": mine["body"] + " old"})
    script.main(github(checkout, url))
    assert played.comments[100]["body"] == mine["body"]
    assert played.written == ["POST", "PATCH"]


@pytest.mark.full
@pytest.mark.usefixtures("here")
def test_a_token_that_may_not_write_leaves_the_text_in_the_summary(
    checkout: Path, api: tuple[Api, str], capsys: pytest.CaptureFixture[str],
) -> None:
    played, url = api
    played.writes = False
    change(checkout, "4000", "6000")
    assert script.main(github(checkout, url)) == 0
    assert "may not comment here (HTTP 403)" in capsys.readouterr().out
    assert "4,000 -> 6,000" in (checkout.parent / "summary.md").read_text()
    assert script.main(github(checkout, url, ROI_TOKEN="")) == 0
    assert "no token" in capsys.readouterr().out


@pytest.mark.full
@pytest.mark.usefixtures("here")
def test_gitlab_has_notes_and_edits_them_by_put(checkout: Path, api: tuple[Api, str]) -> None:
    played, url = api
    environment = {
        "GITLAB_CI": "true", "CI_API_V4_URL": url, "CI_PROJECT_ID": "7", "CI_MERGE_REQUEST_IID": "3",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": git(checkout, "rev-parse", "HEAD"), "ROI_TOKEN": "t",
    }  # fmt: skip
    change(checkout, "4000", "6000")
    assert script.main(environment) == 0
    change(checkout, "6000", "7000")
    assert script.main(environment) == 0
    assert [(m, p) for m, p in played.asked if m != "GET"] == [
        ("POST", "/projects/7/merge_requests/3/notes"), ("PUT", "/projects/7/merge_requests/3/notes/100"),
    ]  # fmt: skip
    assert "4,000 -> 7,000" in (checkout / "roi.md").read_text()


@pytest.mark.parametrize(("more", "said"), [
    ({"GITHUB_EVENT_NAME": "pull_request_target"}, "event 'pull_request_target': this runs on pull_request alone"),
    ({"ROI_SCENARIO": "other.yaml"}, "ROI_SCENARIO: no file other.yaml"),
    ({"GITHUB_ACTIONS": ""}, "neither GitHub Actions nor GitLab CI"),
    ({"ROI_POLICY": "polcy.yaml"}, "nearest: policy.yaml"),
])  # fmt: skip
@pytest.mark.usefixtures("here")
def test_what_it_cannot_do_is_one_line_and_exit_code_2(
    checkout: Path, more: dict[str, str], said: str, capsys: pytest.CaptureFixture[str],
) -> None:
    assert script.main(github(checkout, "http://127.0.0.1:9", **more)) == 2
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_scenario_that_is_new_has_nothing_to_be_compared_with(checkout: Path, api: tuple[Api, str]) -> None:
    played, url = api
    (checkout / "new.yaml").write_text((checkout / "roi.yaml").read_text())
    assert script.main(github(checkout, url, ROI_SCENARIO="new.yaml")) == 0
    assert "The scenario is new" in played.comments[0]["body"]


@pytest.mark.full
def test_the_script_runs_as_the_action_runs_it(checkout: Path, api: tuple[Api, str]) -> None:
    played, url = api
    (checkout / "roi").mkdir()
    (checkout / "roi" / "__init__.py").write_text("raise SystemExit('a folder of the checkout was imported')")
    change(checkout, "at_most: 300", "at_most: 5", "policy.yaml")
    environment = {**github(checkout, url), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, str(ROOT / "ci" / "comment.py")], env=environment, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "roi: comment posted\n"), done.stderr
    assert played.written == ["POST"]


def test_the_action_hands_inputs_over_in_the_environment_and_the_workflow_uses_it_safely() -> None:
    """An input inside `run` would be a program of whoever writes it."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    steps = action["runs"]["steps"]
    assert action["runs"]["using"] == "composite"
    assert all("${{" not in step["run"] and step["shell"] == "bash" for step in steps if "run" in step)
    used = {value.split("inputs.")[1].split(" ")[0] for step in steps
            for part in (step.get("env", {}), step.get("with", {}), {"": step.get("working-directory", "")})
            for value in part.values() if "inputs." in value}  # fmt: skip
    assert used == set(action["inputs"])
    read = (ROOT / "ci" / "comment.py").read_text()
    assert all(name in read for name in steps[-1]["env"])
    workflow = yaml.safe_load((FIXTURE / "workflow.yml").read_text())
    assert list(workflow[True]) == ["pull_request"]  # YAML 1.1 reads `on` as true
    assert workflow["permissions"] == {"contents": "read", "pull-requests": "write"}
    given = workflow["jobs"]["roi"]["steps"][-1]["with"]
    assert set(given) <= set(action["inputs"])


def test_the_gitlab_job_runs_on_merge_requests_and_sets_what_the_script_reads() -> None:
    job = yaml.safe_load((ROOT / "ci" / "gitlab.yml").read_text())["roi"]
    assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}]
    read = (ROOT / "ci" / "comment.py").read_text()
    assert all(name in read for name in job["variables"] if name.startswith("ROI_") and name != "ROI_SOURCE")
    assert job["artifacts"]["paths"] == ["roi.md"]
