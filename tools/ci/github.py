"""GitHub's API, as far as our jobs need it. Standard library only: these jobs install nothing that they could be attacked through."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

PAGE, PAGES = 100, 30
MAX_BYTES = 64 << 20


class ApiError(Exception):
    """An answer other than success, in one line."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"GitHub answered {status} to {what}")
        self.status = status


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token along."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none."""


class Api:
    """Requests on behalf of one job.

    Args:
        token: of the job; sent to ``url`` and nowhere else.
        url: of the API, without a slash at its end.
    """

    def __init__(self, token: str, url: str) -> None:
        self._token, self._url = token, url.rstrip("/")
        self._open = urllib.request.build_opener(_NoRedirect).open

    @classmethod
    def of_job(cls) -> Api:
        """The API that the runner names, with the token that the step was given."""
        return cls(required("GITHUB_TOKEN"), os.environ.get("GITHUB_API_URL", "https://api.github.com"))

    def send(self, method: str, path: str, body: object = None, **query: str | int) -> Any:
        """One request; the parsed answer.

        Args:
            path: below the API's address; parts that come from data must be quoted with :func:`part`.

        Raises:
            ApiError: any status but 2xx, or no answer (status 0).
        """
        what = f"{method} {path}"
        request = urllib.request.Request(
            self._url + path + (f"?{urlencode(query)}" if query else ""),
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Accept": "application/vnd.github+json", "Authorization": f"Bearer {self._token}", "X-GitHub-Api-Version": "2022-11-28"},
        )
        try:
            with self._open(request, timeout=60) as answer:
                return json.loads(answer.read(MAX_BYTES) or b"null")
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, what) from error
        except (OSError, ValueError) as error:
            raise ApiError(0, f"{what} ({error})") from error

    def get(self, path: str, **query: str | int) -> Any:
        """One answer."""
        return self.send("GET", path, **query)

    def pages(self, path: str, **query: str | int) -> Iterator[Any]:
        """The items of a list, page by page."""
        for page in range(1, PAGES + 1):
            items = self.get(path, per_page=PAGE, page=page, **query)
            yield from items
            if len(items) < PAGE:
                return


def part(text: str) -> str:
    """Text as one part of a path."""
    return quote(text, safe="")


def required(name: str) -> str:
    """An environment variable that the job must have set."""
    value = os.environ.get(name, "")
    if not value:
        fail(f"{name} is not set; this runs as a job on GitHub, and nowhere else")
    return value


def event() -> dict[str, Any]:
    """The payload of the event that started the run, as GitHub wrote it."""
    return dict(json.loads(Path(required("GITHUB_EVENT_PATH")).read_text(encoding="utf-8")))


def command(kind: str, text: str) -> str:
    """A line that the runner turns into an annotation; nothing in ``text`` can begin another."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{kind} title=mpcheck::{escaped}"


def fail(text: str) -> NoReturn:
    """End the job with one line."""
    print(command("error", text))
    sys.exit(1)
