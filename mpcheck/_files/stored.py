"""What stored documents have in common: where figures come from, of which model, and when."""

from __future__ import annotations

import datetime

from pydantic import field_validator

from mpcheck._files.yaml import Strict


class Stamp(Strict):
    """Where figures come from. ``date`` is a time in ISO format with its offset, UTC as written here."""

    commit: str
    date: str

    @field_validator("date")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        try:
            aware = datetime.datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            aware = False
        if not aware:
            raise ValueError(f"{value!r} is not a time with an offset such as 2026-01-31T12:00:00+00:00")
        return value

    @property
    def time(self) -> datetime.datetime:
        """The date as a time with its offset."""
        return datetime.datetime.fromisoformat(self.date)


class Model(Strict):
    """The model that was measured."""

    name: str
    digest: str


def now() -> str:
    """The time in UTC, to the second, in ISO format."""
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0).isoformat()
