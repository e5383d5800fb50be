"""From what a user types to a float64 e3nn model with a digest of its content."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mpcheck._errors import InputError
from mpcheck._files.io import digest, is_file, sha256_file
from mpcheck._files.named import ARCHITECTURE, FOUNDATION, refuse_missing_model
from mpcheck._files.yaml import load_yaml, validate
from mpcheck.adapters.architecture import Architecture, build_model
from mpcheck.adapters.backends.parametrisation import takes_reduced
from mpcheck.adapters.facts.tables import make_tables_exact
from mpcheck.adapters.graph import model_elements
from mpcheck.adapters.inputs import model_inputs
from mpcheck.adapters.stored.adapters import merged
from mpcheck.adapters.stored.converted import to_e3nn
from mpcheck.adapters.stored.declared import check_declared
from mpcheck.adapters.stored.holders import model_within
from mpcheck.adapters.stored.unpickling import unpickled, upstream_loading
from mpcheck.adapters.stored.weights import check_finite, check_state, read_state
from mpcheck.adapters.upstream import mace
from mpcheck.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64
from mpcheck.systems.inputs import ModelInput

_DATA = resources.files("mpcheck") / "data" / "models"


@dataclass(frozen=True)
class LoadedModel:
    """A model in float64 on the CPU.

    Attributes:
        name: what the user typed.
        module: upstream's e3nn model.
        source: where the weights came from: file and sha256, recipe and seed.
        stored_dtype: dtype of the parameters as they were stored, before the cast to float64.
    """

    name: str
    module: torch.nn.Module
    source: dict[str, str] = field(default_factory=dict)
    stored_dtype: str = FLOAT64.name

    @property
    def elements(self) -> list[str]:
        """Chemical symbols in one-hot order."""
        return model_elements(self.module)

    @property
    def r_max(self) -> float:
        """Cut-off in Å."""
        r_max: Any = self.module.r_max
        return float(r_max)

    @property
    def heads(self) -> list[str]:
        """Names of the model's heads."""
        return list(getattr(self.module, "heads", None) or ["Default"])

    @cached_property
    def inputs(self) -> tuple[ModelInput, ...]:
        """What it takes of a structure besides atoms and cell."""
        return model_inputs(self.module)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the class tree and every parameter and buffer: equal content, equal digest."""
        parts: list[str | bytes] = []
        for name, module in self.module.named_modules():
            parts.append(f"{name}:{type(module).__module__}.{type(module).__qualname__}")
            for attribute in ("irreps_in", "irreps_out", "irreps_in1", "irreps_in2", "avg_num_neighbors", "correlation"):
                if hasattr(module, attribute):
                    parts.append(f"{attribute}={getattr(module, attribute)}")
        if not takes_reduced(self.module):  # two models can have the same tensors, and be converted otherwise
            parts.append("use_reduced_cg=False")
        for name, tensor in sorted(self.module.state_dict().items()):
            parts += [name, str(tensor.dtype), str(tuple(tensor.shape)), np.ascontiguousarray(tensor.numpy()).tobytes()]
        return digest(*parts)


def load_model(spec: str) -> LoadedModel:
    """Load what a user named.

    ``builtin:hco`` · ``recipe:canonical[:ELEMENTS]`` · ``recipe:odd`` · ``FILE.yaml`` (an architecture; trained weights in
    a ``FILE.safetensors`` or a ``FILE.pt`` state dict or checkpoint beside it, or ``FILE.yaml+WEIGHTS``) · ``FILE.model`` (a pickled
    model, loaded because the user named it) · ``mace_mp:NAME`` · ``mace_off:NAME``.

    Raises:
        InputError: unknown name, missing, truncated or foreign file, weights that do not fit, no network.
    """
    refuse_missing_model(spec)
    kind, _, rest = spec.partition(":")
    if kind == "builtin":
        return _load_builtin(spec, rest)
    if kind == "recipe":
        return _load_recipe(spec, rest)
    if kind in FOUNDATION and rest:
        return _load_foundation(spec, kind, rest)
    architecture = ARCHITECTURE.fullmatch(spec)
    if architecture:
        document, weights = architecture.groups()
        return _load_architecture(spec, Path(document), None if weights is None else Path(weights))
    path = Path(spec)
    if path.suffix == ".safetensors":
        raise InputError(f"model {spec} holds weights only; name its architecture: ARCHITECTURE.yaml+{spec}")
    return _load_pickle(spec, path)


def load_object(model: object, name: str = "model object") -> LoadedModel:
    """A copy of a model that somebody has built already; theirs stays as it is, in its type and on its device.

    Raises:
        InputError: it is no MACE model of separate blocks, holds NaN, or cannot be copied.
    """
    if isinstance(model, torch.nn.Module) and not isinstance(model, torch.jit.ScriptModule):
        try:
            model = copy.deepcopy(model).to("cpu")
        except Exception as error:  # whatever a foreign module refuses with
            raise InputError(f"{name} cannot be copied ({type(error).__name__}: {error}); save it and give its file") from error
    return _adopted(name, model, name, object=type(model).__name__)


def _load_builtin(spec: str, name: str) -> LoadedModel:
    path = _DATA / f"{name}.safetensors"
    if not name or "/" in name or not is_file(Path(str(path))):
        raise InputError(f"model {spec}: no such built-in model; there is builtin:hco")
    return _load_architecture(spec, Path(str(_DATA / f"{name}.yaml")), Path(str(path)))


def _load_recipe(spec: str, rest: str) -> LoadedModel:
    name, _, elements = rest.partition(":")
    path = _DATA / f"recipe-{name}.yaml"
    if not name or "/" in name or not is_file(Path(str(path))):
        raise InputError(f"model {spec}: no such recipe; there are recipe:canonical and recipe:odd, or give an architecture .yaml")
    arch = load_yaml(Architecture, Path(str(path)), "recipe")
    if elements:
        chosen = elements.split("-")
        data = {**arch.model_dump(), "elements": chosen, "atomic_energies": {s: -13.6 * (i + 1) for i, s in enumerate(chosen)}}
        arch = validate(Architecture, data, f"model {spec}")
    return LoadedModel(spec, build_model(arch), {"recipe": name, "seed": str(arch.weights_seed or 0)})


def _load_architecture(spec: str, path: Path, weights: Path | None) -> LoadedModel:
    arch = load_yaml(Architecture, path, "architecture")
    if weights is None:
        beside = [path.with_suffix(s) for s in (".safetensors", ".pt", ".pth") if is_file(path.with_suffix(s))]
        weights = beside[0] if beside else None
    model = build_model(arch)
    if weights is None:
        check_finite(model.state_dict(), f"architecture {path}")
        return LoadedModel(spec, model, {"architecture": path.name, "seed": str(arch.weights_seed or 0)})
    read = read_state(weights)
    stored = check_state(read.state, model, weights)
    model.load_state_dict(read.state)
    entry = {"entry": read.key} if read.key else {}
    source = {"weights": weights.name, "sha256": sha256_file(weights, "weights"), **entry, **_exact_tables(model, f"weights {weights}")}
    return LoadedModel(spec, model, source, stored)


def _adopted(name: str, held: object, where: str, **source: str) -> LoadedModel:
    """The MACE model in an unpickled object, of e3nn's classes, in float64 for evaluation."""
    found = model_within(held, where)
    notes = {"held": f"taken out of {', in '.join(reversed(found.holders))}"} if found.holders else {}
    check_finite(found.module.state_dict(), where)
    kinds = sorted({str(p.dtype).removeprefix("torch.") for p in found.module.parameters()})
    model = found.module.to("cpu", torch.float64).eval()
    for step, note in ((merged, "adapters"), (to_e3nn, "conversion")):
        model, told = step(model, where)
        notes |= {note: told} if told else {}
    model = model.eval()
    check_finite(model.state_dict(), where)
    check_declared(model, where)
    for parameter in model.parameters():
        parameter.grad = None
    return LoadedModel(name, model, {**source, **notes, **_exact_tables(model, where)}, "+".join(kinds) or FLOAT64.name)


