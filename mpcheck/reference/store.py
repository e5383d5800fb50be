"""The cache of references: safetensors with a JSON manifest each, atomic, verified on load, safe for several processes."""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import platformdirs
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mpcheck._errors import InputError
from mpcheck._io import atomic_path, digest, read_text, sha256_file, write_text
from mpcheck._json import parse
from mpcheck._locks import locked

SCHEMA = 2


def default_cache() -> Path:
    """``MPCHECK_CACHE_DIR``, or the platform's cache directory."""
    chosen = os.environ.get("MPCHECK_CACHE_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("mpcheck"))


class Damaged(Exception):  # noqa: N818 - a state of an entry, never an error that a user sees
    """An entry that cannot be trusted: truncated, altered, or of another schema. It is rebuilt."""


class Store:
    """Entries below ``ROOT/KEY/``: tensors in ``NAME.safetensors``, everything else and their checksum in ``NAME.json``."""

    def __init__(self, root: Path, key: str) -> None:
        self.root = root
        self.path = root / f"v{SCHEMA}" / key
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"cache directory {root} cannot be used: {error.strerror or error}; give another with --mp-cache DIR or MPCHECK_CACHE_DIR"
            ) from error

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
        """
        where, document = self._files(name)
        unique = {k: t.detach().to("cpu").contiguous().clone() for k, t in tensors.items()}
        with atomic_path(where) as temporary:
            try:
                save_file(unique, temporary)
            except (SafetensorError, OSError) as error:
                raise InputError(f"cannot write {where}: {error}; free some space or give another --mp-cache DIR") from error
            checksum = digest(sha256_file(temporary), json.dumps(manifest))
        write_text(document, json.dumps({"schema": SCHEMA, "sha256": checksum, **manifest}))  # arguments keep their order

    def load(self, name: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Read and verify an entry.

        Raises:
            Damaged: missing, truncated, altered, or of another schema.
        """
        where, document = self._files(name)
        try:
            manifest = parse(read_text(document, "manifest"))
            if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
                raise Damaged(f"{document}: another schema")
            rest = {k: v for k, v in manifest.items() if k not in ("schema", "sha256")}
            if digest(sha256_file(where), json.dumps(rest)) != manifest.get("sha256"):
                raise Damaged(f"{where}: the checksum in {document.name} does not match")
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
                    f"cache directory {self.root} cannot be written: {error.strerror or error}; give another with --mp-cache DIR or MPCHECK_CACHE_DIR"
                ) from error
            yield

    def fetch(self, name: str, build: Callable[[], None]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """An entry, built if it is missing and rebuilt, with a warning, if it is damaged. Sound entries need no write access."""
        if self.has(name):
            try:
                return self.load(name)
            except Damaged as damage:
                warnings.warn(f"cache entry is damaged and is rebuilt: {damage}", stacklevel=2)
        with self.lock(name):
            if self.has(name):
                try:
                    return self.load(name)  # another process built or mended it while this one waited
                except Damaged:
                    self._drop(name)
            build()
            try:
                return self.load(name)
            except Damaged as damage:
                raise InputError(f"cache entry cannot be read back: {damage}; check the disk or give another --mp-cache DIR") from damage

    def _drop(self, name: str) -> None:
        for path in reversed(self._files(name)):
            path.unlink(missing_ok=True)
