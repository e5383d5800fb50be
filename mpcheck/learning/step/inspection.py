"""The check: which steps of a run there are, and what one of them comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch

from mpcheck._files.io import digest
from mpcheck._names import REFERENCE_BACKEND, TRAINING_STEP
from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import WHOLE, module_blocks
from mpcheck.adapters.facts.mode_dependent import mode_dependent
from mpcheck.adapters.learning import taking
from mpcheck.adapters.learning.batch import labelled
from mpcheck.adapters.learning.taking import Settings, Taken
from mpcheck.adapters.upstream import default_dtype
from mpcheck.checks.physics.structure import rms
from mpcheck.checks.uses.asking import flags_of
from mpcheck.formats import FLOAT64
from mpcheck.judge.context import Context, Inspection, Key, timed
from mpcheck.judge.refusing import raised, refused
from mpcheck.judge.tolerances import limits_for
from mpcheck.learning.step import derivative
from mpcheck.learning.step.adam import GROUPS
from mpcheck.learning.step.judging import block_of, counted, found, judged, roundoff_of, turned, unmoved
from mpcheck.learning.step.names import AMP, GRADIENTS, OPTIMIZER, STORED, UPDATE
from mpcheck.learning.step.narrow import Autocast, copied, layers
from mpcheck.learning.step.parametrisation import KINDS, Names, in_kind, names_of
from mpcheck.learning.step.reference import DRAWS, ENTRY, ROUNDING, StepLibrary, StepReference
from mpcheck.learning.step.regimes import Regime, regime_of, regimes
from mpcheck.learning.step.replay import replayed
from mpcheck.learning.step.whole import GRADIENT, trained
from mpcheck.records.record import Record
from mpcheck.reference.packages import content
from mpcheck.reference.store import Store, default_cache
from mpcheck.sessions.run import Session

SUBJECT = "step"
"""Of what tells of a step as a whole: that it could not be taken."""

_libraries: WeakKeyDictionary[Session, dict[str, StepLibrary]] = WeakKeyDictionary()


def keys(context: Context) -> list[Key]:
    """A step for each system, backend and regime of the formats that were asked for."""
    chosen = regimes((), tuple(f.name for f in context.formats))
    return [
        Key(TRAINING_STEP, SUBJECT, b, r.format.name, system, r.kind) for system in context.systems for b in context.backend_names for r in chosen
    ]


@timed
def run(context: Context, key: Key) -> list[Record]:
    """Records of one step."""
    assert isinstance(context, Session)  # it knows where references are kept
    about = {"check": TRAINING_STEP, "backend": key.backend, "format": key.format, "system": key.system, "variant": key.variant}
    base = {**about, "subject": SUBJECT}
    backend = context.backend(key.backend)
    if isinstance(backend, Unsupported):
        return [refused(base, backend)]
    if (why := untrainable(context, backend)) is not None:
        return [refused(base, why)]
    library = library_of(context, key.system)
    regime = regime_of(key.variant, key.format)
    plain = library.plain()
    parameters = {n: p.detach() for n, p in trained(library.model).items()}
    names = names_of(backend, {kind: in_kind(kind, library.model, parameters, gradients=False) for kind in KINDS})
    if isinstance(names, Unsupported):
        return [refused(base, names)]
    if (why := impossible(backend, regime, library)) is not None:
        return [refused(base, why)]
    reference = library.of(regime, rearranged=backend.name != REFERENCE_BACKEND)
    if reference.peaks and max(reference.peaks.values()) > regime.format.largest:
        return [refused(base, Unsupported("out-of-range", f"range: values on the way reach {max(reference.peaks.values()):.3g}"))]
    taken = attempt(lambda: replayed(backend, regime, library.graph, library.settings_of(reference), reference, names))
    if isinstance(taken, Raised):
        return [_raised(base, taken, regime)]
    records = _judged(context, about, regime, backend, reference, names, taken)
    if regime.format is FLOAT64:
        records.append(_derivative(context, about, library, plain, backend, names, taken))
    return records


def untrainable(context: Context, backend: BackendModel) -> Unsupported | None:
    """Why upstream's trainer cannot take a step of the model; None where it can."""
    model = context.reference_backend.model
    if not flags_of(model, compute_force=True):
        return Unsupported("not-applicable", f"{type(model).__name__} has no energy with forces to be trained on")
    if lacking := [name for name in GROUPS[:4] if not hasattr(model, name)]:
        return Unsupported("not-applicable", f"upstream's trainer groups parameters by parts of a model, and this one has no {', '.join(lacking)}")
    if not trained(model):
        return Unsupported("no-gradient", "no parameter of the model wants a gradient")
    if random := mode_dependent(model):
        name, what = next(iter(random.items()))
        return Unsupported("not-applicable", f"the model has {name}: {what}")
    if backend.module(WHOLE) is None:
        return Unsupported("not-applicable", f"backend {backend.name} has no whole model")
    return None


def impossible(backend: BackendModel, regime: Regime, library: StepLibrary) -> Unsupported | None:
    """Why a regime cannot run on a backend, as far as it takes no step to know; None where nothing is known.

    torch.autocast around a whole model is tried: on a CPU it has no ``tensordot`` of two types, and cuEquivariance's contraction refuses them.
    """
    if regime.lowers and regime.kind != AMP and not layers(library.model):
        return Unsupported("not-applicable", "the model has no linear layer with parameters of its own")
    if regime.kind != AMP:
        return None
    model = backend.module(WHOLE)
    assert model is not None  # untrainable has asked
    made = copied(model, regime.wide)
    batch = labelled(library.graph, library.plain().labels, regime.wide, backend.device)
    with default_dtype(regime.wide):
        tried = attempt(lambda: Autocast(made, regime.format.storage, backend.device)(batch.to_dict(), training=True, compute_force=True))
    if isinstance(tried, Raised) and tried.of_torch:
        return Unsupported("known-limit", f"torch.autocast around the whole model raises {tried.text}")
    return None


