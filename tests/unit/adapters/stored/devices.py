"""Files as they are saved on a device that this machine has not: where a storage was is a word in the pickle."""

from __future__ import annotations

import io
import pickletools
import struct
import zipfile

ZIP = "PK\x03\x04"


def saved_on(device: str, content: bytes) -> bytes:
    """A file of torch's with every storage on another device, those of TorchScript inside the pickle as well."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as new:
        for entry in old.infolist():
            data = old.read(entry)
            new.writestr(entry.filename, _moved(device, data) if entry.filename.endswith(".pkl") else data)
    return made.getvalue()


def _moved(device: str, pickled: bytes) -> bytes:
    parts, operations = [], list(pickletools.genops(pickled))
    ends = [position for _, _, position in operations[1:]] + [len(pickled)]
    for (operation, text, start), end in zip(operations, ends, strict=True):
        parts.append(pickled[start:end])  # type: ignore[misc]  # only the first of a stream has no position
        if operation.name == "BINUNICODE" and text == "cpu":
            parts[-1] = _text(device)
        elif operation.name == "BINUNICODE" and str(text).startswith(ZIP):
            parts[-1] = _text(saved_on(device, str(text).encode("latin1")).decode("latin1"))
    return b"".join(parts)


def _text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data
