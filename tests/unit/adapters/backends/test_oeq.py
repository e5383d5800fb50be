"""OpenEquivariance and upstream's hybrid, by a stand-in for the library on a processor that poses as a GPU."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch

from mpcheck._cuda import standing_in
from mpcheck._names import CONVOLVED as NAME
from mpcheck.adapters.architecture import build_model
from mpcheck.adapters.backends.conversion import to_oeq
from mpcheck.adapters.backends.design import Configuration, covering
from mpcheck.adapters.backends.engagement import counted_calls, implementations, never_called
from mpcheck.adapters.backends.oeq import BACKEND, BACKEND_HYBRID, PACKAGE, OeqModel, convolutions
from mpcheck.adapters.backends.protocol import Backend, built, place
from mpcheck.adapters.backends.twin import twin
from mpcheck.adapters.blocks import WHOLE, Block, module_blocks
from mpcheck.adapters.steps import step_block
from mpcheck.formats import FLOAT32, FLOAT64, FORMATS
from tests.fakes.oeq import posing, stand_in
from tests.fakes.posing.gpu import Gpu

GPU = torch.device("cuda")
BOTH = pytest.mark.parametrize("backend", [BACKEND, BACKEND_HYBRID], ids=lambda b: b.name)
LAYERS = {n: Configuration(n, 2, 1 if n > 1 else 0, ("H",), True, NAME) for n in (1, 2, 3)}


@pytest.fixture
def library() -> Iterator[Any]:
    with posing() as found:
        yield found


def model_of(layers: int) -> torch.nn.Module:
    return build_model(LAYERS[layers].architecture)


def block_of(model: torch.nn.Module, name: str) -> Block:
    return next(b for b in module_blocks(model) if b.name == name)


@BOTH
def test_on_a_cpu_there_is_no_device_whatever_is_installed(backend: Backend) -> None:
    for why in (backend.unavailable("cpu"), backend.unavailable("cuda")):
        assert why is not None and (why.code, why.lacking) == ("no-device", "cuda") and why.text.startswith("no CUDA device")


@BOTH
def test_on_a_gpu_without_the_package_it_is_not_installed(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with standing_in(Gpu()):
        why = backend.unavailable("cuda:0")
    assert why is not None and (why.code, why.lacking) == ("not-installed", backend.name) and "pip install 'mpcheck[oeq]'" in why.text


@BOTH
def test_a_package_without_its_extension_is_told_before_anything_is_built(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library can be imported then, and its classes raise."""
    broken: Any = ModuleType(PACKAGE)
    broken.BUILT_EXTENSION, broken.BUILT_EXTENSION_ERROR = False, "no compiler"
    monkeypatch.setitem(sys.modules, PACKAGE, broken)
    with standing_in(Gpu()):
        why = backend.unavailable("cuda")
    assert why is not None and why.code == "not-installed" and "no compiler" in why.text


def test_the_hybrid_needs_cuequivariance_too(monkeypatch: pytest.MonkeyPatch, library: Any) -> None:
    monkeypatch.setitem(sys.modules, "cuequivariance_torch", None)
    assert BACKEND.unavailable("cuda") is None
    why = BACKEND_HYBRID.unavailable("cuda")
    assert why is not None and (why.code, why.lacking) == ("not-installed", BACKEND_HYBRID.name)


@BOTH
def test_every_layer_s_convolution_is_the_library_s_and_is_called(backend: Backend, library: Any) -> None:
    source = model_of(3)
    model = backend.build(source, GPU)
    found = convolutions(model.module(WHOLE))
    assert set(found) == {f"interactions.{i}.conv_tp" for i in range(3)} and {type(m) for m in found.values()} == {library.TensorProductConv}
    assert model.layout == ("mul_ir" if backend is BACKEND else "ir_mul") and torch.get_default_dtype() == torch.float32
    own = implementations(model.module(block_of(source, "interactions.1")), model.packages)
    assert [(i.path, i.fused) for i in own if i.package == PACKAGE] == [("conv_tp", True)]