def library_of(session: Session, system: str) -> StepLibrary:
    """The references of a session's model on a system, made once a process."""
    held = _libraries.setdefault(session, {})
    if system not in held:
        builder, graph = session.builder, session.graph(system)
        strained = all(bool(frame.pbc.all()) for frame in session.systems[system].frames)
        settings = Settings(strained=strained and "stress" in flags_asked(builder.model))
        spec = session.reference_spec(system)
        own = digest(content(Path(__file__).parent), content(Path(taking.__file__).parent))  # the code of this room
        spec = replace(spec, system=digest(spec.system, repr(settings), own), draws=DRAWS)
        session.judged_by[system] = (spec, ENTRY)
        store = Store(session.options.cache or default_cache(), spec.key, spec.code, not spec.pinned)
        on = {n: t.to(builder.device) for n, t in graph.items()}
        held[system] = StepLibrary(builder.model, on, settings, session.seed, store, lambda text: session.options.progress(f"{system}: {text}"))
    return held[system]


def flags_asked(model: torch.nn.Module) -> set[str]:
    """Which derivatives a model's forward takes, by name."""
    return {name.removeprefix("compute_") for name in flags_of(model, compute_force=True, compute_stress=True)}


def _raised(base: Mapping[str, Any], error: Raised, regime: Regime) -> Record:
    """What a step raised. torch's loss scaling refuses gradients that are themselves in float16, by a ValueError."""
    if regime.kind == STORED and regime.scaled and isinstance(error.error, ValueError):
        return refused(dict(base), Unsupported("no-operation", f"torch's loss scaling takes no parameters in float16: {error.line}"))
    return raised(dict(base), error)


def _judged(
    context: Session, about: Mapping[str, Any], regime: Regime, backend: BackendModel, reference: StepReference, names: Names, taken: Taken
) -> list[Record]:
    own = set(names.reference.values())
    expected = {n: v for name, v in reference.values.items() if name.startswith(GRADIENT) and (n := name.removeprefix(GRADIENT)) in own}
    by = found(taken, reference, names, expected)
    limits = limits_for(context.tolerances, TRAINING_STEP, backend.name, regime.format.name, "backward")
    blocks = [block.name for block in module_blocks(context.reference_backend.model)]
    records = []
    for record in judged(by, reference, regime, roundoff_of(regime, backend.name != REFERENCE_BACKEND), limits, blocks, about):
        note = backend.note(WHOLE, regime.base)
        if record.subject == GRADIENTS:
            note = ", ".join(filter(None, [note, f"{turned(by[GRADIENTS]):.2g}° off float64's gradient"]))
        if record.subject == UPDATE and regime.kind == STORED:
            note = ", ".join(filter(None, [note, f"{unmoved(taken, by[UPDATE]):.1%} of the weights that float64 moves stay where they are"]))
        record = record.model_copy(update={"note": note})
        if taken.skipped and record.subject in (OPTIMIZER, UPDATE):
            reason = f"the step was skipped: gradients are not finite at a loss scale of {reference.scale:g}, which leaves them in range"
            record = record.model_copy(update={"verdict": "fail", "reason": "; ".join(filter(None, [reason, record.reason]))})
        elif record.subject == OPTIMIZER and (odd := counted(taken)):
            reason = f"{odd[0]}: the optimiser counts {taken.steps[odd[0]]:g} steps"
            record = record.model_copy(update={"verdict": "fail", "reason": "; ".join(filter(None, [reason, record.reason]))})
        records.append(record)
    return records


def _derivative(
    context: Session, about: Mapping[str, Any], library: StepLibrary, plain: StepReference, backend: BackendModel, names: Names, taken: Taken
) -> Record:
    """The backend's own gradient against differences of its own loss; of the reference's backend block by block, of others in one direction."""
    model = backend.module(WHOLE)
    assert model is not None  # untrainable has asked
    own = copied(model, torch.float64)
    parameters = {n: p for n, p in own.named_parameters() if p.requires_grad and n in taken.gradients}
    blocks = [b.name for b in module_blocks(context.reference_backend.model) if b.kind != "step"]
    groups: dict[str, list[str]] = {}
    for name in parameters:
        groups.setdefault(_group(name, blocks) if backend.name == REFERENCE_BACKEND else "all parameters", []).append(name)
    noises = {n: FLOAT64.u * rms(plain.noise[f"{GRADIENT}{r}"].get(ROUNDING, torch.zeros(1))) for n, r in names.reference.items()}
    sigma = FLOAT64.u * rms(plain.noise["loss"].get(ROUNDING, torch.zeros(1)))
    at = derivative.losses(own, {n: t.to(backend.device) for n, t in library.graph.items()}, plain.labels, library.settings)
    return derivative.judged(at, derivative.directions(parameters, groups, context.seed), taken, noises, sigma, blocks, about)


def _group(parameter: str, blocks: list[str]) -> str:
    """The outermost block with a parameter, ``interactions.0``; the innermost where there is none but it."""
    holding = [b for b in blocks if f"{parameter}.".startswith(f"{b}.")]
    return min(holding, key=len, default=block_of(parameter, blocks) or parameter)


INSPECTION = Inspection(TRAINING_STEP, keys, run)
