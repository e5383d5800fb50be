"""From matplotlib's drawing to an element that a page can hold, and to a file that stands alone."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # parses only what matplotlib has just written
from collections.abc import Mapping, Sequence
from pathlib import Path

from mpcheck._files.io import write_text
from mpcheck._text import whole
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.theme import css, with_variables
from mpcheck.report.pictures.words import shorten

SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_LONG = re.compile(r"-?\d+\.\d{3,}")
_FONT = re.compile(r"\s*font-family:[^;]*;?|(?<=font:)((?:\s*(?:\d+|bold|italic|normal))*\s*[\d.]+px)[^;]*")
_ROOT = "font-family:inherit;stroke-linejoin:round;max-width:{width}px;width:100%;height:auto;display:block"

_ALONE = "font-family:system-ui,'Segoe UI','DejaVu Sans',sans-serif;stroke-linejoin:round"
MARGIN = 12  # pixels about a picture that stands alone
COLUMNS = 2  # of a sheet
HEAD, SUBHEAD, BOLD = 12.0, 10.5, 1.1  # pixels of a sheet's titles, and how much wider bold letters are


def finish(raw: str, name: str, title: str, alt: str, tips: Mapping[str, str]) -> str:
    """The ``<svg>`` element of a drawing.

    What only a file needs is removed: prolog, document type, metadata, a style sheet that would reach the whole page. Ids begin with the
    picture's name, colours become variables, the font is the page's, and numbers keep two digits. Equal drawings give equal text.

    Args:
        raw: what matplotlib wrote.
        title, alt: name and description of the picture, for screen readers.
        tips: texts shown when a pointer rests on an element, by the id that it was drawn with.
    """
    root = ET.fromstring(raw)
    width, height = (float(x) for x in root.attrib["viewBox"].split()[2:])
    _clean(root, tips)
    _rename(root, name)
    root.attrib.clear()
    root.attrib |= {
        "viewBox": f"0 0 {width:g} {height:g}", "width": f"{width:g}", "height": f"{height:g}", "role": "img",
        "aria-labelledby": f"{name}-title {name}-alt", "style": _ROOT.format(width=f"{width:g}"),
    }  # fmt: skip
    for place, (tag, key, text) in enumerate((("title", "title", title), ("desc", "alt", alt))):
        element = ET.Element(f"{{{SVG}}}{tag}", {"id": f"{name}-{key}"})
        element.text = whole(text)
        root.insert(place, element)
    ET.register_namespace("", SVG)
    return ET.tostring(root, encoding="unicode")


def _clean(element: ET.Element, tips: Mapping[str, str]) -> None:
    """Drop what a page does not need, shorten numbers, name colours."""
    kept: list[ET.Element] = []
    for child in element:
        if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
            continue
        _clean(child, tips)
        kept += _unwrapped(child)
    element[:] = kept
    if element.tag != f"{{{SVG}}}text":
        element.text = None
    element.tail = None
    tip = tips.get(element.attrib.get("id", ""))
    for key, value in list(element.attrib.items()):
        if key == _HREF:
            element.attrib["href"] = element.attrib.pop(key)
        elif key in ("style", "fill", "stroke"):
            element.attrib[key] = with_variables(_FONT.sub(lambda f: f[1] or "", value)).replace("; ", ";").replace(": ", ":").strip("; ")
        elif key in ("d", "x", "y", "transform", "width", "height", "points"):
            text = " ".join(_LONG.sub(lambda n: f"{float(n[0]):.2f}".rstrip("0").rstrip("."), value).split())
            element.attrib[key] = re.sub(r"\s?([MLCQZz])\s?", r"\1", text) if key == "d" else text
    if element.attrib.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    if tip:
        title = ET.Element(f"{{{SVG}}}title")
        title.text = whole(tip)
        element.insert(0, title)


def _unwrapped(child: ET.Element) -> Sequence[ET.Element]:
    """A group that says nothing itself gives way to what it holds; an empty one, or an empty list of definitions, to nothing."""
    if child.tag == f"{{{SVG}}}g" and not set(child.attrib) - {"id"} and child.find(f"{{{SVG}}}title") is None:
        return list(child)
    return [] if child.tag == f"{{{SVG}}}defs" and not len(child) else [child]


def _rename(root: ET.Element, name: str) -> None:
    """Ids that something refers to begin with the picture's name and count up; the others go."""
    text = " ".join(v for e in root.iter() for k, v in e.attrib.items() if k != "id")
    used = set(re.findall(r"#([\w.-]+)", text))
    names: dict[str, str] = {}
    for element in root.iter():
        own = element.attrib.pop("id", "")
        if own in used:
            names.setdefault(own, f"{name}-{len(names)}")
            element.attrib["id"] = names[own]
    for element in root.iter():
        for key in ("clip-path", "href", "style"):
            if key in element.attrib:
                element.attrib[key] = re.sub(r"#([\w.-]+)", lambda f: f"#{names[f[1]]}", element.attrib[key])


