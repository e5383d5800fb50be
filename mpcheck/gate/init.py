"""``mpcheck init``: settings, a file for the CI system and a first baseline in somebody's repository."""

from __future__ import annotations

import json
import re
import shlex
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

from mpcheck import __version__
from mpcheck._errors import InputError
from mpcheck._files.git import answer, top_of
from mpcheck._files.io import cannot_write, is_file, write_text
from mpcheck._own import package_root
from mpcheck.gate.settings import FILE, GateSettings, read_settings
from mpcheck.gate.trees import Tree

CI = {
    "github": ("mpcheck.yml", ".github/workflows/mpcheck.yml"),
    "gitlab": ("gitlab-ci.yml", ".gitlab-ci.yml"),
    "slurm": ("mpcheck.sbatch", "mpcheck.sbatch"),
    "cron": ("mpcheck-cron.sh", "mpcheck-cron.sh"),
}
"""By CI system: the template, and the file that is made of it."""
HOSTED = "mpcheck-hosted.yml"
"""GitHub's where no GPU is asked for: complete in itself, on a machine of GitHub's; the other one calls a workflow of mpcheck's."""
BASELINES = "baselines"
INSTALL = "python -m pip install --no-deps --no-build-isolation -e ."
UNKNOWN = ("", "")
PIN = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})")
REASON = "first baseline"
MEASURED = (0, 2)
"""Exit statuses of a bench session that measured: without anything stored it judges nothing."""
REPEATS = 2
"""Runs of the precision session that a first baseline is made of, at several thread counts."""


@dataclass(frozen=True)
class Plan:
    """What is written.

    Attributes:
        directory: of the repository. files: their texts, by name below it. executable: those of them that are scripts.
        pin: repository and commit of mpcheck that the workflow calls; empty where none is called.
    """

    directory: Path
    files: dict[str, str]
    executable: tuple[str, ...]
    pin: tuple[str, str] | None

    def commands(self, baseline: bool) -> list[str]:
        """What the user types to commit it all; of a baseline's directory not what lies there hidden, such as locks."""
        stored = sorted((self.directory / BASELINES).glob("*/[!.]*")) if baseline else []
        names = [*self.files, *(path.relative_to(self.directory).as_posix() for path in stored)]
        return [shlex.join(["git", "add", *names]), shlex.join(["git", "commit", "-m", "Gate changes with mpcheck"])]


def template(name: str) -> str:
    """The text of a template of the package."""
    return (resources.files("mpcheck.gate.templates") / name).read_text(encoding="utf-8")


def filled(text: str, **values: str) -> str:
    """A template with its ``@NAME@`` filled in."""
    return re.sub(r"@([A-Z]+)@", lambda m: values.get(m[1], m[0]), text)