def _exact_tables(model: torch.nn.Module, where: str) -> dict[str, str]:
    """Make tables that were rounded to float32 or less exact, and say so in the model's source.

    Raises:
        InputError: a table of fewer digits that is none of upstream's: nothing could be judged by it in float64.
    """
    report = make_tables_exact(model)
    if report.coarse:
        raise InputError(
            f"{where}: {len(report.coarse)} coupling tables (first: {report.coarse[0]}) have {report.digits} binary digits and are no rounding of "
            "what upstream computes: no float64 reference can be made of them; give the model as it was before it was stored in so few digits"
        )
    notes = {}
    if report.replaced:
        notes["tables"] = f"{report.replaced} coupling tables were rounded to {_stored_as(report.digits)} in the file; computed anew in float64"
    if report.unlike:
        notes["tables_left"] = f"{report.unlike} coupling tables are not what upstream computes today; left as stored"
    return notes


def _stored_as(digits: int) -> str:
    """The format that holds so many significant binary digits."""
    return next(name for most, name in ((8, BFLOAT16.name), (11, FLOAT16.name), (24, FLOAT32.name)) if digits <= most)


def _load_pickle(spec: str, path: Path) -> LoadedModel:
    checksum = sha256_file(path, "model")
    return _adopted(spec, unpickled(path), f"model {path}", file=path.name, sha256=checksum)


def _load_foundation(spec: str, kind: str, name: str) -> LoadedModel:
    try:
        with upstream_loading():
            from mace.calculators import foundations_models

            loader = getattr(foundations_models, kind)
            published = loader(model=name, device="cpu", default_dtype="float64", return_raw_model=True)
    except Exception as error:  # no network, an unknown name, a broken download: upstream raises RuntimeError or URLError
        raise InputError(
            f"model {spec}: upstream's loader failed ({type(error).__name__}: {error}); "
            "check the name and the network, or download the .model file and give its path"
        ) from error
    return _adopted(spec, published, f"model {spec}", foundation=spec, mace=mace.__version__)
