"""Real installs of a side: what the present environment has too must not win."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck.gate.settings import GateSettings
from mpcheck.gate.sides import make, planned
from mpcheck.gate.trees import trees
from tests.gate.adopter import fork

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("editable", [True, False])
def test_each_side_imports_what_was_installed_into_it(editable: bool, tmp_path: Path) -> None:
    repository = fork(tmp_path / "mace-fork")
    (repository / "mace" / "__version__.py").write_text('__version__ = "9"\n')
    command = f"python -m pip install --no-deps --no-build-isolation {'-e ' if editable else ''}."
    settings = GateSettings.model_validate({"install": command})
    with trees(repository, "main") as (base, head):
        assert base is not None
        with planned(base, head) as sides:
            for side in sides.both:
                make(sides, side, settings.commands, settings.timeout, tmp_path / "out", lambda _: None)
            assert not sides.broken
            for side in (sides.base, sides.head):
                assert side is not None
                place = Path(sides.sources[side.tree.name]["mace"]["path"])
                assert place == (side.tree.root if editable else side.packages) / "mace"
            assert sides.sources["base"]["mace"]["digest"] != sides.sources["head"]["mace"]["digest"]
            assert sides.sources["base"]["e3nn"] == sides.sources["head"]["e3nn"]
            assert "Successfully installed" in (tmp_path / "out" / "head" / "install.log").read_text()
