"""What is drawn from an OpenMoji SVG: the colour picture, the line drawing, and a map of what each pixel shows.

OpenMoji keeps lines, skin, hair and other colour in groups of these names, so all three fit to the pixel. The surprise
is how the map is drawn: a rasteriser blends colours at every edge, and a blend of two classes would be a third one. So
the classes are drawn four times as large without smoothing, and each pixel is given what covers most of it.
"""

import io
import xml.etree.ElementTree as ET

import numpy as np
from PIL import Image

LABELS = ("background", "line", "skin", "hair", "colour")
_COLOURED = {"color": "colour", "skin": "skin", "hair": "hair"}  # a group's id starts so; all else are lines
_SHAPES = ("path", "circle", "line", "rect", "polyline", "polygon", "ellipse")
_FINER = 4
_STEP = 50  # between the levels that stand for classes while the map is drawn


def rasterise(svg: str, size: int, *, background: str = "white") -> Image.Image:
    """RGB, size x size, on `background`."""
    import resvg_py

    png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, background=background, skip_system_fonts=True)
    with Image.open(io.BytesIO(png)) as picture:
        return picture.convert("RGB")


def line_drawing(svg: str) -> str:
    """The SVG without its colour, skin and hair groups, at any depth."""
    root = ET.fromstring(svg)
    _remove_coloured(root)
    return ET.tostring(root, encoding="unicode")


def label_map(svg: str, size: int) -> Image.Image:
    """Grey, size x size: class i of LABELS has the level round(255 * i / (n - 1))."""
    root = ET.fromstring(svg)
    root.set("shape-rendering", "crispEdges")
    _paint(root, "line", {"fill": "black", "stroke": "none"})
    drawn = rasterise(ET.tostring(root, encoding="unicode"), size * _FINER, background="black")
    codes = np.asarray(drawn)[:, :, 0] // _STEP
    cells = codes.reshape(size, _FINER, size, _FINER)
    covered = [(cells == code).sum(axis=(1, 3)) for code in range(len(LABELS))]
    levels = np.array([round(255 * i / (len(LABELS) - 1)) for i in range(len(LABELS))], np.uint8)
    return Image.fromarray(levels[np.argmax(covered, axis=0)])


def _remove_coloured(element: ET.Element) -> None:
    for child in list(element):
        if _coloured(child):
            element.remove(child)
        else:
            _remove_coloured(child)


def _coloured(element: ET.Element) -> str | None:
    """The class of a group that the line drawing lacks; None for other elements."""
    name = element.get("id", "")
    return next((label for start, label in _COLOURED.items() if name.startswith(start)), None)


def _paint(element: ET.Element, label: str, inherited: dict[str, str]) -> None:
    """Give everything in `element` the flat colour of its class, and no transparency.

    Inside a coloured group only the coloured groups count: what is called a line there is no part of the drawing.
    """
    label = _coloured(element) or label
    paints = {name: element.attrib.pop(name, value) for name, value in inherited.items()}
    for name in ("opacity", "fill-opacity", "stroke-opacity"):
        if float(element.get(name, 1)) > 0:
            element.attrib.pop(name, None)
    if element.tag.rpartition("}")[2] in _SHAPES:
        level = _STEP * LABELS.index(label)
        element.attrib |= {name: "none" if paint == "none" else f"rgb({level},0,0)" for name, paint in paints.items()}
    for child in element:
        _paint(child, label, paints)
