"""A contact sheet of latent scenes with the latents drawn on it."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from isocortex.errors import UserError
from isocortex.stimuli import image_files
from isocortex.stimuli.render.mesh import FloatArray
from isocortex.stimuli.scenes.scenes import LatentScenes

_CELL, _GAP, _MARGIN, _TEXT = 176, 14, 18, 13
_WIDTH = 680  # of the legend
_FINE = 4  # lines are drawn on so many times as many pixels
_AXIS = 0.36  # length of the drawn axes, longest sides
_PAPER, _INK, _FAINT = (255, 255, 255), (28, 31, 36), (106, 113, 124)
# Okabe and Ito: right of the object, its top, its front.
_AXES = {"x": (213, 94, 0), "y": (0, 158, 115), "z": (0, 114, 178)}
_BOX, _SUN = (240, 228, 66), (230, 159, 0)


def write_latent_sheet(
    scenes: LatentScenes,
    path: str | os.PathLike[str],
    *,
    indices: list[int] | None = None,
    columns: int = 6,
) -> Path:
    """Write a PNG of some images: box, axes of the object, direction of the sun, and numbers.

    Parameters
    ----------
    scenes : LatentScenes
    path : path
        PNG file to write; it is moved into place when it is whole.
    indices : list of int, optional
        The first 24 images unless given.
    columns : int
        Images in a row.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        If there is nothing to show, or the file cannot be written.
    """
    path = Path(path)
    n = scenes.spec.n_images
    shown = list(range(24 if n is None else min(24, n))) if indices is None else indices
    if not shown or columns < 1:
        raise UserError(f"a sheet of {len(shown)} images in {columns} columns is empty")
    drawn = scenes.columns(np.array(shown))
    table = scenes.latents(np.array(shown))
    images = scenes.render(drawn, _CELL, 3, maps=False).image
    sheet = _page(scenes, len(shown), columns)
    pen = ImageDraw.Draw(sheet)
    for k, row in enumerate(table.to_dict("records")):
        x = _MARGIN + (k % columns) * (_CELL + _GAP)
        y = _top() + (k // columns) * _row_height()
        levels = image_files.to_eight_bit(images[k]).transpose(1, 2, 0)
        sheet.paste(_annotated(Image.fromarray(levels), row, drawn["rotation"][k]), (x, y))
        _caption(pen, row, x, y + _CELL + 4)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.png")
    try:
        sheet.save(beside)
        os.replace(beside, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot write {path}: {reason}; choose another place") from None
    finally:
        beside.unlink(missing_ok=True)
    return path


def _page(scenes: LatentScenes, n: int, columns: int) -> Image.Image:
    """Return the empty page with its title and legend."""
    spec = scenes.spec
    width = max(_WIDTH, 2 * _MARGIN + columns * (_CELL + _GAP) - _GAP)
    rows = -(-n // columns)
    sheet = Image.new("RGB", (width, _top() + rows * _row_height() + _MARGIN // 2), _PAPER)
    pen = ImageDraw.Draw(sheet)
    font, small = _font(15), _font(_TEXT)
    of = "" if spec.n_images is None else f" of {spec.n_images:,}"
    title = f"{n}{of} latent scenes"
    facts = f"sampler {spec.sampler}, seed {spec.seed}, {len(scenes.meshes)} models in "
    facts += f"{len(scenes.categories)} categories, {len(scenes.backgrounds)} backgrounds"
    pen.text((_MARGIN, _MARGIN), title, _INK, font)
    pen.text((_MARGIN, _MARGIN + 22), facts, _FAINT, small)
    x = _MARGIN
    y = _MARGIN + 44
    legend = [
        ("object's right", _AXES["x"]),
        ("top", _AXES["y"]),
        ("front", _AXES["z"]),
        ("box in the frame", _BOX),
        ("sun (seen from the object, up = above)", _SUN),
    ]
    for label, color in legend:
        pen.rectangle((x, y + 3, x + 10, y + 13), color, _FAINT)
        pen.text((x + 16, y), label, _FAINT, small)
        x += 34 + round(small.getlength(label))
    return sheet


def _annotated(picture: Image.Image, row: dict, rotation: FloatArray) -> Image.Image:
    """Draw box, axes and sun on an image, without jags."""
    side = _CELL * _FINE
    large = picture.resize((side, side), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(large)
    box = [side * row[f"box_{edge}"] for edge in ("left", "top", "right", "bottom")]
    pen.rectangle(box, outline=_BOX, width=_FINE)
    centre = np.array([row["x"], row["y"], -row["z"]])
    # What points away from the camera first.
    for k in np.argsort(rotation[2]):
        ends = np.stack([centre, centre + _AXIS * rotation[:, k]])
        extent = 2 * np.tan(np.radians(30))
        u = side * (0.5 - ends[:, 0] / (ends[:, 2] * extent))
        v = side * (0.5 + ends[:, 1] / (ends[:, 2] * extent))
        line = [(u[0], v[0]), (u[1], v[1])]
        pen.line(line, (255, 255, 255), 4 * _FINE)
        pen.line(line, _AXES["xyz"[k]], 2 * _FINE)
    radius, dot = 11 * _FINE, 3 * _FINE
    middle = np.array([side - 15 * _FINE, 15 * _FINE])
    disc = [*(middle - radius), *(middle + radius)]
    pen.ellipse(disc, (255, 255, 255), (90, 90, 90), _FINE)
    sun = middle + (radius - dot) * np.array([row["light_x"], -row["light_y"]])
    pen.ellipse([*(sun - dot), *(sun + dot)], _SUN, (90, 90, 90), _FINE // 2)
    return large.resize((_CELL, _CELL), Image.Resampling.BOX)


def _caption(pen: ImageDraw.ImageDraw, row: dict, x: int, y: int) -> None:
    font, small = _font(_TEXT), _font(_TEXT - 1)
    failed = "" if row["accepted"] else ", not accepted"
    lines = [
        (_fitted(f"#{row['index']} {row['category']}{failed}", font), _INK, font),
        (f"z {row['z']:.2f}  x {row['x']:+.2f}  y {row['y']:+.2f}", _INK, small),
        ("  ".join(f"{k} {round(row[k])}°" for k in ("pitch", "yaw", "roll")), _INK, small),
        (_fitted(_seen(row), small), _FAINT, small),
        (_fitted(_behind(row), small), _FAINT, small),
    ]
    for k, (text, color, face) in enumerate(lines):
        pen.text((x, y + k * (_TEXT + 3)), text, color, face)


def _seen(row: dict) -> str:
    shares = (row["visible_area"], row["visible_fraction"], row["in_frame_fraction"])
    area, visible, inside = (f"{100 * s:.0f}%" for s in shares)
    return f"area {area}  seen {visible}  in {inside}"


def _behind(row: dict) -> str:
    text = f"on {row['background']}"
    others = [row[name] for name in ("occluder", "distractor") if row.get(name)]
    return f"{text}; {', '.join(others)}" if others else text


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Cut a text that is wider than an image."""
    if font.getlength(text) <= _CELL:
        return text
    while text and font.getlength(text + "…") > _CELL:
        text = text[:-1]
    return text + "…"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _top() -> int:
    return _MARGIN + 72


def _row_height() -> int:
    return _CELL + 5 * (_TEXT + 3) + 4 + _GAP
