"""GitHub's API, as far as our jobs need it. Standard library only: these jobs install nothing that they could be attacked through.

What they print goes through `mpcheck._text`, which needs nothing else either: they hold a token, and texts come from anybody.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

from mpcheck import _text
from mpcheck._text import put, say_lines

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


def command(kind: str, text: object) -> str:
    """A line that the runner turns into an annotation; nothing in ``text`` can begin another."""
    return _text.command(kind, text, title="mpcheck")


def tell(kind: str, text: object) -> None:
    """Print such a line."""
    put(command(kind, text))


def fail(text: object) -> NoReturn:
    """End the job with one line."""
    tell("error", text)
    sys.exit(1)


def job(main: Callable[[], None]) -> None:
    """Run a job's main function. What goes wrong in a way that nobody thought of is told, too, and obeyed by no runner.

    Python's own traceback would repeat texts from the event or from GitHub's answers as they are.
    """
    try:
        main()
    except Exception as error:
        say_lines(traceback.format_exc(), error=True)
        fail(f"{type(error).__name__}: {error}")
