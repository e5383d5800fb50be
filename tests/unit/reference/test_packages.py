"""Packages are known by their content, wherever they lie, with all that they import."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from mpcheck.reference.packages import closure

SOURCES = {
    "upstreamy/__init__.py": "from upstreamy.deep import formula\n",
    "upstreamy/deep/__init__.py": "import helpery, os\n\n\ndef formula(x):\n    import onefile as o\n    return o.half(x)\n",
    "upstreamy/deep/table.json": "[1.0, 2.0]\n",
    "upstreamy/kernel.so": "\x7fELF build 1",
    "helpery/__init__.py": "import importlib\nlazy = importlib.import_module('pluginy')\n",
    "onefile.py": "def half(x):\n    return x / 2\n",
    "pluginy/__init__.py": "STEP = 1.0\n",
    "bystander/__init__.py": "",
}


def tree(where: Path) -> Path:
    for name, text in SOURCES.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_text(text)
    return where


def digests(where: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", [str(where), *sys.path])
        return {package.name: package.digest for package in closure(["upstreamy"])}


def test_equal_content_is_equal_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = digests(tree(tmp_path / "a"), monkeypatch)
    assert set(found) == {"upstreamy", "helpery", "onefile", "pluginy"}
    other = tree(tmp_path / "elsewhere" / "b")
    for path in other.rglob("*"):
        os.utime(path, (1e9, 1e9))
    (other / "upstreamy" / "__pycache__").mkdir()
    (other / "upstreamy" / "__pycache__" / "deep.pyc").write_bytes(b"compiled")
    (other / "upstreamy" / ".deep.py.swp").write_bytes(b"an editor's")
    (other / "bystander" / "__init__.py").write_text("anything = 1\n")
    assert digests(other, monkeypatch) == found
    shutil.rmtree(tmp_path / "a")
    assert digests(other, monkeypatch) == found


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.startswith("bystander")])
@pytest.mark.parametrize("same_size", [True, False])
def test_an_edit_of_any_file_is_another_code(name: str, same_size: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tree(tmp_path)
    found, path = digests(where, monkeypatch), where / name
    text = path.read_text()
    path.write_text(text[:-1] + ("#" if same_size else f"{text[-1:]}\n# more\n"))
    assert digests(where, monkeypatch) != found
    path.write_text(text)
    assert digests(where, monkeypatch) == found
    path.unlink()
    assert digests(where, monkeypatch) != found


def test_a_linked_subpackage_belongs_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tree(tmp_path / "a")
    shutil.move(where / "upstreamy" / "deep", tmp_path / "deep")
    (where / "upstreamy" / "deep").symlink_to(tmp_path / "deep", target_is_directory=True)
    (tmp_path / "deep" / "again").symlink_to(tmp_path / "deep", target_is_directory=True)
    found = digests(where, monkeypatch)
    assert found["upstreamy"] and "helpery" in found
    (tmp_path / "deep" / "__init__.py").write_text("")
    assert digests(where, monkeypatch)["upstreamy"] != found["upstreamy"]


def installed(where: Path, hashed: str = "sha256=abc", extra: bool = False) -> Path:
    """``helpery`` as an installer leaves it, with more files than are read."""
    tree(where)
    rows = [f"helpery/__init__.py,{hashed},{len(SOURCES['helpery/__init__.py'])}"]
    for number in range(500):
        (where / "helpery" / f"m{number}.py").write_text("x = 1\n")
        rows.append(f"helpery/m{number}.py,sha256=def,6")
    (where / "helpery-1.5.dist-info").mkdir()
    (where / "helpery-1.5.dist-info" / "RECORD").write_text("\n".join(rows) + "\n")
    if extra:
        (where / "helpery-1.5.dist-info" / "direct_url.json").write_text("{}")
    return where


def test_a_large_installed_package_is_what_its_installer_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = digests(installed(tmp_path / "a"), monkeypatch)
    assert "pluginy" not in found, "what comes from an index is not followed"
    assert digests(installed(tmp_path / "b"), monkeypatch) == found
    assert digests(installed(tmp_path / "c", "sha256=other"), monkeypatch) != found
    (tmp_path / "a" / "helpery" / "m7.py").write_text("x = 1.0\n")
    assert digests(tmp_path / "a", monkeypatch) != found


def test_what_was_installed_from_a_source_tree_is_read_and_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = installed(tmp_path, extra=True)
    found = digests(where, monkeypatch)
    assert "pluginy" in found
    (where / "helpery" / "m7.py").write_text("x = 2\n")  # as long as before
    assert digests(where, monkeypatch) != found
