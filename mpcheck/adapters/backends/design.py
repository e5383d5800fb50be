"""Small architectures on which conversions are tried: a covering set."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mpcheck.adapters.architecture import Architecture


@dataclass(frozen=True)
class Configuration:
    """A small architecture: interactions, correlation, largest hidden l, elements, whether the first block is residual, the
    backend whose layout it is converted to, and other fields of the architecture.
    """

    interactions: int
    correlation: int
    hidden_l: int
    elements: tuple[str, ...]
    residual: bool
    backend: str
    changes: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """``2 layers, correlation 3, L 1, 3 elements, residual``, short enough for a table."""
        block = "residual" if self.residual else "plain"
        parts = [f"n{self.interactions} c{self.correlation} L{self.hidden_l} {len(self.elements)}el {block}", *(v for _, v in self.changes)]
        return " ".join(parts)

    @property
    def architecture(self) -> Architecture:
        """Three channels (odd), so that a transpose that is right for square matrices only is wrong here."""
        hidden = " + ".join(f"3x{level}{'eo'[level % 2]}" for level in range(self.hidden_l + 1))
        first = "RealAgnosticResidualInteractionBlock" if self.residual else "RealAgnosticInteractionBlock"
        fields = dict(
            schema_version=1, name="configuration", elements=list(self.elements),
            atomic_energies={s: -1.5 * (i + 1) for i, s in enumerate(self.elements)}, r_max=4.0, num_bessel=3, max_ell=max(1, self.hidden_l),
            hidden_irreps=hidden, MLP_irreps="5x0e", correlation=self.correlation, num_interactions=self.interactions,
            interaction_cls_first=first, radial_MLP=[5], avg_num_neighbors=7.3, atomic_inter_scale=0.7, atomic_inter_shift=-0.1, weights_seed=3,
        )  # fmt: skip
        return Architecture.model_validate({**fields, **dict(self.changes)})


ONE, MANY = ("H",), ("H", "C", "O")
# Every pair of two factors' levels that upstream can convert occurs, except L 2 with three interactions (ten seconds); the
# dearest pairs stand in the cheapest company: correlation 3 with L 2 in a layer that is not the last takes 17 s to build.
DESIGN = (
    Configuration(1, 2, 0, ONE, True, "cueq"),
    Configuration(2, 2, 1, ONE, True, "cueq-mul_ir"),
    Configuration(3, 2, 1, MANY, True, "cueq"),
    Configuration(1, 3, 2, MANY, True, "cueq-mul_ir"),
    Configuration(2, 3, 0, MANY, True, "cueq"),
    Configuration(3, 3, 0, ONE, False, "cueq-mul_ir"),
    Configuration(2, 2, 2, ONE, False, "cueq"),
    Configuration(1, 3, 1, MANY, False, "cueq"),
    # what upstream is known not to convert: each must still raise
    Configuration(1, 1, 0, ONE, True, "cueq"),
    Configuration(1, 2, 0, ONE, True, "cueq", (("radial_type", "gaussian"),)),
    Configuration(1, 2, 0, ONE, True, "cueq", (("radial_type", "chebyshev"),)),
    Configuration(1, 2, 0, ONE, True, "cueq", (("model", "MACE"),)),
)


def covering(backend: str) -> tuple[Configuration, ...]:
    """The set for another backend: what any of them should convert."""
    return tuple(replace(c, backend=backend) for c in DESIGN if c.correlation > 1 and not c.changes)
