"""Where the units of a layer lie: its shape, and the channel and place of every unit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from isocortex.errors import UserError


@dataclass(frozen=True)
class Layout:
    """One layer's answer to one presentation.

    Parameters
    ----------
    layer : str
        The layer's name.
    shape : tuple of int
        ``(d,)`` of a fully connected layer, ``(tokens, d)`` of a transformer, ``(c, h, w)`` of a
        map. ``()`` (one number) counts as ``(1,)``.

    Raises
    ------
    UserError
        If the shape is none of these, or holds no unit.

    Notes
    -----
    Units are in the row-major order of the shape. Four-dimensional outputs are read as
    (n, c, h, w), three-dimensional ones as (n, tokens, d). Tokens lie on a square grid where
    their number is a square, or a square and one more, in which case the first is the class
    token and has no place; other numbers of tokens have no places.
    """

    layer: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        shape = tuple(int(s) for s in self.shape) or (1,)
        object.__setattr__(self, "shape", shape)
        if len(shape) > 3 or 0 in shape:
            raise UserError(
                f"layer {self.layer!r} answers an image with shape {shape}, but units are "
                "recorded from (d,), (tokens, d) or (channels, height, width); choose another layer"
            )

    @property
    def n_units(self) -> int:
        """Number of units."""
        return math.prod(self.shape)

    @property
    def grid(self) -> tuple[int, int] | None:
        """Height and width of the map or of the token grid; None where there is no place."""
        if len(self.shape) == 3:
            return self.shape[1], self.shape[2]
        if len(self.shape) == 2:
            side = math.isqrt(self.shape[0])
            return (side, side) if self.shape[0] - side**2 in (0, 1) else None
        return None

    def unit_indices(self) -> np.ndarray:
        """Return 0, 1, ... in `shape`, the number of each unit in row-major order."""
        return np.arange(self.n_units).reshape(self.shape)

    def centre(self) -> np.ndarray:
        """Return the numbers of the units in the central column, one a channel.

        The column is at (h // 2, w // 2): the very centre of odd sizes, the lower right of the
        four central places of even ones. Layers without places are central as a whole.

        Raises
        ------
        UserError
            If the layer has tokens that lie on no square grid.
        """
        indices = self.unit_indices()
        if len(self.shape) == 1:
            return indices
        if self.grid is None:
            raise UserError(
                f"the {self.shape[0]} tokens of layer {self.layer!r} are no square grid and have "
                "no centre; record it with units='all' or units=Projection(k, seed)"
            )
        y, x = self.grid[0] // 2, self.grid[1] // 2
        if len(self.shape) == 3:
            return indices[:, y, x]
        prefix = self.shape[0] - math.prod(self.grid)
        return indices[prefix + y * self.grid[1] + x]

    def central_block(self) -> np.ndarray:
        """Return the numbers of the units at the central places, channel by channel.

        These are the two central rows and columns of even sizes and the one of odd sizes: four
        places of most maps, and always mirror-symmetric about the centre. Layers without places are
        central as a whole.

        Raises
        ------
        UserError
            If the layer has tokens that lie on no square grid.
        """
        indices = self.unit_indices()
        if len(self.shape) == 1 or self.grid is None:
            return self.centre()
        rows, columns = (slice((n - 1) // 2, n // 2 + 1) for n in self.grid)
        if len(self.shape) == 3:
            return indices[:, rows, columns].ravel()
        tokens = indices[self.shape[0] - math.prod(self.grid) :].reshape(*self.grid, -1)
        return np.moveaxis(tokens[rows, columns], -1, 0).ravel()

    def table(self) -> pd.DataFrame:
        """Return one row a unit: layer, channel, y, x; the last two are NA without a place."""
        channel, y, x = self._places()
        return pd.DataFrame(
            {
                "layer": pd.Series(self.layer, index=range(self.n_units), dtype="str"),
                "channel": pd.array(channel.ravel(), dtype="Int64"),
                "y": _integers(y),
                "x": _integers(x),
            }
        )

    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return channel, y and x of every unit; y and x are -1 without a place."""
        if len(self.shape) == 3:
            channel, y, x = np.indices(self.shape)
            return channel, y, x
        channel = np.broadcast_to(np.arange(self.shape[-1]), self.shape)
        y, x = np.full(self.shape, -1), np.full(self.shape, -1)
        if self.grid is not None:
            rows, columns = np.indices(self.grid).reshape(2, -1, 1)
            prefix = self.shape[0] - len(rows)
            y[prefix:], x[prefix:] = rows, columns
        return channel, y, x


def _integers(values: np.ndarray) -> pd.api.extensions.ExtensionArray:
    """Return nullable integers, NA where `values` is negative."""
    return pd.arrays.IntegerArray(values.ravel().astype(np.int64), values.ravel() < 0)
