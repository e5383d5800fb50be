"""What can be timed and chosen from: a policy on a backend, run as it is or in one of the ways that promise more speed; in words, and built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from mpcheck._errors import InputError
from mpcheck._names import REFERENCE_BACKEND
from mpcheck._raised import Raised, attempt_unless_refused
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import unsupported
from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.compiling import rebuilt
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.formats import FORMATS, TF32_NAME
from mpcheck.policy.rules import Policy, get_policy
from mpcheck.policy.running.applied import apply
from mpcheck.policy.speed.variants import PLAIN, VARIANTS, Variant, first_call, moved, varied
from mpcheck.sessions.run import Session

FORCES = {"compute_force": True}
"""What a call that is timed asks for: energy and forces, as a step of molecular dynamics does."""


@dataclass(frozen=True)
class Candidate:
    """One way to run a model, in words, so that a process of its own can build it.

    Attributes:
        policy: a built-in one's name, or a YAML file. backend: e3nn, cueq … variant: one of :data:`mpcheck.policy.speed.variants.VARIANTS`.
    """

    policy: str
    backend: str = REFERENCE_BACKEND
    variant: Variant = PLAIN

    @property
    def id(self) -> str:
        """``linear-bf16 e3nn +compile``."""
        return " ".join(filter(None, (self.policy, self.backend, self.variant and f"+{self.variant}")))


def parse_candidate(text: str) -> Candidate:
    """``float32``, ``float32 cueq``, ``float32+compile`` or ``float32 cueq +compile``.

    Raises:
        InputError: more words, or an unknown variant.
    """
    head, plus, last = text.rpartition("+")
    variant: Variant = next((v for v in VARIANTS if plus and v == last.strip()), PLAIN)
    words = (head if variant else text).split()
    if not 1 <= len(words) <= 2 or any(w.startswith("+") for w in words):
        known = ", ".join(f"+{v}" for v in VARIANTS if v)
        raise InputError(f"candidate {text!r}: give a policy, a backend and a variant, such as 'float32 cueq +compile'; variants are {known}")
    return Candidate(words[0], words[1] if len(words) == 2 else REFERENCE_BACKEND, variant)


@dataclass(frozen=True)
class Built:
    """A candidate's model with a structure.

    Attributes:
        model: called as upstream's; its parameters ask for no gradients. given: the structure, on the device.
    """

    model: torch.nn.Module
    device: torch.device
    given: Mapping[str, torch.Tensor] = field(repr=False)

    def call(self) -> dict[str, Any]:
        """Energy and forces; upstream's models write into what they are given."""
        out: dict[str, Any] = self.model({n: t.clone() for n, t in self.given.items()}, **FORCES)
        return out

    def first_call(self) -> None:
        """The call in which a variant compiles.

        Raises:
            UnsupportedError: it cannot run here; of the code ``raised`` where it should have.
        """
        first_call(self.model, self.given, FORCES)

    def elsewhere(self, graph: Mapping[str, torch.Tensor]) -> Built:
        """The same model with another structure."""
        return Built(self.model, self.device, moved(graph, self.model, self.device))


def emulated(policy: Policy, device: torch.device) -> str:
    """Why a policy has no time of its own on a device; empty where it has one."""
    arithmetic = policy.base if policy.base == TF32_NAME else "autocast" if policy.autocast else ""
    return f"{arithmetic} is emulated on a CPU: it has no latency of its own" if arithmetic and device.type == "cpu" else ""


def model_of(session: Session, candidate: Candidate) -> torch.nn.Module:
    """A candidate's model on the session's device, not called yet.

    Raises:
        UnsupportedError: the backend, the policy or the variant cannot be had here.
        InputError: unknown policy or backend.
    """
    policy = get_policy(candidate.policy)
    backend: Any = session.backend(candidate.backend)
    if isinstance(backend, Unsupported):
        raise UnsupportedError(backend)
    if why := unsupported(backend, WHOLE, FORMATS[policy.base]):
        raise UnsupportedError(why)
    source: torch.nn.Module = backend.model
    whole = candidate.variant == "compile" and candidate.backend == REFERENCE_BACKEND
    if whole:  # of another backend upstream compiles the model that it has
        anew = attempt_unless_refused(lambda: rebuilt(source))
        if isinstance(anew, Raised):
            raise UnsupportedError(Unsupported("raised", f"upstream's recipe for compilation raised {anew.text}")) from anew.error
        if isinstance(anew, Unsupported):
            raise UnsupportedError(anew)
        source = anew
    try:
        model = apply(source, policy, session.device, session.model.module)
    except InputError as error:
        raise UnsupportedError(Unsupported("not-applicable", str(error))) from error
    heads = session.model.heads
    return varied(model, candidate.variant, session.device, head=heads[0] if len(heads) > 1 else "", whole=whole)


def build(session: Session, candidate: Candidate, graph: Mapping[str, torch.Tensor]) -> Built:
    """A candidate's model, called once: what compiles has compiled.

    Args:
        graph: float64 on the CPU, see :func:`mpcheck.adapters.graph.make_graph`.

    Raises:
        UnsupportedError: it cannot run here; of the code ``raised`` where it should have.
        InputError: unknown policy or backend.
    """
    if why := emulated(get_policy(candidate.policy), session.device):
        raise UnsupportedError(why)
    model = model_of(session, candidate)
    made = Built(model, session.device, moved(graph, model, session.device))
    made.first_call()
    return made
