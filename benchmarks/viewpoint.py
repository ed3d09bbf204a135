"""View RDM and mirror-symmetry index of 225 objects at 9 views, in layers as large as AlexNet's.

One layer of float32 responses after another, (225, 9, units), is measured by `view_rdm` and
`mirror_symmetry_index` and by a loop over objects of `numpy.corrcoef`, which computes in float64
unless told otherwise (second peer). Random numbers, repeated; times are the better of two rounds
in which the three take turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from isocortex.measures.viewpoint import mirror_symmetry_index, view_rdm

OBJECTS, VIEWS = 225, 9
LAYERS = {
    "relu1": 96 * 55 * 55,
    "pool1": 96 * 27 * 27,
    "relu2": 256 * 27 * 27,
    "pool2": 256 * 13 * 13,
    "relu3": 384 * 13 * 13,
    "relu4": 384 * 13 * 13,
    "relu5": 256 * 13 * 13,
    "pool5": 256 * 6 * 6,
    "relu6": 4096,
    "relu7": 4096,
    "fc8": 1000,
}
"""Units of the 227-pixel AlexNet."""


def ours(responses: np.ndarray) -> np.ndarray:
    return mirror_symmetry_index(view_rdm(responses))


def numpy_loop(responses: np.ndarray, dtype: type | None = None) -> np.ndarray:
    index = []
    for views in responses:
        rdm = 1 - np.corrcoef(views, dtype=dtype)
        mirrored = np.delete(rdm[:, ::-1], VIEWS // 2, axis=1)
        kept = np.delete(rdm, VIEWS // 2, axis=1)
        index.append(np.corrcoef(kept.ravel(), mirrored.ravel())[0, 1])
    return np.array(index)


def timed(
    functions: list[Callable[[np.ndarray], np.ndarray]], x: np.ndarray
) -> tuple[list[float], list[np.ndarray]]:
    """Run the functions in turn, two rounds, and return the better time and the result of each."""
    times, results = np.full(len(functions), np.inf), []
    for _ in range(2):
        results = []
        for i, function in enumerate(functions):
            start = time.perf_counter()
            results.append(function(x))
            times[i] = min(times[i], time.perf_counter() - start)
    return times.tolist(), results


def main() -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal(OBJECTS // 25 * VIEWS * max(LAYERS.values()), dtype=np.float32)
    memory = np.tile(drawn, 25)
    rows, total = [], np.zeros(3)
    for layer, units in LAYERS.items():
        x = memory[: OBJECTS * VIEWS * units].reshape(OBJECTS, VIEWS, units)
        times, (index, slow, _) = timed([ours, numpy_loop, lambda x: numpy_loop(x, np.float32)], x)
        total += times
        rows.append(row(layer, units, *times, float(np.abs(index - slow).max())))
    rows.append(row("all 11", sum(LAYERS.values()), *total, max(r["difference"] for r in rows)))
    return rows


def row(
    layer: str, units: int, seconds: float, loop: float, loop32: float, difference: float
) -> dict[str, Any]:
    return {
        "layer": layer,
        "units": units,
        "isocortex (s)": seconds,
        "numpy loop (s)": loop,
        "numpy loop in float32 (s)": loop32,
        "ratio": loop / seconds,
        "ratio to float32": loop32 / seconds,
        "difference": difference,
    }


if __name__ == "__main__":
    table = pd.DataFrame(main())
    print("| " + " | ".join(table.columns) + " |")
    print("|" + "---|" * table.shape[1])
    for values in table.itertuples(index=False, name=None):
        print(
            "| " + " | ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in values) + " |"
        )
