"""Which edges of photographs occur together, and which contour process explains it (E8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from torch import Tensor

from isocortex.execution import Step, tick
from isocortex.measures.cooccurrence import (
    EdgeList,
    centred_correlation,
    detect_edges,
    facing,
    fold_polarity,
    lattice_bias,
    log_luminance,
    one_flank,
    pair_histogram,
    pair_statistics,
    periodic_component,
    phi_centred,
    random_phase,
    symmetrise,
    turned_by_45,
    white_noise,
)
from isocortex.measures.cooccurrence.contrasts import RINGS
from isocortex.measures.lateral import displacements, positions
from isocortex.statistics import Interval, bootstrap_interval
from isocortex.stimuli.dead_leaves import dead_leaves
from isocortex.stimuli.photographs import whole_photographs
from isocortex.studies.bertoni2021.contour_models import (
    FAMILIES,
    N_ALPHA,
    RADIUS,
    Family,
    contour_families,
)

WIDE = (8.0, 20.0)
"""Distances in pixels that the claims are about."""

DISTANCES = (*RINGS, (10.0, 15.0), WIDE)
_LEAVES, _FIRST_VAL_LEAF = 160, 100_000

CONDITIONS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "photographs": lambda image, seed: image,
    "random_phase": random_phase,
    "periodic_phase": lambda image, seed: random_phase(periodic_component(image), seed),
    "white": white_noise,
    "turned": lambda image, seed: turned_by_45(image),
    "one_flank": lambda image, seed: image,
}
"""Name -> what is done to the logarithm of an image; of ``one_flank`` also to its edges."""


class Contours(Step):
    """Edge co-occurrence of photographs and controls, and its agreement with contour processes.

    Models are chosen on the training photographs and judged on the others, over which the
    bootstrap runs.
    """

    VERSION: ClassVar[str] = "3"
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    source: str = "bsds500"
    train: int
    val: int
    controls: list[str]
    candidates: int
    resamples: int
    data: Path | None = None
    data_checksum: str = ""

    @property
    def title(self) -> str:
        """Name of the photographs in the terminal."""
        return self.source

    def compute(self) -> dict[str, Any]:
        """Return the tables and the co-occurrence of the training photographs."""
        families = contour_families(self.candidates)
        conditions = ["photographs", *self.controls]
        splits = {
            "train": self._images("train", self.train),
            "val": self._images("val", self.val),
        }
        total, done = len(conditions) * sum(map(len, splits.values())), 0
        counted: dict[tuple[str, str], np.ndarray] = {}
        lattice: list[float] = []
        flanks: list[float] = []
        for condition in conditions:
            for split, images in splits.items():
                found = np.empty((len(images), N_ALPHA // 2, *[2 * RADIUS + 1] * 2), np.float32)
                for k, image in enumerate(images):
                    made = CONDITIONS[condition](log_luminance(image), k)
                    edges = detect_edges(made)
                    if condition == "photographs" and split == "val":
                        lattice.append(lattice_bias(edges).boundary)
                        flanks.append(len(np.unique(facing(edges))) / max(len(edges), 1))
                    edges = one_flank(edges) if condition == "one_flank" else edges
                    found[k] = cooccurrence(edges)
                    done += 1
                    tick(done, total, f"{condition}, {split}")
                counted[condition, split] = found
        fits = pd.concat([self._fits(counted, c, families) for c in conditions], ignore_index=True)
        contrasts = self._contrasts(counted, fits, families)
        tables = {
            "contour_statistics": pd.concat(
                [self._statistics(counted[c, "val"], c) for c in conditions], ignore_index=True
            ),
            "contour_fits": fits,
            "contour_contrasts": contrasts,
            "contour_map": contour_map({c: counted[c, "val"].sum(axis=0) for c in conditions}),
            "contour_lattice": pd.DataFrame(
                {
                    "boundary": [float(np.nanmean(lattice))],
                    "facing_edges": [float(np.mean(flanks))],
                }
            ),
        }
        for table in tables.values():
            table.insert(0, "source", self.source if self.data else "dead leaves")
        return {"tables": tables, "train": counted["photographs", "train"].sum(axis=0)}

    def _images(self, split: str, count: int) -> Sequence[Tensor]:
        if self.data is None:
            first = _FIRST_VAL_LEAF if split == "val" else 0
            return list(dead_leaves(min(count, 24), _LEAVES, first=first)[:, 0])
        if self.source == "bsds500":
            return whole_photographs(self.data, "bsds500", split=split, count=count)
        images = whole_photographs(self.data, self.source, count=2 * max(self.train, self.val))
        return images[::2][:count] if split == "train" else images[1::2][:count]

    def _statistics(self, histograms: np.ndarray, condition: str) -> pd.DataFrame:
        whole, rows = histograms.sum(axis=0, dtype=np.float64), []
        for low, high in DISTANCES:
            found = pair_statistics(whole, low, high)
            sums = ratio_sums(histograms, low, high)
            row: dict[str, Any] = {"condition": condition, "r_min": low, "r_max": high}
            for name in ("like_ratio", "axial_ratio", "slope", "cocircular", "radial", "parallel"):
                row[name] = float(getattr(found, name))
            for name in ("like_ratio", "axial_ratio"):
                interval = bootstrap_interval(sums[name], _ratio, n_resamples=self.resamples)
                row |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
            row["pairs"] = float(found.pairs)
            rows.append(row)
        return pd.DataFrame(rows)

    def _fits(
        self,
        counted: dict[tuple[str, str], np.ndarray],
        condition: str,
        families: dict[str, Family],
    ) -> pd.DataFrame:
        """Choose the best kernel of each family on the training images; r on both splits."""
        rows = []
        sums = {split: counted[condition, split].sum(axis=0) for split in ("train", "val")}
        for name, family in families.items():
            for low, high in DISTANCES:
                r = centred_correlation(family.kernels, sums["train"][None], low, high)
                best, refined = family.best(r)
                held_out = centred_correlation(sums["val"], family.kernels[best], low, high)
                rows.append(
                    {
                        "condition": condition,
                        "family": name,
                        "r_min": low,
                        "r_max": high,
                        "kernel": best,
                        **family.parameters.loc[best].to_dict(),
                        "turning": refined,
                        "at_end": family.at_end(best),
                        "r_train": float(r[best]),
                        "r_val": float(held_out),
                    }
                )
        return pd.DataFrame(rows)

    def _contrasts(
        self,
        counted: dict[tuple[str, str], np.ndarray],
        fits: pd.DataFrame,
        families: dict[str, Family],
    ) -> pd.DataFrame:
        """Return the differences that the claims are about, with intervals over photographs."""
        low, high = WIDE
        chosen = fits[(fits["r_min"] == low) & (fits["r_max"] == high)]
        kernel = {
            (row.condition, row.family): families[row.family].kernels[row.kernel]
            for row in chosen.itertuples()
        }

        photos = counted["photographs", "val"]
        seen = Agreement.of(photos, low, high)
        compared = {name: seen.with_kernel(kernel["photographs", name]) for name in FAMILIES}
        best = compared["direction"]
        found = {
            "direction - diffusion": self._difference(
                lambda w: best(w) - compared["diffusion"](w), len(photos)
            )
        }
        if ("random_phase", "val") in counted:
            control = counted["random_phase", "val"]
            sums = [ratio_sums(h, low, high)["axial_ratio"] for h in (photos, control)]
            phase = Agreement.of(control, low, high).with_kernel(
                kernel["random_phase", "direction"]
            )
            found["axial, photographs - random phase"] = bootstrap_interval(
                np.stack(sums, axis=1),
                lambda x, axis: _ratio(x[:, :, 0], axis) - _ratio(x[:, :, 1], axis),
                n_resamples=self.resamples,
            )
            found["direction, photographs - random phase"] = self._difference(
                lambda w: best(w) - phase(w), len(photos)
            )
        return pd.DataFrame([{"contrast": k, **_row(v)} for k, v in found.items()])

    def _difference(self, statistic: Callable[[np.ndarray], np.ndarray], n: int) -> Interval:
        """Bootstrap a statistic of how often each of n photographs counts."""

        def of_rows(rows: np.ndarray, axis: int) -> np.ndarray:
            return statistic((rows[..., None] == np.arange(n)).sum(axis=1).astype(float))

        return bootstrap_interval(np.arange(n), of_rows, n_resamples=self.resamples)


@dataclass(frozen=True)
class Agreement:
    """Correlations of phi-centred sums over images, for any number of times each image counts.

    Attributes
    ----------
    centred : numpy.ndarray
        (images, cells) phi-centred histograms at some distances, without their mean over cells.
    gram : numpy.ndarray
        (images, images) their products: with weights w, the sum has the squared length w' gram w.
    inside : numpy.ndarray of bool
        (side, side) the displacements.
    """

    centred: np.ndarray
    gram: np.ndarray
    inside: np.ndarray

    @classmethod
    def of(cls, histograms: np.ndarray, low: float, high: float) -> Agreement:
        """Centre the histograms (images, n_alpha, side, side) at distances from low to high."""
        inside = positions(histograms.shape[-1], r_min=low, r_max=high)
        centred = _cells(histograms.astype(np.float64), inside)
        return cls(centred, centred @ centred.T, inside)

    def with_kernel(self, kernel: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Return the correlation with a kernel as a function of weights (..., images)."""
        model = _cells(kernel[None], self.inside)[0]
        along = self.centred @ (model / np.linalg.norm(model))

        def r(weights: np.ndarray) -> np.ndarray:
            length = np.sqrt(np.einsum("...i,ij,...j->...", weights, self.gram, weights))
            found: np.ndarray = (weights @ along) / length
            return found

        return r


