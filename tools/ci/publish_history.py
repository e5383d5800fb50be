"""Append to the histories on branch ``history``, through GitHub's API: no checkout with credentials, no push of anything else."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path

from mpcheck._text import say
from tools.ci.github import Api, ApiError, fail, job, required

BRANCH = "history"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}/gate-history\.jsonl")


def histories(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Every device's history below a directory, by its name there."""
    for path in sorted(directory.glob("*/gate-history.jsonl")):
        name = path.relative_to(directory).as_posix()
        if path.is_symlink() or path.parent.is_symlink() or not path.is_file() or not NAME.fullmatch(name):
            fail(f"{name} is no history of a device")
        yield name, path.read_bytes()


def published(api: Api, repository: str) -> tuple[str, str, dict[str, bytes]]:
    """Commit and tree of the branch, and the histories in it; empty where there is no branch yet."""
    try:
        commit = str(api.get(f"/repos/{repository}/git/ref/heads/{BRANCH}")["object"]["sha"])
    except ApiError as error:
        if error.status == 404:
            return "", "", {}
        raise
    tree = str(api.get(f"/repos/{repository}/git/commits/{commit}")["tree"]["sha"])
    entries = api.get(f"/repos/{repository}/git/trees/{tree}", recursive=1)["tree"]
    blobs = {e["path"]: e["sha"] for e in entries if e["type"] == "blob" and NAME.fullmatch(e["path"])}
    return commit, tree, {n: base64.b64decode(api.get(f"/repos/{repository}/git/blobs/{s}")["content"]) for n, s in blobs.items()}


def publish(api: Api, repository: str, directory: Path, message: str) -> list[str]:
    """Commit histories that have grown; their names.

    Lines are only ever added: a history that does not begin with what is published ends the job, and so does a branch that moved on
    meanwhile, since the commit is then no descendant of it.
    """
    commit, tree, before = published(api, repository)
    changed = [(name, content) for name, content in histories(directory) if content != before.get(name)]
    for name, content in changed:
        if not content.startswith(before.get(name, b"")):
            fail(f"{name} does not begin with what is published on branch {BRANCH}; a history is only appended to")
    if not changed:
        return []
    files = [{"path": name, "mode": "100644", "type": "blob", "content": content.decode()} for name, content in changed]
    made = api.send("POST", f"/repos/{repository}/git/trees", {"tree": files} | ({"base_tree": tree} if tree else {}))["sha"]
    body = {"message": message, "tree": made, "parents": [commit] if commit else []}
    new = api.send("POST", f"/repos/{repository}/git/commits", body)["sha"]
    if commit:
        api.send("PATCH", f"/repos/{repository}/git/refs/heads/{BRANCH}", {"sha": new, "force": False})
    else:
        api.send("POST", f"/repos/{repository}/git/refs", {"ref": f"refs/heads/{BRANCH}", "sha": new})
    return [name for name, _ in changed]


def main() -> None:
    """Publish the histories that ``mpcheck history record`` has grown."""
    directory = Path(os.environ.get("MPCHECK_HISTORY") or BRANCH)
    try:
        names = publish(Api.of_job(), required("GITHUB_REPOSITORY"), directory, f"History of {required('GITHUB_SHA')[:12]}")
    except ApiError as error:
        fail(str(error))
    say(f"appended to {', '.join(names)}" if names else "nothing new")


if __name__ == "__main__":
    job(main)
