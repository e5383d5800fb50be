"""The jobs around the gate: who is admitted, which pull request is commented, what is appended, what is swept."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.unit.docs_reading import ROOT
from tools.ci import admit, post_comment, publish_history, sweep
from tools.ci.github import Api, ApiError, command

REPOSITORY, FORK = "lab/forces", "stranger/forces"
HEAD, BASE, OURS = "a" * 40, "b" * 40, "c" * 40
REVIEWED = {"protection_rules": [{"type": "wait_timer"}, {"type": "required_reviewers", "reviewers": [{"type": "User"}]}]}


class Fake(Api):
    """Answers by path; what was sent."""

    def __init__(self, **answers: Any) -> None:
        super().__init__("token", "https://api.example")
        self.answers, self.sent = answers, list[tuple[str, str, Any]]()

    def send(self, method: str, path: str, body: object = None, **query: str | int) -> Any:
        if method != "GET":
            self.sent.append((method, path, body))
            return {"sha": f"{len(self.sent):040x}"}
        known = path.removeprefix(f"/repos/{REPOSITORY}")
        if known not in self.answers:
            raise ApiError(404, f"GET {path}")
        answer = self.answers[known]
        if isinstance(answer, ApiError):
            raise answer
        return answer if query.get("page", 1) == 1 else []


def pull(home: str | None = FORK, author: str = "stranger") -> dict[str, Any]:
    return {"pull_request": {"head": {"repo": {"full_name": home} if home else None}, "user": {"login": author}}}


OUTSIDE = [pull(), pull(None), pull(REPOSITORY, "dependabot[bot]"), pull("LAB/forces2"), pull("lab/forces/")]


@pytest.mark.parametrize("payload", OUTSIDE)
def test_code_from_outside_waits_for_a_reviewer(payload: dict[str, Any]) -> None:
    api = Fake(**{"/environments/gpu": REVIEWED})
    assert admit.admitted(api, "pull_request", payload, REPOSITORY, "refs/pull/1/merge", "gpu") == ("fork", "gpu")


UNPROTECTED: list[tuple[str, object, str]] = [
    ("", None, "is empty"),
    ("gpu", None, "does not exist"),
    ("gpu", {"protection_rules": []}, "no required reviewers"),
    ("gpu", {}, "no required reviewers"),
    ("gpu", {"protection_rules": [{"type": "wait_timer"}]}, "no required reviewers"),
    ("gpu", {"protection_rules": [{"type": "required_reviewers", "reviewers": []}]}, "no required reviewers"),
    ("gpu", ApiError(403, "x"), "actions: read"),
    ("gpu", ApiError(0, "x"), "cannot be read"),
    ("gpu", ApiError(500, "x"), "cannot be read"),
]


@pytest.mark.parametrize(("environment", "answer", "told"), UNPROTECTED)
def test_without_protection_nobody_from_outside_is_admitted(environment: str, answer: object, told: str) -> None:
    api = Fake() if answer is None else Fake(**{"/environments/gpu": answer})
    with pytest.raises(admit.RefusedError, match=told):
        admit.admitted(api, "pull_request", pull(), REPOSITORY, "refs/pull/1/merge", environment)


@pytest.mark.parametrize("name", ["push", "schedule", "workflow_dispatch", "merge_group"])
def test_writers_need_no_environment(name: str) -> None:
    assert admit.admitted(Fake(), name, {}, REPOSITORY, "refs/heads/main", "") == ("trusted", "")
    assert admit.admitted(Fake(), "pull_request", pull(REPOSITORY), REPOSITORY, "refs/pull/1/merge", "") == ("trusted", "")


@pytest.mark.parametrize("name", ["pull_request_target", "workflow_run", "issue_comment", "pull_request_review", "label", ""])
def test_other_events_are_refused(name: str) -> None:
    with pytest.raises(admit.RefusedError, match="does not run on the event"):
        admit.admitted(Fake(**{"/environments/gpu": REVIEWED}), name, pull(REPOSITORY), REPOSITORY, "refs/heads/main", "gpu")


def test_a_copied_pull_request_passes_and_writes_no_cache() -> None:
    assert admit.admitted(Fake(), "push", {}, REPOSITORY, "refs/heads/pull-request/12", "") == ("fork", "")


def test_an_environment_of_any_name_is_asked_for_by_that_name() -> None:
    api = Fake(**{"/environments/gpu%2F..%2Fx": REVIEWED, "/environments/x": REVIEWED})
    assert admit.admitted(api, "pull_request", pull(), REPOSITORY, "r", "gpu/../x") == ("fork", "gpu/../x")


MERGE = {f"/git/commits/{HEAD}": {"parents": [{"sha": BASE}, {"sha": OURS}]}}
MAIN = {"": {"default_branch": "main"}, f"/compare/main...{HEAD}": {"merge_base_commit": {"sha": BASE}}}
BASES: list[tuple[str, dict[str, Any], str, dict[str, Any], str]] = [
    ("pull_request", {}, "", MERGE, BASE),
    ("merge_group", {"merge_group": {"base_sha": BASE}}, "", {}, BASE),
    ("push", {"before": BASE}, "", {}, BASE),
    ("push", {"before": "0" * 40}, "", MAIN, BASE),
    ("push", {"before": OURS, "forced": True}, "", MAIN, BASE),
    ("push", {"before": OURS, "ref": "refs/heads/pull-request/3"}, "", MAIN, BASE),
    ("schedule", {}, "", {"": {"default_branch": "main"}, f"/compare/main...{HEAD}": {"merge_base_commit": {"sha": HEAD}}}, ""),
    ("pull_request", {}, "none", {}, ""),
    ("pull_request", {}, "v1.0", {"/commits/v1.0": {"sha": OURS}}, OURS),
]


@pytest.mark.parametrize(("name", "payload", "asked", "answers", "expected"), BASES)
def test_base(name: str, payload: dict[str, Any], asked: str, answers: dict[str, Any], expected: str) -> None:
    assert admit.base_of(Fake(**answers), name, payload, REPOSITORY, HEAD, asked) == expected


def test_a_base_that_is_no_commit() -> None:
    with pytest.raises(admit.RefusedError, match=r"input base: nowhere is no commit of lab/forces"):
        admit.base_of(Fake(), "push", {}, REPOSITORY, HEAD, "nowhere")


@pytest.mark.parametrize("text", ['["self-hosted", "gpu"]', '"gpu"', '{"group": "gpu"}', '{"group": "gpu", "labels": "a"}'])
def test_runner(text: str, job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPCHECK_ADMIT_RUNNER", text)
    admit.main()
    assert job.read_text().startswith("trust=trusted\n")


@pytest.mark.parametrize("text", ["", "gpu", "[]", "[1]", '[""]', "{}", '{"labels": ["x"]}', '{"group": "g", "x": 1}', "3", "null"])
def test_no_runner(text: str) -> None:
    with pytest.raises(admit.RefusedError, match="input runner"):
        admit.runner_of(text)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job's environment; the file of its outputs."""
    (tmp_path / "event.json").write_text(json.dumps(pull(REPOSITORY)))
    (tmp_path / "output").touch()
    given = {
        "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": tmp_path / "event.json", "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_SHA": HEAD,
        "GITHUB_REF": "refs/pull/1/merge", "GITHUB_TOKEN": "t", "GITHUB_OUTPUT": tmp_path / "output", "MPCHECK_ADMIT_REPOSITORY": "org/mpcheck",
        "MPCHECK_ADMIT_COMMIT": OURS, "MPCHECK_ADMIT_RUNNER": '["gpu"]', "MPCHECK_ADMIT_ENVIRONMENT": "gpu", "MPCHECK_ADMIT_BASE": "",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(admit.Api, "of_job", lambda: Fake(**MERGE))
    return tmp_path / "output"


def test_the_decision_is_handed_on(job: Path) -> None:
    admit.main()
    assert job.read_text().splitlines() == ["trust=trusted", "environment=", f"base={BASE}", "repository=org/mpcheck", f"commit={OURS}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MPCHECK_ADMIT_COMMIT", "main"),
        ("MPCHECK_ADMIT_COMMIT", ""),
        ("MPCHECK_ADMIT_REPOSITORY", ""),
        ("MPCHECK_ADMIT_REPOSITORY", "x"),
        ("GITHUB_EVENT_NAME", "pull_request_target"),
        ("MPCHECK_ADMIT_RUNNER", "gpu"),
        ("MPCHECK_ADMIT_BASE", "nowhere"),
    ],
)
def test_a_refusal_is_one_line_and_hands_nothing_on(job: Path, monkeypatch: Any, capsys: Any, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stop:
        admit.main()
    told = capsys.readouterr().out
    assert stop.value.code == 1 and told.startswith("::error title=mpcheck::") and len(told.splitlines()) == 1
    assert not job.read_text()


def run_of(**changes: Any) -> dict[str, Any]:
    home = {"full_name": FORK, "owner": {"login": "stranger"}}
    return {"event": "pull_request", "head_branch": "fix", "head_sha": HEAD, "head_repository": home, "html_url": "https://github.com/x"} | changes


def open_pull(number: int, sha: str = HEAD, home: str = FORK) -> dict[str, Any]:
    return {"number": number, "state": "open", "head": {"sha": sha, "repo": {"full_name": home}}}


PULLS: list[tuple[dict[str, Any], dict[str, Any], int | None]] = [
    (run_of(), {"/pulls": [open_pull(7)]}, 7),
    (run_of(), {"/pulls": [open_pull(6, OURS), open_pull(7)]}, 7),
    (run_of(), {"/pulls": [open_pull(7, OURS)]}, None),  # pushed to since
    (run_of(), {"/pulls": [open_pull(7, home="stranger/other")]}, None),
    (run_of(), {"/pulls": [{"number": 7, "state": "open", "head": {"sha": HEAD, "repo": None}}]}, None),
    (run_of(head_repository=None), {"/pulls": [open_pull(7)]}, None),
    (run_of(event="push"), {"/pulls": [open_pull(7)]}, None),
    (run_of(event="push", head_branch="pull-request/7"), {"/pulls/7": open_pull(7)}, 7),
    (run_of(event="push", head_branch="pull-request/7"), {"/pulls/7": open_pull(7, OURS)}, None),
    (run_of(head_branch="pull-request/9"), {"/pulls": [], "/pulls/9": open_pull(9)}, None),  # a fork may name its branch so
]


@pytest.mark.parametrize(("run", "answers", "number"), PULLS)
def test_the_pull_request_follows_from_the_event(run: dict[str, Any], answers: dict[str, Any], number: int | None) -> None:
    assert post_comment.pull_request_of(Fake(**answers), REPOSITORY, run) == number


def comment_by(login: str, body: str) -> dict[str, Any]:
    return {"id": 5, "user": {"login": login}, "body": body}


@pytest.mark.parametrize(
    ("there", "method"),
    [
        ([], "POST"),
        ([comment_by("stranger", post_comment.MARKER)], "POST"),
        ([comment_by(post_comment.AUTHOR, "another bot " + post_comment.MARKER)], "POST"),
        ([comment_by("x", "y"), comment_by(post_comment.AUTHOR, post_comment.MARKER + "\nold")], "PATCH"),
    ],
)
def test_our_comment_is_brought_up_to_date(there: list[Any], method: str) -> None:
    api = Fake(**{"/issues/7/comments": there})
    post_comment.post(api, REPOSITORY, 7, "new")
    assert [(m, b) for m, _, b in api.sent] == [(method, {"body": "new"})]


def test_a_long_text_is_cut_at_a_line() -> None:
    body = post_comment.body_of("line\n" * 30_000, run_of())
    assert len(body) <= post_comment.MAX_CHARACTERS and "Cut here" in body and body.endswith(f"{HEAD}.\n")
    assert post_comment.body_of("short", run_of()).startswith(f"{post_comment.MARKER}\nshort\n")


def test_missing_records_are_told_by_our_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api = Fake(**{"/pulls": [open_pull(7)], "/issues/7/comments": []})
    (tmp_path / "event.json").write_text(json.dumps({"workflow_run": run_of()}))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
    monkeypatch.setenv("MPCHECK_COMMENT", str(tmp_path / "comment.md"))
    monkeypatch.setattr(post_comment.Api, "of_job", lambda: api)
    post_comment.main()
    assert post_comment.UNREADABLE in api.sent[0][2]["body"]


def history(directory: Path, text: str, device: str = "gpu-h100") -> Path:
    path = directory / device / "gate-history.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return directory


def branch(text: str) -> dict[str, Any]:
    return {
        "/git/ref/heads/history": {"object": {"sha": HEAD}}, f"/git/commits/{HEAD}": {"tree": {"sha": BASE}},
        f"/git/trees/{BASE}": {"tree": [{"path": p, "type": "blob", "sha": s} for p, s in (("gpu-h100/gate-history.jsonl", OURS), ("a", "x"))]},
        f"/git/blobs/{OURS}": {"content": base64.b64encode(text.encode()).decode()},
    }  # fmt: skip


def test_the_first_history_makes_the_branch(tmp_path: Path) -> None:
    api = Fake()
    assert publish_history.publish(api, REPOSITORY, history(tmp_path, "{}\n"), "m") == ["gpu-h100/gate-history.jsonl"]
    assert [path.rpartition("/git/")[2] for _, path, _ in api.sent] == ["trees", "commits", "refs"]
    assert api.sent[1][2]["parents"] == []


def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    api = Fake(**branch("one\n"))
    assert publish_history.publish(api, REPOSITORY, history(tmp_path, "one\ntwo\n"), "m") == ["gpu-h100/gate-history.jsonl"]
    tree, made, moved = (body for _, _, body in api.sent)
    assert tree["base_tree"] == BASE and tree["tree"][0]["content"] == "one\ntwo\n"
    assert made["parents"] == [HEAD] and moved["force"] is False


@pytest.mark.parametrize("text", ["two\n", "on", ""])
def test_nothing_published_is_taken_back(tmp_path: Path, text: str) -> None:
    api = Fake(**branch("one\n"))
    with pytest.raises(SystemExit):
        publish_history.publish(api, REPOSITORY, history(tmp_path, text), "m")
    assert not api.sent


def test_nothing_new_makes_no_commit(tmp_path: Path) -> None:
    api = Fake(**branch("one\n"))
    assert publish_history.publish(api, REPOSITORY, history(tmp_path, "one\n"), "m") == []
    assert not api.sent


def test_only_histories_of_devices_are_published(tmp_path: Path) -> None:
    history(tmp_path, "{}\n")
    (tmp_path / "gpu-h100/other.txt").write_text("x")
    assert [name for name, _ in publish_history.histories(tmp_path)] == ["gpu-h100/gate-history.jsonl"]
    history(tmp_path, "{}\n", "-bad name")
    with pytest.raises(SystemExit):
        list(publish_history.histories(tmp_path))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "dir/gpu").mkdir(parents=True)
    (tmp_path / "dir/gpu/gate-history.jsonl").symlink_to(tmp_path / "secret")
    with pytest.raises(SystemExit):
        list(publish_history.histories(tmp_path / "dir"))


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runner's directories after a job."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    for name in ("work/head/.git", "work/mpcheck", "temp/mpcheck/pip"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "work/link").symlink_to(tmp_path / "kept")
    names = {"GITHUB_ACTIONS": "true", "RUNNER_ENVIRONMENT": "self-hosted", "GITHUB_WORKSPACE": tmp_path / "work"}
    for name, value in names.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_sweep(left: Path) -> None:
    """Run as the job runs it, from a checkout that is removed itself."""
    mine = left / "work/mpcheck"
    shutil.copy(ROOT / "noxfile.py", mine)
    shutil.copytree(ROOT / "tools/ci", mine / "tools/ci")
    command = [sys.executable, "-m", "nox", "-f", "mpcheck/noxfile.py", "-s", "sweep"]
    done = subprocess.run(command, cwd=left / "work", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.relative_to(left / "work").as_posix() for path in (left / "work").rglob("*")] == ["mpcheck"]
    assert (left / "kept/file").exists()
    assert (left / "temp/mpcheck/pip").exists()  # the cache's own last step still reads it