def pin() -> tuple[str, str]:
    """Repository (``OWNER/NAME``) and full commit of this mpcheck; :data:`UNKNOWN` where nothing tells them."""
    try:
        told = json.loads(metadata.distribution("mpcheck").read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        told = {}
    url, commit = str(told.get("url", "")), str(told.get("vcs_info", {}).get("commit_id", ""))
    here = Path(package_root())
    if not commit and (here / ".git").exists():
        url = answer("remote", "get-url", "origin", cwd=here)
        commit = answer("rev-parse", "HEAD", cwd=here)
    slug = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", url)
    if slug is None or not re.fullmatch(r"[0-9a-f]{40}", commit):
        return UNKNOWN
    return slug[1], commit


def chosen_pin(text: str) -> tuple[str, str]:
    """What the user gave, else what this mpcheck was installed from.

    Raises:
        InputError: no repository and commit.
    """
    if not text:
        return pin()
    match = PIN.fullmatch(text)
    if match is None:
        raise InputError(f"--pin {text}: give OWNER/REPOSITORY@COMMIT, with the commit's 40 digits")
    return match[1], match[2]


def plan(directory: Path, model: str, device: str, ci: str, install: str, baseline: bool, pinned: str = "") -> Plan:
    """What ``mpcheck init`` would write.

    Args:
        ci: one of :data:`CI`. install: command that installs the repository; empty for what its files suggest.
        pinned: repository and commit of mpcheck; empty for those it was installed from. baseline: whether a first baseline will be stored.

    Raises:
        InputError: no such directory or CI system; a workflow that calls mpcheck's, and nothing says which.
    """
    if not directory.is_dir():
        raise InputError(f"--dir {directory} is no directory; make it first")
    if ci not in CI:
        raise InputError(f"--ci {ci}: choose from {', '.join(CI)}")
    directory = directory.resolve()
    packaged = any((directory / name).is_file() for name in ("pyproject.toml", "setup.py"))
    pure = bool(Tree("head", "", directory, directory).packages)
    chosen = install or (INSTALL if packaged and not pure else "")
    repository, commit = chosen_pin(pinned)
    source, target = CI[ci]
    hosted = ci == "github" and device == "cpu"
    if ci == "github" and not hosted and not commit:
        raise InputError(
            "the workflow for a GPU runner calls mpcheck's own by repository and commit, and nothing says what this mpcheck was installed from; "
            "give --pin OWNER/REPOSITORY@COMMIT, or --device cpu for a hosted machine"
        )
    requirement = f"mpcheck @ git+https://github.com/{repository}@{commit}" if commit else f"mpcheck=={__version__}"
    values = {
        "MODEL": json.dumps(model), "DEVICE": json.dumps(device), "INSTALL": json.dumps(chosen), "REPOSITORY": repository, "COMMIT": commit,
        "BASELINES": json.dumps(BASELINES if baseline else ""), "REQUIREMENT": requirement,
    }  # fmt: skip
    source = HOSTED if hosted else source
    files = {FILE: filled(template("mpcheck.toml"), **values), target: filled(template(source), **values)}
    return Plan(directory, files, (target,) if ci in ("slurm", "cron") else (), (repository, commit) if ci == "github" and not hosted else None)


def write(made: Plan, force: bool) -> None:
    """Write the files of a plan, all or none.

    Args:
        force: overwrite those of them that are there.

    Raises:
        InputError: one is there already, which is named; the directory cannot be written.
    """
    present = [name for name in made.files if (made.directory / name).exists()]
    if present and not force:
        raise InputError(f"{made.directory / present[0]} is there already and stays as it is; remove it, or overwrite it with --force")
    for name, text in made.files.items():
        write_text(made.directory / name, text)
        if name in made.executable:
            try:
                (made.directory / name).chmod(0o755)
            except OSError as error:
                raise cannot_write(made.directory / name, error) from error


def refuse_stored(directory: Path) -> None:
    """Refuse to touch baselines.

    Raises:
        InputError: some are there.
    """
    stored = next((directory / BASELINES).glob("*/*.json"), None) if (directory / BASELINES).is_dir() else None
    if stored is not None:
        raise InputError(f"{stored} is there already; keep it with --no-baseline, or move it forward with `mpcheck baseline update`")


def store_baseline(directory: Path, settings: GateSettings, say: Callable[[str], None]) -> list[str]:
    """Run precision and bench on the chosen model and store what they found; what was stored, in words.

    Raises:
        InputError: bad input, or a run that is red: what is wrong today must not become what is allowed.
    """
    from mpcheck._progress import PROGRESS
    from mpcheck.formats import FORMATS, get_format
    from mpcheck.history.latency.baseline import bench_path, read_baseline, write_baseline
    from mpcheck.history.latency.history import append, entry_of, history_path
    from mpcheck.history.latency.update import merged
    from mpcheck.sessions import bench
    from mpcheck.sessions.launch import start
    from mpcheck.sessions.regenerate import baseline
    from mpcheck.sessions.run import Options, Session

    formats = tuple(get_format(name).name for name in settings.formats)
    options = Options(
        model=settings.model, systems=tuple(settings.systems), device=settings.device, formats=formats or tuple(FORMATS),
        backends=tuple(settings.backends) or Options().backends, blocks=tuple(settings.blocks), progress=PROGRESS,
    )  # fmt: skip
    say(f"rounding ratios of {settings.model} on {settings.device}, {REPEATS} runs")
    PROGRESS.begin(logged=True)
    try:
        lines = baseline(Session(options), directory / BASELINES, REASON, REPEATS)[-1:]
    finally:
        PROGRESS.begin(logged=False)
    say("latencies")
    with tempfile.TemporaryDirectory(prefix="mpcheck-init-") as records:
        asked = {
            "model": settings.model, "system": settings.systems, "device": settings.device, "backend": settings.backends,
            "format": settings.formats, "block": settings.blocks, "baselines": directory / BASELINES,
        }  # fmt: skip
        figures = Path(records) / "bench-figures.json"
        measured = read_baseline(figures) if start(bench.SESSION, asked, Path(records)) in MEASURED and is_file(figures) else None
    if measured is None:
        raise InputError("the latencies could not be measured; the reason is above")
    slug = measured.device.slug
    write_baseline(bench_path(directory / BASELINES, slug), merged(None, measured, [], REASON))
    append(history_path(directory / BASELINES, slug), entry_of(measured, "update", REASON))
    return [*lines, f"wrote {bench_path(directory / BASELINES, slug)}"]


def initialise(
    directory: Path, model: str, device: str, ci: str, install: str, baseline: bool, force: bool, say: Callable[[str], None],
    pinned: str = "", run: Callable[[Path], int] | None = None,
) -> int:  # fmt: skip
    """Everything that ``mpcheck init`` does; its exit status: 1 where the files are written but no baseline could be stored, else the gate's.

    Args:
        run: gates a directory once, by what was written; None where that is not wanted.

    Raises:
        InputError: bad input; nothing was written then.
    """
    from mpcheck.adapters.load import load_model
    from mpcheck.sessions.run import parse_device

    parse_device(device)
    made = plan(directory, model, device, ci, install, baseline, pinned)
    if baseline:
        refuse_stored(made.directory)
    inside = made.directory / model
    load_model(str(inside) if inside.is_file() else model)
    write(made, force)
    for name in made.files:
        say(f"wrote {made.directory / name}")
    stored = False
    if baseline:
        settings = read_settings(made.directory, None, {}, {})
        try:
            for line in store_baseline(made.directory, settings.model_copy(update={"model": str(inside) if inside.is_file() else model}), say):
                say(line)
            stored = True
        except InputError as error:
            say(f"no baseline was stored: {error}")
    came = 0
    if run is not None:
        say("the gate, once, as a job will run it")
        came = run(made.directory)
    say("now commit it:")
    if top_of(made.directory) is None:
        say(f"    {shlex.join(['git', '-C', str(made.directory), 'init'])}")
    for command in made.commands(stored):
        say(f"    {command}" if made.directory == Path.cwd() else f"    {command.replace('git ', f'git -C {shlex.quote(str(made.directory))} ', 1)}")
    return came if stored or not baseline else 1