def _cells(histograms: np.ndarray, inside: np.ndarray) -> np.ndarray:
    cells = phi_centred(histograms)[..., inside].reshape(len(histograms), -1)
    found: np.ndarray = cells - cells.mean(axis=1, keepdims=True)
    return found


def cooccurrence(edges: EdgeList) -> np.ndarray:
    """Return where and at which relative orientation edges lie seen from each other.

    Without polarity and handedness, (n_alpha / 2, side, side).
    """
    found: np.ndarray = symmetrise(fold_polarity(pair_histogram(edges, n_alpha=N_ALPHA)))
    return found


def ratio_sums(histograms: np.ndarray, low: float, high: float) -> dict[str, np.ndarray]:
    """Return numerator and denominator of the ratios of `pair_statistics`, (images, 2) each.

    They add up over images, so that ratios of sums can be resampled without the histograms.
    """
    n, side = histograms.shape[1], histograms.shape[-1]
    alpha = np.arange(n) * 180 / n
    alpha = np.minimum(alpha, 180 - alpha)
    x, y = displacements(side)
    angle = np.rad2deg(np.arctan2(np.abs(y), np.abs(x)))
    inside = positions(side, r_min=low, r_max=high)
    same = histograms[:, alpha < 22.5].mean(axis=1, dtype=np.float64)
    crossed = histograms[:, alpha > 67.5].mean(axis=1, dtype=np.float64)

    def mean(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
        found: np.ndarray = values[:, mask].mean(axis=1)
        return found

    return {
        "like_ratio": np.stack([mean(same, inside), mean(crossed, inside)], axis=1),
        "axial_ratio": np.stack(
            [mean(same, inside & (angle < 22.5)), mean(same, inside & (angle > 67.5))], axis=1
        ),
    }


def _ratio(samples: np.ndarray, axis: int) -> np.ndarray:
    """Return the ratio of the sums over images of samples (batch, images, 2)."""
    over, under = np.moveaxis(samples.sum(axis=1), -1, 0)
    found: np.ndarray = over / np.where(under > 0, under, np.nan)
    return found


def _row(interval: Interval) -> dict[str, Any]:
    return {
        "value": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "n": interval.n,
    }


def contour_map(sums: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return what a figure shows: like-oriented and phi-centred co-occurrence by displacement.

    `like`: mean count at relative orientations below 22.5 degrees over the mean of all;
    `preferred` and `coherence` of the phi-centred histogram's double-angle mean.
    """
    parts = []
    for condition, histogram in sums.items():
        alpha = np.arange(histogram.shape[0]) * 180 / histogram.shape[0]
        alike = np.minimum(alpha, 180 - alpha) < 22.5
        centred = phi_centred(histogram.astype(np.float64))
        phase = np.tensordot(np.exp(2j * np.deg2rad(alpha)), centred, axes=1)
        row, column = np.indices(histogram.shape[1:]).reshape(2, -1)
        c = (histogram.shape[-1] - 1) // 2
        parts.append(
            pd.DataFrame(
                {
                    "condition": condition,
                    "x": column - c,
                    "y": c - row,
                    "like": (histogram[alike].mean(axis=0) / histogram.mean()).ravel(),
                    "preferred": np.rad2deg(np.angle(phase)).ravel() / 2,
                    "coherence": (np.abs(phase) / max(np.abs(phase).max(), 1e-12)).ravel(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