def standalone(picture: Picture) -> str:
    """A picture as a file of its own: the variables are defined in it, for light and dark, and it has a ground and a margin."""
    head, body = picture.svg.split(">", 1)
    width, height = (float(x) + 2 * MARGIN for x in ET.fromstring(picture.svg).attrib["viewBox"].split()[2:])
    size = f'viewBox="-{MARGIN} -{MARGIN} {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    head = re.sub(r'viewBox="[^"]*" width="[^"]*" height="[^"]*"', size, head)
    head = re.sub(r'style="[^"]*"', f'style="{_ALONE}"', head)
    ground = f'<rect x="-{MARGIN}" y="-{MARGIN}" width="{width:g}" height="{height:g}" style="fill:var(--paper)"/>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}><style>{css()}</style>{ground}{body}\n'


def sheet(title: str, pictures: Sequence[Picture]) -> str:
    """Pictures two by two in a file of its own, each below its title, for light and dark."""
    wide = max(float(ET.fromstring(p.svg).attrib["width"]) for p in pictures)
    width = MARGIN + (wide + MARGIN) * min(len(pictures), COLUMNS)
    root = ET.Element(f"{{{SVG}}}svg", {"role": "img", "style": _ALONE})
    ET.SubElement(root, f"{{{SVG}}}title").text = whole(title)
    ET.SubElement(root, f"{{{SVG}}}style").text = css()
    ground = ET.SubElement(root, f"{{{SVG}}}rect", {"style": "fill:var(--paper)"})
    _head(root, MARGIN, MARGIN + 12, title, width - 2 * MARGIN, HEAD)
    top = MARGIN + 30.0
    for start in range(0, len(pictures), COLUMNS):
        lowest = top
        for column, picture in enumerate(pictures[start : start + COLUMNS]):
            left, element = MARGIN + column * (wide + MARGIN), ET.fromstring(picture.svg)
            _head(root, left, top + 8, picture.title, wide, SUBHEAD)
            del element.attrib["style"]
            element.attrib |= {"x": f"{left:g}", "y": f"{top + 18:g}"}
            root.append(element)
            lowest = max(lowest, top + 18 + float(element.attrib["height"]))
        top = lowest + 2 * MARGIN
    root.attrib |= {"viewBox": f"0 0 {width:g} {top - MARGIN:g}", "width": f"{width:g}", "height": f"{top - MARGIN:g}"}
    ground.attrib |= {"width": f"{width:g}", "height": f"{top - MARGIN:g}"}
    ET.register_namespace("", SVG)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _head(root: ET.Element, x: float, y: float, text: str, room: float, size: float) -> None:
    style = f"font-size:{size:g}px;font-weight:bold;fill:var(--ink)"
    ET.SubElement(root, f"{{{SVG}}}text", {"x": f"{x:g}", "y": f"{y:g}", "style": style}).text = shorten(text, room, size * BOLD)


def write_sheet(path: Path, title: str, pictures: Sequence[Picture]) -> Path:
    """Write pictures into one file; returns it.

    Raises:
        InputError: the place cannot be written.
    """
    write_text(path, sheet(title, pictures))
    return path


def write_pictures(directory: Path, pictures: Sequence[Picture]) -> list[Path]:
    """Write each picture as ``NAME.svg`` into a directory, which is made; returns the files.

    Raises:
        InputError: the directory cannot be written.
    """
    paths = [directory / f"{picture.name}.svg" for picture in pictures]
    for path, picture in zip(paths, pictures, strict=True):
        write_text(path, standalone(picture))
    return paths
