"""One comment on a pull or merge request: what it changes in a decision, and whether a policy holds. Standard library alone.

    event --> base's scenario (git show) --roi diff---> what changed   --> the comment, posted once, then edited
                                         --roi check--> does it hold?  --> exit code 3 where it does not

Nothing changed: nothing is posted, and a comment that stands there already is brought up to date. Without a token that may
write (a fork's pull request) the text goes to the job's summary. It computes from the checkout and needs no secret.

Read from the environment: ROI_SCENARIO (roi.yaml), ROI_POLICY, ROI_SAVED, ROI_REDACT (true), ROI_COMMENT (true), ROI_TOKEN,
ROI_COMMENT_AS (whose comments are its own, where the token is a person's); and what GitHub or GitLab set.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

DONE, FAILED, BAD_INPUT, BROKEN = 0, 1, 2, 3
PAGE, MOST_PAGES = 100, 50
"""Comments of a page, and pages that are looked through for the one to edit."""
LONGEST = 60_000
"""Characters of a comment; GitHub takes 65,536."""
TIMEOUT_S = 30
NO_RIGHT = {401, 403, 404}
"""Answers to a token that may not write here."""


class StopError(Exception):
    """Something that the job's log should say in one line."""

    def __init__(self, message: str, code: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Place:
    """Where comments of this request stand, and how they are reached."""

    base: str
    """The commit that the request is compared with."""
    comments: str
    """URL of the list of comments, to which a new one is posted."""
    one: str
    """The beginning of the URL of one comment."""
    edit: str
    """The method that edits it."""
    headers: Mapping[str, str]
    login: str
    """Whose comments are the script's own besides those of bots; empty where nobody's."""


def main(environment: Mapping[str, str]) -> int:
    """The exit code, once the comment stands."""
    try:
        place = find_place(environment)
        scenario = Path(environment.get("ROI_SCENARIO") or "roi.yaml")
        changed, diff = what_changed(place.base, scenario, environment)
        held, check = does_it_hold(scenario, environment)
        marker = f"<!-- roi:{hashlib.sha256(scenario.as_posix().encode()).hexdigest()[:16]} -->"
        text = f"{marker}\n{check}\n\n{diff}" if check else f"{marker}\n{diff}"
        text = text if len(text) <= LONGEST else text[:LONGEST] + "\n\nCut here: the job's summary holds all of it."
        summarise(environment, text)
        if environment.get("ROI_COMMENT", "true").lower() != "false":
            print(f"roi: {comment(place, marker, text, post=changed or held != DONE)}")
    except StopError as stop:
        print(f"roi: {stop}", file=sys.stderr)
        return stop.code
    if held != DONE:
        print("roi: a rule does not hold any more: the comment and the job's summary say which", file=sys.stderr)
    return held


def find_place(environment: Mapping[str, str]) -> Place:
    """The request that the job runs for, by what GitHub or GitLab say."""
    token, login = environment.get("ROI_TOKEN", ""), environment.get("ROI_COMMENT_AS", "")
    if environment.get("GITHUB_ACTIONS") == "true":
        name = environment.get("GITHUB_EVENT_NAME", "")
        if name != "pull_request":  # pull_request_target would run a stranger's files with a token that may write
            raise StopError(f"event {name!r}: this runs on pull_request alone")
        event = json.loads(Path(environment["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
        api, repository = environment.get("GITHUB_API_URL", "https://api.github.com"), environment["GITHUB_REPOSITORY"]
        request = event["pull_request"]
        return Place(
            base=request["base"]["sha"], comments=f"{api}/repos/{repository}/issues/{int(request['number'])}/comments",
            one=f"{api}/repos/{repository}/issues/comments/", edit="PATCH",
            headers={"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"} if token else {}, login=login,
        )
    if environment.get("GITLAB_CI") == "true":
        if "CI_MERGE_REQUEST_IID" not in environment:
            raise StopError('no merge request: rules: - if: $CI_PIPELINE_SOURCE == "merge_request_event"')
        notes = (f"{environment['CI_API_V4_URL']}/projects/{environment['CI_PROJECT_ID']}"
                 f"/merge_requests/{environment['CI_MERGE_REQUEST_IID']}/notes")
        return Place(base=environment["CI_MERGE_REQUEST_DIFF_BASE_SHA"], comments=notes, one=f"{notes}/", edit="PUT",
                     headers={"PRIVATE-TOKEN": token} if token else {}, login=login)
    raise StopError("neither GitHub Actions nor GitLab CI: GITHUB_ACTIONS or GITLAB_CI should be true")


def what_changed(base: str, scenario: Path, environment: Mapping[str, str]) -> tuple[bool, str]:
    """Whether the request changes the decision, and how, in Markdown."""
    if not scenario.is_file():
        raise StopError(f"ROI_SCENARIO: no file {scenario}")
    before = base_version(base, scenario)
    if before is None:
        return True, "The scenario is new: there is nothing to compare it with."
    hide = redaction(environment)
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder) / f"base{scenario.suffix}"
        old.write_bytes(before)
        found = json.loads(run("diff", old, scenario, "--format", "json", *hide))
        if not found["changed"]:
            return False, "Nothing changes in the decision."
        return True, run("diff", old, scenario, "--format", "markdown", *hide).replace(f"{old}", "base")


def base_version(base: str, scenario: Path) -> bytes | None:
    """The scenario as it is in the commit `base`; None where it is not there."""
    git = ["git", "-c", f"safe.directory={Path.cwd()}"]
    if subprocess.run([*git, "cat-file", "-e", f"{base}^{{commit}}"], check=False, capture_output=True).returncode:
        fetched = subprocess.run([*git, "fetch", "--quiet", "--depth=1", "origin", base], check=False, capture_output=True)
        if fetched.returncode:
            raise StopError(f"commit {base[:12]} is not in the checkout and cannot be fetched; set fetch-depth: 0", FAILED)
    shown = subprocess.run([*git, "show", f"{base}:./{scenario.as_posix()}"], check=False, capture_output=True)
    return shown.stdout if shown.returncode == 0 else None


def does_it_hold(scenario: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """0 or 3, and the rules in Markdown; nothing where neither a policy nor a saved comparison is given."""
    policy, saved = (environment.get(name, "") for name in ("ROI_POLICY", "ROI_SAVED"))
    if not policy and not saved:
        return DONE, ""
    given = [*([policy] if policy else []), *(["--saved", saved] if saved else [])]
    done = roi("check", scenario, *given, "--format", "markdown", *redaction(environment))
    if done.returncode not in {DONE, BROKEN}:
        raise StopError(last_line(done.stderr), done.returncode)
    return done.returncode, done.stdout.strip()


def redaction(environment: Mapping[str, str]) -> list[str]:
    """--redact, unless the environment says false."""
    return [] if environment.get("ROI_REDACT", "true").lower() == "false" else ["--redact"]


def roi(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, run to its end; -P, so that a folder named roi in the checkout is not taken for it."""
    command = [sys.executable, "-P", "-m", "roi", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, encoding="utf-8")


def run(*arguments: str | Path) -> str:
    """What the command prints; StopError with its message where it fails."""
    done = roi(*arguments)
    if done.returncode:
        raise StopError(last_line(done.stderr), done.returncode)
    return done.stdout.strip()


def last_line(text: str) -> str:
    """The last line of a program's talk, without the program's name."""
    lines = text.strip().splitlines() or ["roi failed and said nothing"]
    return lines[-1].removeprefix("roi: ")


def summarise(environment: Mapping[str, str], text: str) -> None:
    """Put the text into GitHub's summary of the job, or into the artifact of GitLab's."""
    target = environment.get("GITHUB_STEP_SUMMARY") or ("roi.md" if environment.get("GITLAB_CI") == "true" else "")
    if target:
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def comment(place: Place, marker: str, text: str, *, post: bool) -> str:
    """Post the comment, or edit the one that stands there; what was done, in a line."""
    if not place.headers:
        return "no token: no comment, see the job's summary"
    try:
        mine = next((each for each in comments(place) if is_ours(each, marker, place.login)), None)
        if mine is None:
            if not post:
                return "nothing changed: nothing posted"
            ask(place, "POST", place.comments, {"body": text})
            return "comment posted"
        if mine["body"].replace("\r\n", "\n").strip() == text.strip():
            return "the comment says so already"
        ask(place, place.edit, f"{place.one}{int(mine['id'])}", {"body": text})
    except HTTPError as error:
        if error.code in NO_RIGHT:  # a fork's token reads and does not write
            return f"the token may not comment here (HTTP {error.code}): see the job's summary"
        raise StopError(f"{urlsplit(place.comments).hostname}: HTTP {error.code}", FAILED) from None
    except (URLError, TimeoutError) as error:
        raise StopError(f"{urlsplit(place.comments).hostname}: {getattr(error, 'reason', error)}", FAILED) from None
    return "comment edited"


def is_ours(each: Mapping[str, Any], marker: str, login: str) -> bool:
    """True where the comment begins with the marker, and a bot or `login` wrote it: anybody can copy a marker."""
    who = each.get("user") or each.get("author") or {}
    robot = who.get("type") == "Bot" or who.get("bot") is True or "_bot_" in str(who.get("username", ""))
    named = bool(login) and login in {who.get("login"), who.get("username")}
    return (robot or named) and str(each.get("body", "")).startswith(marker)


def comments(place: Place) -> Iterator[Mapping[str, Any]]:
    """The comments of the request, page by page."""
    for page in range(1, MOST_PAGES + 1):
        found = ask(place, "GET", f"{place.comments}?per_page={PAGE}&page={page}", None)
        yield from found
        if len(found) < PAGE:
            return


def ask(place: Place, method: str, url: str, body: Mapping[str, str] | None) -> Any:  # Any: plain JSON values
    """What the API answers."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data=data, method=method,  # noqa: S310 -- the address that GitHub or GitLab gave the job
                      headers={**place.headers, "Content-Type": "application/json", "User-Agent": "roi"})
    with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 -- the same
        return json.loads(answer.read() or b"null")


if __name__ == "__main__":
    sys.exit(main(os.environ))
