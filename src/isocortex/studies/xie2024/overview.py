"""Tables that say what the scenes and networks of a run are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from isocortex.statistics import Interval, t_interval
from isocortex.stimuli.image_files import png_text
from isocortex.studies.xie2024.counted import LEVEL
from isocortex.studies.xie2024.networks import Network
from isocortex.studies.xie2024.scenes import SceneImages
from isocortex.training.latent_metrics import learned

SHOWN = 16
LEVELS = 32
"""Levels that a continuous latent is divided into for its bits."""


def montage(images: SceneImages) -> pd.DataFrame:
    """Return the first images of a set with their latents, as PNGs in base64."""
    pixels = images.pixels("cpu")(np.arange(SHOWN))
    table = images.latents().head(SHOWN)
    columns = ["category", "x", "y", "z", "pitch", "yaw", "roll", "visible_fraction"]
    return table[columns].assign(png=[png_text(image) for image in pixels])


def training_table(
    networks: Sequence[Network], own: Mapping[str, pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Return the metrics of every network after training, and whether it learned.

    Parameters
    ----------
    networks : sequence of Network
    own : mapping of str to DataFrame, optional
        Metrics, on held-out images of the variability that they were trained on, of networks that
        saw less than the full one, by title. Images of full variability would ask them for what
        they never saw.

    Returns
    -------
    pandas.DataFrame
        One row a network, task and metric; `learned` as of `latent_metrics.learned`.
    """
    own = own or {}
    tables = []
    for network in networks:
        outcome = network.result()
        metrics = outcome["metrics"]
        if metrics.empty:
            row = {"task": "", "metric": "", "value": np.nan, "learned": True, "step": 0}
            tables.append(pd.DataFrame([row]).assign(**network.identity))
            continue
        last = metrics[metrics["step"] == network.steps]
        last = own.get(network.title, last).assign(step=network.steps)
        tables.append(last.assign(learned=learned(last), **network.identity))
    columns = ["task_set", "variant", "seed", "step", "task", "metric", "value", "learned"]
    return pd.concat(tables, ignore_index=True)[columns]


def curve_correlations(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the correlation of performance and alignment over each run, also beyond time.

    Both rise with training; the partial correlation is that of what is left of each after a line
    on log(step + 1), which says whether alignment follows performance or the clock.

    Parameters
    ----------
    curves : pandas.DataFrame
        Columns ``task_set``, ``variant``, ``seed``, ``step``, ``performance``, ``A``.

    Returns
    -------
    pandas.DataFrame
        One row a run: ``r``, ``partial_r`` (NaN where one side does not vary), ``n`` snapshots.
    """
    rows = []
    for key, run in curves.groupby(["task_set", "variant", "seed"], sort=False):
        time = np.log1p(run["step"].to_numpy(dtype=float))
        sides = [run[name].to_numpy(dtype=float) for name in ("performance", "A")]
        design = np.column_stack([np.ones_like(time), time])
        left = [side - design @ np.linalg.lstsq(design, side, rcond=None)[0] for side in sides]
        rows.append(
            dict(zip(("task_set", "variant", "seed"), key, strict=True))
            | {"r": _r(*sides), "partial_r": _r(*left), "n": len(run)}
        )
    return pd.DataFrame(rows)


def mean_correlation(r: np.ndarray) -> Interval:
    """Return the mean of correlations by Fisher's z, with Student's t over runs.

    Parameters
    ----------
    r : array (runs,)
        NaN for a run without one, which is left out. A correlation of 1 counts as .999999.
    """
    known = r[np.isfinite(r)]
    z = t_interval(np.arctanh(np.clip(known, -0.999999, 0.999999)), level=LEVEL)
    mean, low, high = np.tanh([z.estimate, z.low, z.high]).tolist()
    return Interval(mean, low, high, z.level, z.n, "t")


def _r(first: np.ndarray, second: np.ndarray) -> float:
    if len(first) < 4 or min(np.ptp(first), np.ptp(second)) < 1e-12:
        return math.nan
    return float(np.corrcoef(first, second)[0, 1])


def bits_per_image(images: SceneImages) -> pd.DataFrame:
    """Return how many bits of supervision each target gives with an image.

    Classes: the entropy of their frequencies. Continuous latents: the entropy of their joint
    histogram cannot be had from few images; each latent is divided into `LEVELS` equal parts of its
    range and taken as independent, which is an upper bound for latents that depend on each other.
    """
    latents = images.latents()
    groups = {
        "category": ["category_index"],
        "identity": ["identity_index"],
        "distance": ["z"],
        "translation": ["x", "y"],
        "rotation": ["pitch", "yaw", "roll"],
    }
    rows = []
    for target, columns in groups.items():
        bits = 0.0
        for column in columns:
            values = latents[column].to_numpy(dtype=float)
            if column.endswith("_index"):
                counts = np.unique(values, return_counts=True)[1]
            else:
                counts = np.histogram(values, LEVELS)[0]
            share = counts[counts > 0] / counts.sum()
            bits += float(-(share * np.log2(share)).sum())
        rows.append({"target": target, "bits": bits, "levels": LEVELS, "n": len(latents)})
    return pd.DataFrame(rows)
