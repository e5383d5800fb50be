"""Post the gate's comment on the pull request, or bring the one that is there up to date.

Which pull request it is follows from the event that GitHub wrote, never from what the gate left.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mpcheck._text import say
from tools.ci.github import Api, ApiError, event, fail, job, required, tell

MARKER = "<!-- mpcheck gate -->"
AUTHOR = "github-actions[bot]"
MAX_CHARACTERS = 65_000  # GitHub takes 65,536
COPIED = re.compile(r"pull-request/([0-9]+)")
UNREADABLE = "## mpcheck: no verdict\n\nThe gate left no records that can be read. Its log says why.\n"
"""Where the records are missing or damaged: words of ours alone."""


def pull_request_of(api: Api, repository: str, run: Mapping[str, Any]) -> int | None:
    """The open pull request that a run was made for; None where there is none, or where its head has moved on since.

    Args:
        run: ``workflow_run`` of the event. Its own list of pull requests is empty for forks, so they are asked for by head.
    """
    branch, commit = str(run["head_branch"] or ""), str(run["head_sha"])
    copied = COPIED.fullmatch(branch)
    if run["event"] == "push" and copied:  # copy-pr-bot's branch; only writers can make one
        found = [api.get(f"/repos/{repository}/pulls/{copied[1]}")]
        return next((int(p["number"]) for p in found if p["state"] == "open" and p["head"]["sha"] == commit), None)
    home = run.get("head_repository") or {}
    if run["event"] != "pull_request" or not home:
        return None
    head = f"{home['owner']['login']}:{branch}"
    matches = [
        int(pull["number"])
        for pull in api.pages(f"/repos/{repository}/pulls", state="open", head=head)
        if pull["head"]["sha"] == commit and (pull["head"].get("repo") or {}).get("full_name") == home["full_name"]
    ]
    return min(matches, default=None)


def body_of(text: str, run: Mapping[str, Any]) -> str:
    """The comment: our mark, the text, the commit and the run that it is about."""
    tail = f"\n\n[Records, report and log]({run['html_url']}) of commit {run['head_sha']}.\n"
    room = MAX_CHARACTERS - len(MARKER) - len(tail)
    cut = "\n\nCut here; the rest is in the report.\n"
    return MARKER + "\n" + (text if len(text) < room else text[: room - len(cut) - 1].rpartition("\n")[0] + cut) + tail


def post(api: Api, repository: str, number: int, body: str) -> str:
    """Change our comment where there is one, else add it; what was done."""
    for comment in api.pages(f"/repos/{repository}/issues/{number}/comments"):
        if comment["user"]["login"] == AUTHOR and str(comment["body"]).startswith(MARKER):
            api.send("PATCH", f"/repos/{repository}/issues/comments/{int(comment['id'])}", {"body": body})
            return "updated"
    api.send("POST", f"/repos/{repository}/issues/{number}/comments", {"body": body})
    return "posted"


def main() -> None:
    """Post what ``mpcheck comment`` wrote."""
    run, repository, api = event()["workflow_run"], required("GITHUB_REPOSITORY"), Api.of_job()
    path = Path(os.environ.get("MPCHECK_COMMENT") or "comment.md")
    try:
        number = pull_request_of(api, repository, run)
        if number is None:
            tell("notice", f"no open pull request has {run['head_sha']} as its head; nothing is posted")
            return
        text = path.read_text(encoding="utf-8") if path.is_file() else UNREADABLE
        say(f"{post(api, repository, number, body_of(text, run))} on pull request {number}")
    except ApiError as error:
        fail(f"{error}; the job needs `pull-requests: write`" if error.status == 403 else str(error))


if __name__ == "__main__":
    job(main)
