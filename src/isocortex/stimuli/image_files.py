"""Image files of any common format as float32 tensors, and back to PNG without loss.

An 8-bit level k becomes exactly ``float32(k) / float32(255)``, so that `is_eight_bit` images
survive PNG bit by bit.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from isocortex.errors import UserError
from isocortex.stimuli.render.mesh import LUMINANCE_WEIGHTS

EIGHT_BIT = np.arange(256, dtype=np.float32) / np.float32(255)
"""The 256 grey levels of an 8-bit image in [0, 1]."""

_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I")
_GREY = ("1", "L", "LA", *_SIXTEEN_BIT)
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def from_eight_bit(levels: np.ndarray) -> Tensor:
    """Return the float32 tensor of uint8 grey levels; 255 becomes 1."""
    return torch.from_numpy(EIGHT_BIT[levels])


def to_eight_bit(images: Tensor) -> np.ndarray:
    """Return the nearest uint8 grey levels of images in [0, 1]."""
    return np.rint(images.detach().cpu().numpy() * np.float32(255)).astype(np.uint8)


def is_eight_bit(images: Tensor) -> bool:
    """Whether every pixel is exactly one of the 256 levels of an 8-bit file."""
    return torch.equal(from_eight_bit(to_eight_bit(images)), images.detach().cpu())


def grey(images: Tensor) -> Tensor:
    """Return luminance (..., 1, h, w) of images (..., c, h, w) with one or three channels."""
    if images.shape[-3] == 1:
        return images
    red, green, blue = images.unbind(-3)
    r, g, b = LUMINANCE_WEIGHTS
    return (r * red + g * green + b * blue).clamp(0, 1).unsqueeze(-3)


def with_channels(images: Tensor, channels: int) -> Tensor:
    """Return images (..., c, h, w) as grey (1) or RGB (3)."""
    if images.shape[-3] == channels:
        return images
    return grey(images) if channels == 1 else torch.cat([images] * 3, dim=-3)


def fit(images: Tensor, size: int) -> Tensor:
    """Scale the shorter side of (..., c, h, w) to `size`, and crop the centre square.

    Bicubic with antialiasing; clipped to [0, 1]. Images of that size come back untouched.
    """
    h, w = images.shape[-2:]
    if (h, w) == (size, size):
        return images
    scale = size / min(h, w)
    new = (max(size, round(h * scale)), max(size, round(w * scale)))
    flat = images.reshape(-1, 1, h, w)
    if new != (h, w):
        flat = torch.nn.functional.interpolate(flat, size=new, mode="bicubic", antialias=True)
    top, left = (new[0] - size) // 2, (new[1] - size) // 2
    flat = flat[..., top : top + size, left : left + size].clamp(0, 1)
    return flat.reshape(*images.shape[:-2], size, size)


def layout(path: Path) -> tuple[int, int, int]:
    """Return (channels, height, width) of an image file from its header alone.

    Raises
    ------
    UserError
        If the file is not an image that can be read.
    """
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(0x0112, 1) >= 5  # orientation tag: 5..8 swap the axes
            width, height = image.size[::-1] if turned else image.size
            return (1 if image.mode in _GREY else 3), height, width
    except _BROKEN as error:
        raise _unreadable(str(path), error) from None


def read(file: Path | IO[bytes], name: str | None = None) -> Tensor:
    """Read one image file as (c, h, w) float32 in [0, 1]; c is 1 for grey and 3 for colour.

    Parameters
    ----------
    file : path or binary file
        PNG, JPEG, TIFF, ...; 8 or 16 bits a channel. The camera's orientation tag is obeyed.
    name : str, optional
        What to call it in an error; the path unless given.

    Raises
    ------
    UserError
        If it is no image, is broken, has transparent pixels or another kind of pixels.
    """
    name = str(file) if name is None else name
    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            pixels = _pixels(image, name)
    except UserError:
        raise
    except _BROKEN as error:
        raise _unreadable(name, error) from None
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if pixels.dtype == np.uint8:
        return from_eight_bit(pixels)
    return torch.from_numpy(pixels.astype(np.float32) / np.float32(65535))


def write_png(image: Tensor, path: Path) -> None:
    """Write one image (c, h, w), c = 1 or 3, rounded to 8 bits."""
    _picture(image).save(path)


def png_text(image: Tensor) -> str:
    """Return one image (c, h, w), c = 1 or 3, rounded to 8 bits, as a PNG in base64."""
    stream = io.BytesIO()
    _picture(image).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def from_png_text(text: str) -> np.ndarray:
    """Return the grey levels, (h, w) or (h, w, 3) uint8, of what `png_text` gave."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def _picture(image: Tensor) -> Image.Image:
    levels = to_eight_bit(image)
    return Image.fromarray(levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0))


def _pixels(image: Image.Image, name: str) -> np.ndarray:
    """Return uint8 or uint16-valued pixels, (h, w) or (h, w, 3)."""
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in _GREY else "RGBA")
        if image.getchannel("A").getextrema()[0] != 255:
            raise UserError(
                f"{name} has transparent pixels; put it on a background and save it without alpha"
            )
        image = image.convert("L" if image.mode == "LA" else "RGB")
    if image.mode in _SIXTEEN_BIT:
        pixels = np.asarray(image)
        if pixels.min() < 0 or pixels.max() > 65535:
            raise UserError(f"{name} has pixels outside 0..65535; save it with 8 or 16 bits")
        return pixels
    if image.mode == "F":
        raise UserError(
            f"{name} holds floating-point pixels; save it with 8 or 16 bits, or use from_tensor"
        )
    return np.asarray(image.convert("L" if image.mode in _GREY else "RGB"))


def _unreadable(name: str, error: Exception) -> UserError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return UserError(f"cannot read {name} as an image ({reason}); move it away or save it anew")