def test_a_checkout_that_is_a_link_is_not_followed(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (left / "work/mpcheck").rmdir()
    (left / "work/mpcheck").symlink_to(left / "kept")
    monkeypatch.chdir(left / "work/mpcheck")
    sweep.main()
    assert (left / "kept/file").exists() and not list((left / "work").iterdir())


@pytest.mark.parametrize(("name", "value"), [("RUNNER_ENVIRONMENT", "github-hosted"), ("GITHUB_ACTIONS", "")])
def test_nothing_is_swept_elsewhere(left: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    sweep.main()
    assert (left / "work/head/.git").exists()


@pytest.fixture
def server() -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """An API that answers, redirects and fails; what it was asked, with which authorisation."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization")))
            self.send_response({"/moved": 302, "/no": 404}.get(self.path, 200))
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(b"not json" if self.path == "/text" else b'{"a": 1}')

        def log_message(self, *_: Any) -> None:
            """Silent."""

    made = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}", asked
    made.shutdown()
    made.server_close()


def test_api(server: tuple[str, list[tuple[str, str | None]]]) -> None:
    url, asked = server
    api = Api("secret", url)
    assert api.get("/x", per_page=3) == {"a": 1}
    assert asked == [("/x?per_page=3", "Bearer secret")]
    for path, status in (("/no", 404), ("/moved", 302), ("/text", 0)):
        with pytest.raises(ApiError, match=f"GitHub answered {status} to GET {path}"):
            api.get(path)
    assert "/elsewhere" not in [path for path, _ in asked]


def test_an_annotation_cannot_hold_another() -> None:
    assert command("error", "a\n::set-output name=x::y%") == "::error title=mpcheck::a%0A::set-output name=x::y%25"


def test_the_nightly_history_takes_records_as_untrusted() -> None:
    """They are artifacts of a job that ran somebody's code, read by one that may write."""
    body = (ROOT / "noxfile.py").read_text(encoding="utf-8").partition("def record(")[2].partition("@nox.session")[0]
    assert '"history", "record"' in body and '"--untrusted"' in body
