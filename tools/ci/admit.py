"""May this run use the GPU runner, and against which commit is it compared? The first job of the reusable workflow, on a hosted runner.

Whoever can write to the repository is trusted. Anybody else's code needs an environment with required reviewers: one that is merely
named would be made by GitHub on the spot, without protection, and the code would run. So its rules are asked for here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mpcheck._text import say, whole
from tools.ci.github import Api, ApiError, event, fail, job, part, required

TRUSTED, FORK = "trusted", "fork"
WRITERS = ("push", "schedule", "workflow_dispatch", "merge_group")
"""Events that only those who can write to the repository cause."""
COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
COPIED = re.compile(r"refs/heads/pull-request/[0-9]+")
"""Branches that copy-pr-bot makes of a pull request once a maintainer has vetted its code."""


class RefusedError(Exception):
    """Why a run may not use the runner, and what to do about it, in one line."""


def trust_of(name: str, payload: Mapping[str, Any], repository: str, ref: str) -> str:
    """Whose code it is: ``trusted`` or ``fork``.

    Raises:
        RefusedError: an event that runs somebody's code with the repository's rights, or one that nobody needs here.
    """
    if name in WRITERS:
        return FORK if COPIED.fullmatch(ref) else TRUSTED
    if name != "pull_request":
        wanted = ", ".join(("pull_request", *WRITERS))
        raise RefusedError(f"the gate does not run on the event {name}; call it on one of {wanted}")
    pull = payload["pull_request"]
    home = (pull["head"].get("repo") or {}).get("full_name")  # no repository where the fork was deleted
    # Dependabot's branch is ours, its code is a release that somebody else made minutes ago.
    return TRUSTED if home == repository and pull["user"]["login"] != "dependabot[bot]" else FORK


def protected(api: Api, repository: str, environment: str) -> None:
    """Whether somebody must approve before a job of this environment starts.

    Raises:
        RefusedError: not there, without reviewers, or not to be read.
    """
    make = "make it under Settings, Environments, with required reviewers (SECURITY.md)"
    if not environment:
        raise RefusedError(f"code from outside needs an environment with required reviewers, and input environment is empty; {make}")
    try:
        found = api.get(f"/repos/{repository}/environments/{part(environment)}")
    except ApiError as error:
        if error.status == 404:
            raise RefusedError(f"environment {environment} does not exist, and GitHub would make it without protection; {make}") from error
        grant = "; the calling job must grant `actions: read`" if error.status in (401, 403) else ""
        raise RefusedError(f"the rules of environment {environment} cannot be read: {error}{grant}") from error
    rules = found.get("protection_rules") or []
    if not any(rule.get("type") == "required_reviewers" and rule.get("reviewers") for rule in rules):
        raise RefusedError(f"environment {environment} has no required reviewers, so code from outside would start at once; {make}")


def admitted(api: Api, name: str, payload: Mapping[str, Any], repository: str, ref: str, environment: str) -> tuple[str, str]:
    """Trust, and the environment that the job must pass through; empty where none is needed.

    Raises:
        RefusedError: see :func:`trust_of` and :func:`protected`.
    """
    trust = trust_of(name, payload, repository, ref)
    if trust == TRUSTED or COPIED.fullmatch(ref):
        return trust, ""
    protected(api, repository, environment)
    return trust, environment


def base_of(api: Api, name: str, payload: Mapping[str, Any], repository: str, head: str, asked: str) -> str:
    """The commit that the head is compared with; empty for none.

    A pull request's merge is compared with the base branch as it was merged into; a push with what was there before; a copied pull request
    and anything else with where it left the default branch.

    Args:
        head: the commit that runs; of a pull request, the one that merges it into its base.
        asked: a commit, branch or tag; ``none``; empty: what the event names.

    Raises:
        RefusedError: a commit that the repository does not have.
    """
    if asked == "none":
        return ""
    if asked:
        try:
            return str(api.get(f"/repos/{repository}/commits/{part(asked)}")["sha"])
        except ApiError as error:
            raise RefusedError(f"input base: {asked} is no commit of {repository} ({error})") from error
    if name == "pull_request":  # the event's own base.sha stays behind when the base branch moves on
        return str(api.get(f"/repos/{repository}/git/commits/{head}")["parents"][0]["sha"])
    if name == "merge_group":
        return str(payload["merge_group"]["base_sha"])
    before = str(payload.get("before") or "")
    copied = COPIED.fullmatch(str(payload.get("ref") or ""))
    if COMMIT.fullmatch(before) and before.strip("0") and not payload.get("forced") and not copied:
        return before
    default = api.get(f"/repos/{repository}")["default_branch"]
    found = str(api.get(f"/repos/{repository}/compare/{part(default)}...{head}")["merge_base_commit"]["sha"])
    return "" if found == head else found


def runner_of(text: str) -> None:
    """Check what ``runs-on`` will be.

    Raises:
        RefusedError: anything but a label, a list of labels, or an object of group and labels.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RefusedError(f'input runner is no JSON ({error}); write for instance ["self-hosted", "gpu"]') from error
    labels = value.get("labels", []) if isinstance(value, dict) and value.get("group") and not set(value) - {"group", "labels"} else value
    labels = [labels] if isinstance(labels, str) else labels
    if not isinstance(labels, list) or not all(isinstance(one, str) and one for one in labels) or not (labels or isinstance(value, dict)):
        raise RefusedError(f"input runner: a list of labels, or an object of group and labels expected, found {text}")


def main() -> None:
    """Decide, and hand the decision to the next job."""
    name, payload = required("GITHUB_EVENT_NAME"), event()
    repository, head, ref = required("GITHUB_REPOSITORY"), required("GITHUB_SHA"), required("GITHUB_REF")
    ours, commit = required("MPCHECK_ADMIT_REPOSITORY"), required("MPCHECK_ADMIT_COMMIT")
    api, asked = Api.of_job(), os.environ.get("MPCHECK_ADMIT_BASE", "").strip()
    try:
        runner_of(required("MPCHECK_ADMIT_RUNNER"))
        trust, environment = admitted(api, name, payload, repository, ref, os.environ.get("MPCHECK_ADMIT_ENVIRONMENT", ""))
        base = base_of(api, name, payload, repository, head, asked)
    except (RefusedError, ApiError) as error:
        fail(str(error))
    if not (REPOSITORY.fullmatch(ours) and COMMIT.fullmatch(commit) and (not base or COMMIT.fullmatch(base)) and whole(environment) == environment):
        fail(f"no repository, commit or environment: {ours!r}, {commit!r}, {base!r}, {environment!r}")
    decided = {"trust": trust, "environment": environment, "base": base or "none", "repository": ours, "commit": commit}
    with Path(required("GITHUB_OUTPUT")).open("a", encoding="utf-8") as stream:
        stream.writelines(f"{key}={value}\n" for key, value in decided.items())
    waits = f", after approval in environment {environment}" if environment else ""
    say(f"admitted as {trust}{waits}; compared with {base or 'nothing'}")


if __name__ == "__main__":
    job(main)
