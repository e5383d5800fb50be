"""The process that makes float64 references of whole models: it loads the model by the user's words, and nothing else is ever done in it.

Reads requests and writes answers as launches of benchmarks do (:mod:`mpcheck.bench.launch.worker`); structures and results go through
files of named tensors.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck._raised import Raised, attempt
from mpcheck._text import say_lines
from mpcheck.bench.launch.worker import PROTOCOL

WORKER = ("-c", "import sys; sys.path = [p for p in sys.path if p]; from mpcheck.policy.judging.reference_worker import main; main()")


def evaluate(model: str, structures: str, words: list[dict[str, str]], groups: list[list[int]], noisy: list[int], out: str) -> dict[str, Any]:
    """Float64 values of structures, written to a file.

    Args:
        model: as the user names it. structures: file of tensors, see :func:`mpcheck.policy.judging.exchange.frames_out`, with their ``words``.
        groups: which structures are a batch. noisy: structures whose rounding noise is measured, too. out: file that is written.

    Returns:
        digest: of the model as it was loaded here.
    """
    from safetensors.torch import load_file, save_file

    from mpcheck.adapters.load import load_model
    from mpcheck.policy.judging.exchange import frames_in
    from mpcheck.policy.judging.reference import reference_tensors

    loaded = load_model(model)
    save_file(reference_tensors(loaded, frames_in(load_file(Path(structures)), words), groups, noisy), Path(out))
    return {"digest": loaded.digest}


def answer(line: str) -> dict[str, Any]:
    """One request's answer; what went wrong is an answer, too."""
    request = json.loads(line)
    command = request.pop("do", "")
    if command == "hello":
        return {"ok": {"protocol": PROTOCOL}}
    made = attempt(lambda: evaluate(**request))
    if not isinstance(made, Raised):
        return {"ok": made}
    if isinstance(made.error, InputError):
        return {"input_error": str(made.error)}
    say_lines("".join(traceback.format_exception(made.error)), error=True)
    return {"crash": made.text}


def main(_: Sequence[str] = ()) -> None:
    """Keep standard output for answers."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(answer(line)), file=answers, flush=True)


if __name__ == "__main__":
    main()
