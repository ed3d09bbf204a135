"""Tables of the reconstruction arms: filters over training, the amplitude law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from isocortex.studies.bertoni2021.codecs import CODEC_ARMS, TrainCodec, amplitude, frequencies
from isocortex.studies.bertoni2021.measuring import log_figures

Tables = dict[str, pd.DataFrame]

LIMITS = (0.2, 0.3)
"""Frequencies in cycles per pixel up to which amplitudes are compared."""


def codec_tables(
    steps: Sequence[TrainCodec],
    found: Sequence[dict[str, Any]],
    spectral: dict[str, Any],
    noise_filters: int,
) -> Tables:
    """Return the tables of all codecs.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``codecs``: `arm`, `role`, `seed`, `step` and the figures of `log_figures`, over training.
        ``codec_pixels``: the final filters. ``amplitudes``: by `seed` and `limit` (c/px), `law_r`
        (correlation of the logarithm of the positive codec's amplitude with that of the law) and
        `phase_difference` (mean absolute difference of the amplitudes of the positive and the
        random-phase codec over the mean of the former). ``amplitude_profile``: means by frequency,
        for a figure. ``spectral``: the deterministic codecs by `locality`.
    """
    rows, pixels = [], []
    last: dict[tuple[str, int], np.ndarray] = {}
    for step, result in zip(steps, found, strict=True):
        filters: dict[int, np.ndarray] = result["filters"]
        for at, filter_ in sorted(filters.items()):
            rows.append(
                {
                    "arm": step.arm,
                    "role": CODEC_ARMS[step.arm].role,
                    "seed": step.seed,
                    "step": at,
                    **log_figures(filter_, noise_filters),
                }
            )
        last[step.arm, step.seed] = filters[max(filters)]
        pixels.append(_pixels(filters[max(filters)], arm=step.arm, seed=step.seed))
    law = spectral["law"]
    crop = len(law)
    amplitudes = {key: amplitude(filter_, crop) for key, filter_ in last.items()}
    codes = []
    for locality, code in spectral["codes"].items():
        filter_ = code.filter.numpy()
        codes.append(
            {
                "locality": locality,
                "loss": code.loss,
                "law_loss": code.law_loss,
                "worst_start": float(code.losses.max()),
                **log_figures(filter_, noise_filters),
            }
        )
        pixels.append(_pixels(filter_, arm=f"spectral, mu {locality:g}", seed=0))
    return {
        "codecs": pd.DataFrame(rows),
        "codec_pixels": pd.concat(pixels, ignore_index=True),
        "amplitudes": _compared(amplitudes, law),
        "amplitude_profile": _profiles(amplitudes, law),
        "spectral": pd.DataFrame(codes),
    }


def _pixels(filter_: np.ndarray, **names: object) -> pd.DataFrame:
    row, column = np.indices(filter_.shape).reshape(2, -1)
    return pd.DataFrame({**names, "row": row, "column": column, "weight": filter_.ravel()})


def _compared(amplitudes: dict[tuple[str, int], np.ndarray], law: np.ndarray) -> pd.DataFrame:
    radius = frequencies(len(law))
    rows = []
    for (arm, seed), values in amplitudes.items():
        if arm != "positive":
            continue
        other = amplitudes.get(("random_phase", seed))
        for limit in LIMITS:
            inside = (radius > 0) & (radius < limit)
            both = inside & (law > 0) & (values > 0)
            r = np.corrcoef(np.log(law[both]), np.log(values[both]))[0, 1]
            difference = np.nan
            if other is not None:
                apart = np.abs(values[inside] - other[inside]).mean()
                difference = float(apart / values[inside].mean())
            rows.append(
                {"seed": seed, "limit": limit, "law_r": float(r), "phase_difference": difference}
            )
    return pd.DataFrame(rows, columns=["seed", "limit", "law_r", "phase_difference"])


def _profiles(amplitudes: dict[tuple[str, int], np.ndarray], law: np.ndarray) -> pd.DataFrame:
    """Return amplitudes averaged over directions, in bins of one frequency step."""
    radius = frequencies(len(law))
    bins = np.rint(radius * len(law)).astype(int)
    rows = []
    curves = {("law", 0): law} | amplitudes
    for (arm, seed), values in curves.items():
        mean = np.bincount(bins.ravel(), values.ravel()) / np.bincount(bins.ravel())
        for k in range(len(law) // 2 + 1):
            rows.append({"arm": arm, "seed": seed, "frequency": k / len(law), "amplitude": mean[k]})
    return pd.DataFrame(rows)
