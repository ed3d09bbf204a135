"""`StimulusSet`: images made on demand, with a table of one row a stimulus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.errors import UserError
from isocortex.stimuli import stimulus_checks as checks
from isocortex.stimuli import stimulus_files
from isocortex.stimuli.stimulus_checks import Selection

Source: TypeAlias = Callable[[np.ndarray], Tensor]
"""Makes the images (k, c, h, w) of the given integer rows."""


class StimulusSet:
    """Images on demand, one table row a stimulus, and their visual angle.

    Parameters
    ----------
    source : callable
        Takes an integer array of k rows, gives the images (k, c, h, w) of these rows in [0, 1].
        An image should depend on its row alone, whatever the batch.
    table : pandas.DataFrame
        One row a stimulus, in the order of the source's rows. The column `stimulus_id` is unique
        and is kept as text; all columns are lower_snake_case. Categorical columns become plain.
    degrees : float, optional
        Visual angle of the image width in degrees; None if unknown.
    shape : tuple of int
        (c, h, w) of every image; c is 1 (grey) or 3 (RGB).

    Raises
    ------
    UserError
        If ids are missing or not unique, a column name is not lower_snake_case, or the shape is
        not that of grey or RGB images.

    Notes
    -----
    Sets do not change. Slicing, ``stimuli[stimuli.table.yaw == 0]``, keeps the source and picks
    rows, so it costs nothing until images are asked for.
    """

    def __init__(
        self,
        source: Source,
        table: pd.DataFrame,
        degrees: float | None = None,
        *,
        shape: tuple[int, ...],
    ) -> None:
        self._source = source
        self._table = checks.checked_table(table)
        self._degrees = checks.checked_degrees(degrees)
        self._shape = checks.checked_shape(shape)
        self._rows = np.arange(len(self._table))
        self._checksum: str | None = None

    @property
    def table(self) -> pd.DataFrame:
        """One row a stimulus; a copy, so that changing it does not change the set."""
        return self._table.copy()

    @property
    def degrees(self) -> float | None:
        """Visual angle of the image width in degrees, or None."""
        return self._degrees

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (c, h, w) of every image."""
        return self._shape

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        degrees = "" if self._degrees is None else f", {self._degrees:g} degrees wide"
        columns = ", ".join(self._table.columns)
        return f"StimulusSet({len(self)} images of {self._shape}{degrees}; {columns})"

    def __getitem__(self, selection: Selection) -> StimulusSet:
        """Return the selected stimuli as a set that shares this one's source."""
        positions = checks.positions(selection, len(self))
        chosen = object.__new__(StimulusSet)
        chosen._source, chosen._degrees, chosen._shape = self._source, self._degrees, self._shape
        chosen._table = checks.checked_table(self._table.iloc[positions])
        chosen._rows, chosen._checksum = self._rows[positions], None
        return chosen

    def images(self, indices: Selection | None = None) -> Tensor:
        """Make images.

        Parameters
        ----------
        indices : slice, integers or boolean mask, optional
            Which stimuli, in which order; all unless given.

        Returns
        -------
        Tensor
            float32 (n, c, h, w) in [0, 1], on the device of the source.

        Raises
        ------
        UserError
            If the source gives another shape, a NaN, or values outside [0, 1]; the stimulus is
            named.
        """
        positions = (
            np.arange(len(self)) if indices is None else checks.positions(indices, len(self))
        )
        if len(positions) == 0:
            return torch.empty((0, *self._shape))
        images = self._source(self._rows[positions])
        if tuple(images.shape) != (len(positions), *self._shape):
            raise UserError(
                f"the source gave images of shape {tuple(images.shape)} where "
                f"{(len(positions), *self._shape)} was asked for; mend the source or the shape"
            )
        images = images.to(torch.float32)
        checks.check_range(images, self._table["stimulus_id"].to_numpy()[positions])
        return images

    def batches(self, size: int) -> Iterator[Tensor]:
        """Go through all images in order, at most `size` at a time.

        Yields
        ------
        Tensor
            float32 (k, c, h, w) with k = `size`, less in the last batch.
        """
        if size < 1:
            raise UserError(f"a batch needs at least one image, but its size is {size}")
        for start in range(0, len(self), size):
            yield self.images(slice(start, start + size))

    def checksum(self) -> str:
        """Return the SHA-256 of pixels, table and degrees; two sets that agree show the same."""
        if self._checksum is None:
            self._checksum = stimulus_files.checksum(
                self._table, self._shape, self._degrees, self.batches(64)
            )
        return self._checksum

    @classmethod
    def from_tensor(
        cls,
        images: Tensor | np.ndarray,
        table: pd.DataFrame | None = None,
        degrees: float | None = None,
    ) -> StimulusSet:
        """Make a set of images that are in memory.

        Parameters
        ----------
        images : Tensor or numpy.ndarray
            Floating point (n, c, h, w) in [0, 1].
        table : pandas.DataFrame, optional
            One row an image. Without a `stimulus_id` the ids are 0, 1, 2, ...
        degrees : float, optional
            Visual angle of the image width.

        Raises
        ------
        UserError
            If images are not such, or do not match the table.
        """
        tensor = torch.as_tensor(images).detach()
        if tensor.ndim != 4:
            raise UserError(
                f"images have shape {tuple(tensor.shape)} but (n, c, h, w) is needed; "
                "add the missing axes"
            )
        if not tensor.dtype.is_floating_point:
            raise UserError(
                f"images are {str(tensor.dtype).removeprefix('torch.')} but must be floating "
                "point in [0, 1]; divide 8-bit levels by 255"
            )
        table = pd.DataFrame(index=range(len(tensor))) if table is None else table
        if "stimulus_id" not in table:
            table = table.copy()
            table.insert(0, "stimulus_id", [str(i) for i in range(len(table))])
        if len(table) != len(tensor):
            raise UserError(f"{len(tensor)} images but {len(table)} table rows; give one row each")
        made = cls(
            _InMemory(tensor.to(torch.float32)), table, degrees, shape=tuple(tensor.shape[1:])
        )
        checks.check_range(tensor, made._table["stimulus_id"].to_numpy())
        return made

    @classmethod
    def from_folder(
        cls,
        path: str | Path,
        *,
        size: int | None = None,
        channels: int | None = None,
        degrees: float | None = None,
    ) -> StimulusSet:
        """Make a set of any folder of image files, which are read when asked for.

        Parameters
        ----------
        path : path
            PNG, JPEG, TIFF, ... at any depth, in the order of their paths. The path within the
            folder is the `stimulus_id`, the subfolder (if any) is the `category`. Names that
            begin with a dot are passed over.
        size : int, optional
            Scale the shorter side to this and crop the centre square; needed if sizes differ.
        channels : {1, 3}, optional
            Turn all into grey or RGB; needed if both occur.
        degrees : float, optional
            Visual angle of the image width.

        Raises
        ------
        UserError
            If there is no image, a file is no image, or sizes or channels differ and `size` or
            `channels` are not given; the files are named.
        """
        source, table, shape = stimulus_files.open_folder(Path(path), size, channels)
        return cls(source, table, degrees, shape=shape)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the set to a folder without loss: PNG files and a CSV table.

        ``images/*.png`` hold the images in order, ``stimuli.csv`` the table (with `image_file`
        added) and ``stimuli.json`` the dtypes, degrees and checksum. If any pixel is not exactly
        k/255 the PNG files are for people, and ``images.npy`` (float32) is what `load` reads.

        Parameters
        ----------
        folder : path
            Written beside under a temporary name, then moved, so it is never half there.
        overwrite : bool
            Replace a stimulus set that is there already; other folders are never replaced.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        UserError
            If the folder is not empty, cannot be written, or a column has no form in a CSV.
        """
        return stimulus_files.save(self, Path(folder), overwrite)

    @classmethod
    def load(cls, folder: str | Path) -> StimulusSet:
        """Open a set that `save` wrote; images are read when asked for.

        Raises
        ------
        UserError
            If the folder is not a saved set, or lacks a file.
        """
        source, table, degrees, shape = stimulus_files.load(Path(folder))
        return cls(source, table, degrees, shape=shape)


def concatenate(sets: Sequence[StimulusSet]) -> StimulusSet:
    """Put stimulus sets one after the other; images are still made on demand.

    Parameters
    ----------
    sets : sequence of StimulusSet
        Of one shape and one visual angle, with ids that are unique over all. Columns that a set
        lacks are missing values there.

    Raises
    ------
    UserError
        If there is no set, or shapes, degrees or ids do not go together.
    """
    sets = list(sets)
    if not sets:
        raise UserError("there is no stimulus set to concatenate; give at least one")
    first = sets[0]
    for other in sets[1:]:
        for what in ("shape", "degrees"):
            a, b = getattr(first, what), getattr(other, what)
            if a != b:
                raise UserError(
                    f"stimulus sets of {what} {a} and {b} cannot be concatenated; make them alike"
                )
    table = pd.concat([s.table for s in sets], ignore_index=True)
    return StimulusSet(_Joined(tuple(sets)), table, first.degrees, shape=first.shape)


@dataclass(frozen=True, eq=False)
class _InMemory:
    """Source of images (n, c, h, w) that are there already."""

    tensor: Tensor

    def __call__(self, rows: np.ndarray) -> Tensor:
        return self.tensor[torch.as_tensor(rows, device=self.tensor.device)]


@dataclass(frozen=True, eq=False)
class _Joined:
    """Source of sets one after the other."""

    sets: tuple[StimulusSet, ...]

    def __call__(self, rows: np.ndarray) -> Tensor:
        starts = np.cumsum([0, *map(len, self.sets)])
        owner = np.searchsorted(starts, rows, side="right") - 1
        parts, order = [], []
        for k in np.unique(owner):
            (where,) = np.nonzero(owner == k)
            parts.append(self.sets[k].images(rows[where] - starts[k]))
            order.append(where)
        images = torch.cat([part.to(parts[0].device) for part in parts])
        return images[torch.as_tensor(np.argsort(np.concatenate(order)), device=images.device)]
