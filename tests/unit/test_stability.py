"""What the stability session varies is legitimate, really varies, is put back, and does not hide a fault."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck._names import WHOLE
from mpcheck.formats import get_format
from mpcheck.sessions.run import Options, Session
from tests.faults.planted import sequential_scatter
from tests.stability.passes import Group, Runner, judged
from tests.stability.records import Pass, Stability, read_stability, write_stability
from tests.stability.run import LARGE, expected_cells, plan
from tests.stability.variations import BACKENDS, VARIATIONS, OtherScatters, backwards, blocked, fused, one_by_one, pairwise, products

ORDERS = (blocked, pairwise, backwards, one_by_one, fused)
TERMS = 500
"""MKL splits sums of so many. Of 200 it adds up in the order of ``fused`` on AVX-512: 35 numbers of 35 had the same bits; of 500 one in 18."""


@pytest.mark.parametrize("product", ORDERS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_product_in_another_order_is_as_right(product: object, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) for shape in ((7, TERMS), (TERMS, 5)))
    exact, magnitude = a.double() @ b.double(), a.double().abs() @ b.double().abs()
    with products(product) as acted:  # type: ignore[arg-type]  # parametrised
        found = a @ b
        added = torch.addmm(torch.ones(5, dtype=dtype), a, b)
    assert acted() == 2 and found.dtype == dtype
    # Higham, Accuracy and Stability, 2nd ed., eq. 3.5: n u sum|a||b| in float32, and one rounding to the format
    allowed = TERMS * 2.0**-24 * magnitude + torch.finfo(dtype).eps / 2 * exact.abs() * 1.01
    assert bool(((found.double() - exact).abs() <= allowed).all())
    assert torch.allclose(added.double(), exact + 1, rtol=2 * torch.finfo(dtype).eps, atol=float(allowed.max()))
    assert dtype != torch.float32 or not torch.equal(found, a @ b), "the order made no difference: it was not another"


def test_rows_in_another_order_add_up_to_the_same_within_rounding() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, index = torch.randn(300, 4, generator=generator), torch.randint(0, 3, (300,), generator=generator)
    plain = torch.zeros(3, 4).index_add(0, index, rows)
    with OtherScatters() as mode:
        other = torch.zeros(3, 4).index_add(0, index, rows)
        scattered = torch.zeros(3, 4).scatter_add(0, index[:, None].expand_as(rows), rows)
    assert mode.calls == 2
    exact = torch.zeros(3, 4, dtype=torch.float64).index_add(0, index, rows.double())
    allowed = 300 * 2.0**-24 * torch.zeros(3, 4).index_add(0, index, rows.abs()).double()
    assert not torch.equal(other, plain)
    assert all(bool(((found.double() - exact).abs() <= allowed).all()) for found in (plain, other, scattered))


@pytest.mark.parametrize("name", VARIATIONS)
def test_nothing_is_left_behind(name: str) -> None:
    def settings() -> tuple[object, ...]:
        return torch.get_num_threads(), torch.backends.mkldnn.is_available(), torch.get_default_dtype(), torch._C._get_graph_executor_optimize()

    before = settings()
    with VARIATIONS[name]():
        torch.ones(3, 3) @ torch.ones(3, 3)
    assert settings() == before


def test_a_fault_turns_a_pass_red(session: Session) -> None:
    group = Group("builtin:hco", 0, ("pairwise sums",))
    keys = [k for k in session.cells() if k.block == "interactions.0.scatter" and k.format == "bfloat16" and k.backend == "e3nn"]
    words: list[str] = []
    assert not judged(session, group, "pairwise sums", keys, words.append).red
    with sequential_scatter(torch.bfloat16):
        found = judged(session, group, "pairwise sums", keys, words.append)
    assert len(found.red) == 1 and "interactions.0.scatter" in found.red[0] and found.cells == len(keys) == 2 and words


def test_the_plan_has_every_variation_and_enough_cells() -> None:
    groups = plan(50_000, 1)
    assert {v for g in groups for v in g.variations} == {*VARIATIONS, *BACKENDS}
    assert len({g.seed for g in groups}) == len([g for g in groups if g.model == "builtin:hco" and not g.systems])
    assert expected_cells(groups) >= 50_000 > expected_cells(groups[:-2])


def test_a_third_of_the_planned_cells_are_of_large_structures() -> None:
    groups = plan(50_000, 1)
    for model in {g.model for g in groups}:
        own = [g for g in groups if g.model == model]
        assert expected_cells([g for g in own if g.systems]) >= expected_cells(own) / 3
        assert {g.systems for g in own} == {(), LARGE[model]} and all(g.sessions == (WHOLE,) for g in own if g.systems)


def test_cells_of_large_structures_are_counted_apart(cache: Path) -> None:
    blocks = ("radial_embedding.bessel_fn",)
    large, small = (
        Session(Options(systems=(system,), backends=("e3nn",), formats=("float32",), blocks=blocks, cache=cache))
        for system in ("builtin:diamond:3", "builtin:water")
    )
    found = [judged(s, Group("builtin:hco", 0, ()), "as installed", s.cells(), lambda text: None) for s in (large, small)]
    assert [p.cells for p in found] == [2, 2] and [p.sampled for p in found] == [sum(found[0].verdicts.values()), 0]


def test_the_whole_model_is_a_part_of_a_large_group(cache: Path) -> None:
    runner, group = Runner(cache, lambda text: None), Group("builtin:hco", 0, (), (WHOLE,), ("builtin:water",))
    session = runner.session(group)
    session.options = replace(session.options, backends=("e3nn",), formats=("float64", "float32"))
    session.formats = [get_format("float64"), get_format("float32")]
    found = runner._findings(session, group, WHOLE)
    assert found.session == WHOLE and found.verdicts == {"pass": 2} and not found.red


def test_a_record_counts_what_was_judged(tmp_path: Path) -> None:
    one = Pass(
        session="precision",
        model="m",
        seed=1,
        threads=1,
        variation="as installed",
        cells=5,
        verdicts={"pass": 3, "unsupported": 2},
        red=[],
        seconds=1.0,
    )
    bad = one.model_copy(update={"verdicts": {"pass": 1, "fail": 1}, "sampled": 2, "red": ["x: too far"]})
    path = tmp_path / "stability.json"
    write_stability(path, Stability(mpcheck="0", environment={}, passes=[one, bad]))
    found = read_stability(path)
    assert found.judged == 5 and found.sampled == 2 and found.red == ["m, seed 1, as installed: x: too far"]


@pytest.mark.parametrize(
    ("change", "says"), [({"schema_version": 9}, "schema_version"), ({"passes": [{"session": 3}]}, "passes"), ({"more": 1}, "more")]
)
def test_a_broken_record_is_refused_in_one_line(tmp_path: Path, change: dict[str, object], says: str) -> None:
    path = tmp_path / "stability.json"
    path.write_text(json.dumps({"schema_version": 1, "mpcheck": "0", "environment": {}, "passes": [], **change}))
    with pytest.raises(InputError) as caught:
        read_stability(path)
    assert says in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_runner_builds_twins_once(tmp_path: Path) -> None:
    runner = Runner(tmp_path, lambda text: None)
    first, second = (runner.session(Group("builtin:hco", seed, (), (), ("builtin:water",))) for seed in (1, 2))
    assert first.reference_backend is second.reference_backend and first.seed != second.seed
