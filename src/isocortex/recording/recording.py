"""`Recording`: responses of presentations x neuroids, layer by layer, in memory or on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from isocortex.errors import UserError, unknown
from isocortex.grams import Scaling
from isocortex.recording.gram_files import Grams, Writer
from isocortex.recording.grams import Precision, grams_of
from isocortex.recording.layout import Layout
from isocortex.recording.store import Store
from isocortex.recording.subsample import RULES, Rule, rule_from


class Recording:
    """What the units of some layers answered to every stimulus.

    ``recording[layer]`` is a `numpy.ndarray` (presentation, neuroid); `units` tells which unit
    each neuroid is. Made by `record`, or opened from disk by `Recording.open`.

    Parameters
    ----------
    responses : mapping
        Layer names, in order, to arrays (presentation, neuroid); arrays on disk are read when
        asked for.
    layouts : mapping
        Layer names to where their units lie.
    rule : Rule
        Which units were kept.
    path : Path, optional
        The folder on disk, if there is one.
    store : Store, optional
        What is in that folder.
    """

    def __init__(
        self,
        responses: Mapping[str, Any],
        layouts: Mapping[str, Layout],
        rule: Rule,
        path: Path | None = None,
        store: Store | None = None,
    ) -> None:
        self._responses = dict(responses)
        self._store = store
        self._layouts = dict(layouts)
        self._rule = rule
        self.path = path

    @classmethod
    def open(cls, path: str | Path) -> Recording:
        """Open a complete recording that `record` wrote to `path`.

        Raises
        ------
        UserError
            If there is no recording, or one that was cut short.
        """
        store = Store.open(Path(path))
        if not store.complete:
            raise UserError(
                f"the recording at {path} was cut short after {store.finished} of "
                f"{store.contents.n} presentations; record with the same arguments to go on"
            )
        return cls.of_store(store)

    @classmethod
    def of_store(cls, store: Store) -> Recording:
        """Return what a store holds."""
        layouts = {name: Layout(name, shape) for name, shape in store.contents.layers.items()}
        return cls(store.arrays, layouts, rule_from(store.contents.units), store.path, store)

    @property
    def layers(self) -> list[str]:
        """Names of the layers, in the order in which they were asked for."""
        return list(self._responses)

    @property
    def n_presentations(self) -> int:
        """Number of presentations; one a stimulus, in the order of the stimulus set."""
        return int(next(iter(self._responses.values())).shape[0])

    def width(self, layer: str) -> int:
        """Return the number of neuroids of a layer."""
        if layer not in self._responses:
            raise unknown("layer of the recording", str(layer), self._responses)
        return int(self._responses[layer].shape[1])

    def __contains__(self, layer: object) -> bool:
        return layer in self._responses

    def __iter__(self) -> Iterator[str]:
        return iter(self._responses)

    def __repr__(self) -> str:
        widths = ", ".join(f"{name} {a.shape[1]}" for name, a in self._responses.items())
        where = f" at {self.path}" if self.path else ""
        return f"Recording({self.n_presentations} presentations; {widths}){where}"

    def __getitem__(self, layer: str) -> np.ndarray:
        """Return all responses of a layer, (presentation, neuroid)."""
        return self.read(layer)

    def read(self, layer: str, rows: slice = slice(None)) -> np.ndarray:
        """Return the responses of a layer to some presentations.

        Parameters
        ----------
        layer : str
            One of `layers`.
        rows : slice
            Which presentations; of a recording on disk only these are read.

        Returns
        -------
        numpy.ndarray
            (presentation, neuroid), float32 or float16 as recorded.

        Raises
        ------
        UserError
            If the layer was not recorded.
        """
        if layer not in self._responses:
            raise unknown("layer of the recording", str(layer), self._responses)
        return np.asarray(self._responses[layer][rows])

    def read_units(self, layer: str, units: slice) -> np.ndarray:
        """Read some units of a layer, for all presentations.

        Parameters
        ----------
        layer : str
            One of `layers`.
        units : slice
            Which units; of a recording on disk only these are read.

        Returns
        -------
        numpy.ndarray
            (presentation, neuroid), float32 or float16 as recorded; a view where it is in memory.

        Raises
        ------
        UserError
            If the layer was not recorded, or the folder has been damaged.
        """
        if layer not in self._responses:
            raise unknown("layer of the recording", str(layer), self._responses)
        if self._store is not None:
            return self._store.read_units(layer, units)
        return np.asarray(self._responses[layer][:, units])

    def gram(
        self,
        layer: str,
        *,
        scaling: Scaling = "none",
        precision: Precision = "float32",
        byte_budget: int = 2**30,
        device: str | torch.device = "cpu",
    ) -> np.ndarray:
        """Return the Gram ``X X^T`` of a layer over presentations, summed over blocks of units.

        Parameters
        ----------
        layer : str
            One of `layers`.
        scaling : {"none", "centre", "zscore", "correlation"}
            What is done to features first: nothing; each unit less its mean over presentations;
            z-scored over them, units without variance left out; each presentation less its mean
            over units and over its norm, for Pearson's r between presentations. See
            `isocortex.grams.summed`.
        precision : {"float32", "float64"}
            What products within a block are made in; blocks are always summed in float64.
        byte_budget : int
            Most bytes of a block of units, its scaled copy included.
        device : str or torch.device
            Where products are made.

        Returns
        -------
        numpy.ndarray
            (n, n), float64; `measures.encoding` and `measures.similarity` take it as it is.

        Raises
        ------
        UserError
            If the layer was not recorded, the scaling, precision or device is not there, or the
            Gram does not fit into memory.

        See Also
        --------
        grams : all layers, with the number of units that do not vary.
        """
        return self.grams(
            [layer], scaling=scaling, precision=precision, byte_budget=byte_budget, device=device
        )[layer]

    def grams(
        self,
        layers: Sequence[str] | None = None,
        *,
        scaling: Scaling = "none",
        precision: Precision = "float32",
        byte_budget: int = 2**30,
        device: str | torch.device = "cpu",
        folder: str | Path | None = None,
        announce: Callable[[str], object] | None = None,
    ) -> Grams:
        """Return the Grams of several layers; all if `layers` is None.

        With a `folder` they are written there one by one and memory holds one at a time
        (`Grams.open` reads them). `announce` is given one line that says what the call needs before
        it begins. The other parameters and errors are those of `gram`.
        """
        writer = None if folder is None else Writer(Path(folder), scaling)
        made = grams_of(
            self,
            list(self) if layers is None else list(layers),
            scaling=scaling,
            precision=precision,
            byte_budget=byte_budget,
            device=device,
            announce=announce,
            writer=writer,
        )
        if writer is not None:
            writer.finish()
        return made

    def units(self, layer: str) -> pd.DataFrame:
        """Return which unit each neuroid of a layer is.

        Returns
        -------
        pandas.DataFrame
            One row a neuroid: `layer`, `channel`, `y`, `x`. The place in the layer's map or token
            grid counts from 0 at the top left; it is NA in layers without one. Recordings under a
            `Projection` have a column `component` beside them (see `Projection.table`).
        """
        return self._rule.table(self.layout(layer))

    def layout(self, layer: str) -> Layout:
        """Return the shape of a layer and where its units lie, whichever were kept."""
        if layer not in self._layouts:
            raise unknown("layer of the recording", str(layer), self._layouts)
        return self._layouts[layer]

    def maps(self, layer: str, rows: slice = slice(None)) -> np.ndarray:
        """Return the responses of a convolutional layer as maps (presentation, c, h, w).

        Raises
        ------
        UserError
            If the layer has no maps, or only some of its units were recorded.
        """
        layout = self.layout(layer)
        if len(layout.shape) != 3:
            raise UserError(
                f"layer {layer!r} has no maps, an answer has shape {layout.shape}; "
                "take recording[layer]"
            )
        if self._rule != RULES["all"]:
            raise UserError(f"maps of layer {layer!r} need all its units; record with units='all'")
        return self.read(layer, rows).reshape(-1, *layout.shape)
