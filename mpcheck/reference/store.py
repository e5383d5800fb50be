"""The cache of references: safetensors with a JSON manifest each, atomic, verified on load, safe for several processes."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mpcheck._errors import InputError
from mpcheck._files.documents import of_version, read_fields
from mpcheck._files.io import MAX_TEXT_BYTES, atomic_path, digest, sha256_file, write_text
from mpcheck._files.locks import locked, share
from mpcheck._files.stored import now
from mpcheck._text import whole
from mpcheck.reference.faults import NoReferenceError
from mpcheck.reference.layout import SCHEMA, USE, default_cache, place_of, touch

__all__ = ["SCHEMA", "Damaged", "Store", "default_cache", "place_of"]
REMEDY = "it is built anew"


class Damaged(Exception):  # noqa: N818 - a state of an entry, never an error that a user sees
    """An entry that cannot be trusted: truncated, altered, of another schema, or made by other code than its key says. It is rebuilt."""


class Store:
    """Entries below ``ROOT/KEY/``: tensors in ``NAME.safetensors``, everything else and their checksum in ``NAME.json``."""

    def __init__(self, root: Path, key: str, code: str = "", made_here: bool = True) -> None:
        """Args:
        code: digest of the code that makes the entries. made_here: whether this process is of that code; if not, it may only read.

        Raises:
            InputError: the directory cannot be used.
        """
        self.root = root
        self.code = code
        self.made_here = made_here
        self.path = place_of(root, key)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"cache directory {root} cannot be used: {error.strerror or error}; give another with --cache DIR or MPCHECK_CACHE_DIR"
            ) from error
        share(self.path / USE, self)

    def _files(self, name: str) -> tuple[Path, Path]:
        return self.path / f"{name}.safetensors", self.path / f"{name}.json"

    def has(self, name: str) -> bool:
        """Whether an entry is there (not whether it is sound)."""
        tensors, manifest = self._files(name)
        return tensors.is_file() and manifest.is_file()

    def save(self, name: str, tensors: Mapping[str, torch.Tensor], manifest: Mapping[str, Any]) -> None:
        """Write an entry; the manifest comes last, so that an entry with a manifest is complete.

        Raises:
            InputError: read-only or full directory.
            NoReferenceError: these are other code's.
        """
        self._refuse(name, "it was to be written")
        manifest = {"code": self.code, "made": now(), **manifest}
        where, document = self._files(name)
        unique = {k: t.detach().to("cpu").contiguous().clone() for k, t in tensors.items()}
        with atomic_path(where) as temporary:
            try:
                save_file(unique, temporary)
            except (SafetensorError, OSError) as error:
                raise InputError(f"cannot write {where}: {error}; free some space or give another with --cache DIR or MPCHECK_CACHE_DIR") from error
            checksum = digest(sha256_file(temporary), json.dumps(manifest))
        write_text(document, json.dumps({"schema": SCHEMA, "sha256": checksum, **manifest}))  # arguments keep their order

    def load(self, name: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Read and verify an entry.

        Raises:
            Damaged: missing, truncated, altered, or of another schema.
        """
        where, document = self._files(name)
        try:
            manifest = of_version(read_fields(document, "manifest", REMEDY, MAX_TEXT_BYTES), f"manifest {document}", SCHEMA, REMEDY, name="schema")
            if manifest.get("code") != self.code:
                raise Damaged(f"{document}: made by code {str(manifest.get('code'))[:12]}, and this is the place of code {self.code[:12]}")
            rest = {k: v for k, v in manifest.items() if k not in ("schema", "sha256")}
            if digest(sha256_file(where), json.dumps(rest)) != manifest.get("sha256"):
                raise Damaged(f"{where}: the checksum in {document.name} does not match")
            touch(where)
            return load_file(where), manifest
        except (InputError, OSError, ValueError, SafetensorError) as error:
            raise Damaged(f"{where}: {error}") from error

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """One process at a time builds an entry; the others wait for it.

        Raises:
            InputError: the directory is read-only, or another process builds it for longer than ``MPCHECK_LOCK_SECONDS``.
        """
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(self.path / f"{name}.lock", f"reference {name}"))
            except OSError as error:
                raise InputError(
                    f"cache directory {self.root} cannot be written: {error.strerror or error}; give another with --cache DIR or MPCHECK_CACHE_DIR"
                ) from error
            yield

    def fetch(self, name: str, build: Callable[[], None]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """An entry, built if it is missing and rebuilt, with a warning, if it is damaged. Sound entries need no write access.

        Raises:
            NoReferenceError: missing or damaged, and other code's, which only that can make.
        """
        if self.has(name):
            try:
                return self.load(name)
            except Damaged as damage:
                self._refuse(name, str(damage))
                warnings.warn(whole(f"cache entry is damaged and is rebuilt: {damage}"), stacklevel=2)
        self._refuse(name, "that code has not made it")
        with self.lock(name):
            if self.has(name):
                try:
                    return self.load(name)  # another process built or repaired it while this one waited
                except Damaged:
                    self.drop(name)
            build()
            try:
                return self.load(name)
            except Damaged as damage:
                raise InputError(
                    f"cache entry cannot be read back: {damage}; check the disk or give another with --cache DIR or MPCHECK_CACHE_DIR"
                ) from damage

    def _refuse(self, name: str, why: str) -> None:
        if not self.made_here:
            raise NoReferenceError(name, self.code, why)

    def drop(self, name: str) -> None:
        """Remove an entry."""
        for path in reversed(self._files(name)):
            path.unlink(missing_ok=True)