def test_a_forward_that_goes_round_the_library_counts_nothing(library: Any) -> None:
    """Upstream puts a function of its own in the place of a module's forward: what counts is that it calls the library's."""
    module: Any = BACKEND.build(model_of(2), GPU).model.get_submodule("interactions.1.conv_tp")
    x, y = (torch.randn(2, module.config.irreps_in1.dim).double(), torch.randn(2, module.config.irreps_in2.dim).double())
    given = (x, y, torch.randn(2, module.weight_numel).double(), torch.tensor([[0, 1], [1, 0]]))
    before = module.original_forward
    with counted_calls(module, (PACKAGE,)) as calls:
        module(*given)
    assert calls == {".": 1} and never_called(module, calls, (PACKAGE,)) == "" and module.original_forward == before
    module.forward = lambda *_: torch.zeros(1)
    with counted_calls(module, (PACKAGE,)) as calls:
        module(*given)
    assert "openequivariance.TensorProductConv at . was never called" in never_called(module, calls, (PACKAGE,))


def test_what_it_can_run(library: Any) -> None:
    source = model_of(2)
    model = BACKEND.build(source, GPU)
    layer, linear, conv = (block_of(source, f"interactions.1{n}") for n in ("", ".linear", ".conv_tp"))
    for fmt in FORMATS.values():
        why = model.unsupported(layer, fmt)
        assert (why is None) == (fmt.storage in (torch.float64, torch.float32)), fmt.name
        assert why is None or why.code == "no-kernel"
    for block in (conv, step_block("interactions.1.scatter"), step_block("interactions.1.scatter@2")):
        why = model.unsupported(block, FLOAT64)
        assert why is not None and why.code == "not-applicable" and "judged in the composite interaction" in why.text
    for block in (linear, step_block("edge_vectors"), step_block("energy_sum")):
        why = model.unsupported(block, FLOAT64)
        assert why is not None and why.code == "not-applicable" and "e3nn's own" in why.text
    assert model.unsupported(WHOLE, FLOAT32) is None and model.unsupported(WHOLE, FORMATS["float16"]) is not None


def test_the_hybrid_has_blocks_of_cuequivariance_in_every_format(library: Any) -> None:
    source = model_of(2)
    model = BACKEND_HYBRID.build(source, GPU)
    layer, linear = block_of(source, "interactions.1"), block_of(source, "interactions.1.linear")
    assert all(model.unsupported(linear, fmt) is None for fmt in FORMATS.values())
    why = model.unsupported(layer, FORMATS["bfloat16"])
    assert why is not None and why.code == "no-kernel" and model.unsupported(layer, FLOAT32) is None
    assert "convolutions fused, atomic sums" in model.note(layer, FLOAT32) and "atomic" not in model.note(linear, FLOAT32)


@BOTH
def test_a_layer_that_the_converter_left_is_degraded(backend: Backend, library: Any) -> None:
    source = model_of(3)
    model = backend.build(source, GPU)
    assert [model.substitute(b) for b in (*module_blocks(source), WHOLE) if "not replaced" in model.substitute(b)] == []
    layer: Any = model.module(block_of(source, "interactions.2"))
    layer.conv_tp = copy.deepcopy(source.get_submodule("interactions.2.conv_tp"))
    del layer.conv_fusion
    for name in ("interactions.2", "interactions.2.conv_tp"):
        block = block_of(source, name)
        assert model.unsupported(block, FLOAT64) is None, "it is judged, not passed over"
        assert "is e3nn.o3.TensorProduct, not replaced by" in model.substitute(block)
    assert "interactions.2.conv_tp is e3nn.o3.TensorProduct" in model.substitute(WHOLE)
    assert "not replaced" not in model.substitute(block_of(source, "interactions.1"))


def test_a_conversion_that_did_nothing_is_degraded(library: Any) -> None:
    source = model_of(2)
    for model in (OeqModel(NAME, source, source, GPU), OeqModel(NAME, source, torch.nn.Linear(1, 1), GPU)):
        assert model.unsupported(WHOLE, FLOAT64) is None and model.substitute(WHOLE)


def test_one_layer_is_no_conversion_and_the_hybrid_does_it(library: Any) -> None:
    """Upstream's converter reads the number of neighbours of two layers whatever the model has: IndexError."""
    source = model_of(1)
    told = built(BACKEND, source, GPU)
    assert not isinstance(told, OeqModel) and (told.code, told.lacking) == ("no-conversion", NAME) and "the model has one" in told.text
    assert set(convolutions(BACKEND_HYBRID.build(source, GPU).module(WHOLE))) == {"interactions.0.conv_tp"}


