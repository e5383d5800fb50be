"""The base of every dispatch mode here: sees each aten operation, also those inside TorchScript and of the backward pass."""

from __future__ import annotations

from torch.utils._python_dispatch import TorchDispatchMode


class DispatchMode(TorchDispatchMode):
    """A dispatch mode without the wrapper that keeps torch.compile out of it: nothing is compiled here, and every call pays."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch is untyped here

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False
