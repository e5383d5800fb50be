"""Pictures as files of their own."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from mpcheck.report.pictures import Picture, write_pictures
from mpcheck.report.pictures.theme import css
from tests.unit.report.pictures.samples import SVG


def test_pictures_stand_alone_in_files(all_pictures: list[Picture], tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "new", all_pictures)
    assert [p.name for p in paths] == [f"{p.name}.svg" for p in all_pictures]
    for path in paths:
        root = ET.parse(path).getroot()
        assert css() in next(e.text or "" for e in root.iter(f"{SVG}style"))
        assert "@media screen and (prefers-color-scheme: dark)" in css()
        _, _, width, height = root.attrib["viewBox"].split()
        assert (root.attrib["width"], root.attrib["height"]) == (width, height)
