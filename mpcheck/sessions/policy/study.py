"""What policies are judged by on one system: its structures, their float64 values, and what each block's roundings do to them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from mpcheck._errors import InputError
from mpcheck._names import REFERENCE_BACKEND
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import unsupported
from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.calculator import WITHOUT_ENERGY, model_type_of
from mpcheck.formats import F32, F64, FORMATS, TF32_NAME
from mpcheck.policy.judging.batches import batches
from mpcheck.policy.judging.probes import judged_sets
from mpcheck.policy.judging.reference import ENTRY, WholeReference, whole_reference
from mpcheck.policy.judging.structures import JUDGED, Sets
from mpcheck.policy.noise.calls import Calls
from mpcheck.policy.noise.kept import kept
from mpcheck.policy.noise.prediction import Prediction, emulated, joined
from mpcheck.policy.noise.sensitivity import Sensitivity
from mpcheck.policy.rules import Policy
from mpcheck.policy.running.applied import PolicyModel, apply
from mpcheck.reference.store import default_cache
from mpcheck.sessions.run import Session


class Study:
    """One system of a session. Everything is made at first use and shared by all policies and backends."""

    def __init__(self, session: Session, system: str) -> None:
        """Raises:
        InputError: a model without energies, which nothing could be judged by.
        """
        if (kind := model_type_of(session.model.module)) in WITHOUT_ENERGY:
            name = type(session.model.module).__name__
            raise InputError(f"model {session.model.name} is a {name} ({kind}): a policy is judged by energies and forces, and it has none")
        self.session, self.system = session, system
        self._copies: dict[str, list[Calls]] = {}
        self._plain: dict[tuple[str, str], PolicyModel] = {}

    @cached_property
    def sets(self) -> Sets:
        """Structures that policies are judged on."""
        session = self.session
        return judged_sets(session.systems[self.system].frames, session.model, session.options.seed)

    @cached_property
    def reference(self) -> WholeReference:
        """Their values in float64, from a process of its own.

        Raises:
            InputError: that process cannot load the model.
        """
        options = self.session.options
        found = whole_reference(self.session.model, self.sets, options.cache or default_cache(), self._said)
        if found.spec is not None:  # a gate reads off base's records whose references head is judged by
            self.session.judged_by[self.system] = (found.spec, ENTRY)
        return found

    @cached_property
    def calls(self) -> Calls:
        """The float64 model on the user's own structures."""
        return Calls(self.session.reference_backend.model, self.session.graph(self.system), device=self.session.reference_backend.device)

    @cached_property
    def sensitivity(self) -> Sensitivity:
        """Of the e3nn model. What rounds to float32 in another backend adds up alike; what rounds to 16 bits is emulated in that backend."""
        session = self.session
        spec = session.reference_spec(self.system)
        return kept(self.calls, spec, REFERENCE_BACKEND, session.options.cache or default_cache(), self._said)

    def predicted(self, policy: Policy, backend: str = REFERENCE_BACKEND) -> Prediction:
        """The error of a policy on a backend.

        Raises:
            InputError: a rule that names no block.
        """
        device = self.session.device.type
        return joined([emulated(calls, self.sensitivity, policy, device) for calls in self.copies(backend)])

    def copies(self, backend: str = REFERENCE_BACKEND) -> list[Calls]:
        """A backend's float64 model on the structures that errors are taken over, in batches, so that memory is bounded."""
        if backend not in self._copies:
            judged = set(self.sets.places(*JUDGED))
            graphs = [b.graph for b in batches(self.sets, self.session.model) if judged.issuperset(b.places)]
            built: Any = self.session.backend(backend)
            source = None if backend == REFERENCE_BACKEND else self.session.reference_backend.model
            self._copies = {backend: [Calls(built.model, graph, source, built.device) for graph in graphs]}  # one backend's at a time
        return self._copies[backend]

    def applied(self, policy: Policy, backend: str) -> PolicyModel | Unsupported:
        """A backend's model with a policy; why there is none.

        Raises:
            InputError: what cannot be applied, by name.
        """
        built: Any = self.session.backend(backend)
        if isinstance(built, Unsupported):
            return built
        if why := unsupported(built, WHOLE, FORMATS[policy.base]):
            return why
        return apply(built.model, policy, self.session.device, self.session.model.module)

    def plain(self, policy: Policy, backend: str) -> PolicyModel | None:
        """A backend's model in a policy's base, from which its results must differ, built once for all policies; None of a plain base.

        Raises:
            InputError: what cannot be applied, by name.
        """
        base = base_of(policy)
        if base is None:
            return None
        place = (backend, base.model_dump_json())
        if place not in self._plain and isinstance(made := self.applied(base, backend), PolicyModel):
            self._plain[place] = made
        return self._plain.get(place)

    def _said(self, text: str) -> None:
        self.session.options.progress(f"{self.system}: {text}")


def base_of(policy: Policy) -> Policy | None:
    """The policy without what makes it one: from it results must differ. None of a plain base."""
    if policy.rules or policy.autocast:
        return Policy(name=policy.base, base=policy.base, energies=policy.energies)
    return Policy(name=F32) if policy.base == TF32_NAME else Policy(name=F64, base=F64) if policy.base != F64 else None