def test_three_layers_convert_unless_the_third_has_a_number_of_neighbours_of_its_own(library: Any) -> None:
    """Upstream's converter copies that of two layers, and gives all others the first one's."""
    source: Any = model_of(3)
    assert isinstance(built(BACKEND, source, GPU), OeqModel)
    source.interactions[1].avg_num_neighbors = 11.0
    assert isinstance(built(BACKEND, source, GPU), OeqModel), "the second is copied"
    source.interactions[2].avg_num_neighbors = 9.0
    told = built(BACKEND, source, GPU)
    assert not isinstance(told, OeqModel) and told.code == "no-conversion" and "layer 2 of 3" in told.text and "9 became 7.3" in told.text
    hybrid: Any = BACKEND_HYBRID.build(source, GPU).module(WHOLE)
    assert [float(layer.avg_num_neighbors) for layer in hybrid.interactions] == [7.3, 11.0, 9.0]


@BOTH
@pytest.mark.parametrize("layers", [2, 3])
def test_every_key_comes_back(backend: Backend, layers: int, library: Any) -> None:
    converter, source = backend.converter, model_of(layers)
    assert converter is not None
    made = converter.there(source, GPU)
    returned = converter.back(made.model, GPU)
    trip, own = converter.round_trip(source, returned.model), converter.parameters(source, made.model)
    assert not (made.complaints or returned.complaints or trip.failures or own.failures or trip.unmapped)
    assert trip.tensors == len(source.state_dict()) and trip.ratio < 1 and not convolutions_of_library(returned.model)
    with torch.no_grad():
        next(iter(made.model.interactions[1].linear.parameters())).mul_(1.0 + 1e-9)
    assert any("interactions.1.linear.weight" in f for f in converter.parameters(source, made.model).failures)
    assert any("interactions.1.linear.weight" in f for f in converter.round_trip(source, converter.back(made.model, GPU).model).failures)


def convolutions_of_library(model: torch.nn.Module) -> list[str]:
    return [path for path, m in convolutions(model).items() if type(m).__module__.startswith(PACKAGE)]


def test_small_models_are_converted_where_the_backend_is(library: Any) -> None:
    assert place(BACKEND, GPU) == GPU and place(BACKEND_HYBRID, GPU) == GPU
    assert {c.backend for c in covering(NAME)} == {NAME}


@BOTH
def test_a_cast_makes_the_kernels_anew_and_is_undone(backend: Backend, library: Any) -> None:
    source = model_of(2)
    model, layer = backend.build(source, GPU), block_of(source, "interactions.1")
    conv: Any = model.module(WHOLE).get_submodule("interactions.1.conv_tp")  # type: ignore[union-attr]
    before = {n: t.clone() for n, t in model.module(WHOLE).state_dict().items()}  # type: ignore[union-attr]

    def types() -> tuple[str, str]:
        return conv.config.irrep_dtype.__name__, conv.input_args["problem"].weight_dtype.__name__

    with model.prepared(layer, FLOAT32):
        assert types() == ("float32", "float32")
    assert types() == ("float64", "float64")
    after = model.module(WHOLE).state_dict()  # type: ignore[union-attr]
    assert before.keys() == after.keys() and all(torch.equal(before[n], after[n]) and before[n].dtype == after[n].dtype for n in before)


@BOTH
def test_a_twin_has_kernels_of_its_own(backend: Backend, library: Any) -> None:
    """Upstream binds forward to its module by hand: a copy in float32 would call the float64 module that it was made of."""
    made = backend.build(model_of(2), GPU).module(WHOLE)
    assert made is not None
    other = twin(made).to(torch.float32)
    own, original = (m.get_submodule("interactions.1.conv_tp") for m in (other, made))
    assert own.forward.__self__ is own and own.original_forward.__self__ is own  # type: ignore[attr-defined, union-attr]
    assert own.config.irrep_dtype.__name__ == "float32" and original.config.irrep_dtype.__name__ == "float64"  # type: ignore[union-attr]
    assert original.input_args["problem"].irrep_dtype.__name__ == "float64"  # type: ignore[union-attr, index]


def test_the_stand_in_leaves_nothing_behind() -> None:
    from mace.modules import wrapper_ops

    before = (wrapper_ops.OEQ_AVAILABLE, list(sys.path), PACKAGE in sys.modules)
    with stand_in() as found, pytest.raises(RuntimeError, match="no CUDA-capable device"):
        to_oeq(model_of(2), torch.device("cpu"))
    assert found.__name__ == PACKAGE and (wrapper_ops.OEQ_AVAILABLE, list(sys.path), PACKAGE in sys.modules) == before
