"""`fields`: the filters of any first layer as receptive fields, and the connections they induce.

Gabors are fitted to the filters; their overlap at every displacement is a lateral kernel, which is
measured beside permuted orientations and beside banks of blurred random filters.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.analyses.association import association_tables
from isocortex.analyses.filters import (
    blurred_filters,
    checked_filters,
    choose,
    first_layer,
    fit_filters,
    principal_colour,
)
from isocortex.analyses.lateral import Tables, Units, kernel_tables, log_where
from isocortex.analyses.provenance import versions
from isocortex.data import checksum, read_npz
from isocortex.errors import UserError, unknown
from isocortex.measures.lateral import (
    axial_ratio,
    displacements,
    filter_overlap,
    induced_kernel,
    pair_strength,
    positions,
    retain,
    strength_curve,
)
from isocortex.models import files_checksum, load_model
from isocortex.models.checkpoints import read_tensors

INDUCED = "induced"
CHECKPOINTS = (".pt", ".pth", ".safetensors")


@dataclass(frozen=True)
class FieldSettings:
    """How a first layer is measured.

    Parameters
    ----------
    surrogates : int
        Copies of each filter with random phases.
    permutations : int
        Permutations of the orientations.
    control_banks : int
        Banks of blurred random filters.
    seed : int
    device : str
        Where the Gabors of the filters and of their copies are fitted.
    """

    surrogates: int = 20
    permutations: int = 2000
    control_banks: int = 20
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True)
class FieldsResult:
    """What `fields` gives.

    Attributes
    ----------
    layer : str
        The layer, or the array of a file.
    tables : dict of str to pandas.DataFrame
        See `measure_first_layer`.
    provenance : dict
        Arguments, versions, checksums, time.
    warnings : tuple of str
        What the user should know, one line each.
    """

    layer: str
    tables: Tables
    provenance: dict[str, Any]
    warnings: tuple[str, ...]


def fields(
    model: str,
    *,
    layer: str | None = None,
    weights: str | None = None,
    settings: FieldSettings | None = None,
) -> FieldsResult:
    """Measure the first layer of a network, or filters that lie in a file.

    Parameters
    ----------
    model : str
        As `load_model` takes it, or the path of an ``.npz`` file or of a checkpoint.
    layer : str, optional
        The convolution, or the array of the file; the first that has filters of 5 px or more
        unless given.
    weights : str, optional
        As `load_model`; published ones where there are any unless given.
    settings : FieldSettings, optional

    Returns
    -------
    FieldsResult

    Raises
    ------
    UserError
        If there is no such model, file or layer, or its filters do not fit.
    """
    chosen = settings or FieldSettings()
    began, started = time.perf_counter(), datetime.now(UTC)
    name, filters, sums = filters_of(model, layer, weights, chosen.seed)
    tables = measure_first_layer(filters, chosen)
    warnings = []
    if not bool(tables["lateral"]["enough"].all()):
        kept = int(tables["filters"]["retained"].sum())
        warnings.append(
            f"{kept} of {len(filters)} filters are Gabors, too few to conclude from: connections "
            "are shown of those with the best fits"
        )
    provenance = {
        "analysis": "fields",
        "model": model,
        "layer": name,
        "weights": weights or "default",
        "settings": asdict(chosen),
        "started": started.isoformat(timespec="seconds"),
        "wall_seconds": round(time.perf_counter() - began, 2),
        "checksums": sums,
        "versions": versions(),
    }
    return FieldsResult(name, tables, provenance, tuple(warnings))


def filters_of(
    model: str, layer: str | None, weights: str | None, seed: int = 0
) -> tuple[str, Tensor, str]:
    """Return name, filters (F, C, s, s) and checksum of a model's layer or of a file's array."""
    path = Path(model).expanduser()
    if path.suffix == ".npz" or path.suffix in CHECKPOINTS:
        if path.suffix == ".npz":
            with_arrays = np.load(path, allow_pickle=False).files if path.is_file() else []
            held = {k: torch.from_numpy(v) for k, v in read_npz(path, with_arrays).items()}
        else:
            content = read_tensors(path)
            held = {k: v for k, v in content.items() if isinstance(v, Tensor)}
        fitting = [k for k, v in held.items() if v.ndim in (3, 4) and v.shape[-1] >= _SMALLEST]
        if layer is None and not fitting:
            raise UserError(f"{model} holds no filters (F, C, s, s) of 5 px or more")
        name = fitting[0] if layer is None else layer
        name = f"{name}.weight" if name not in held and f"{name}.weight" in held else name
        if name not in held:
            raise unknown(f"array in {model}", name, held)
        found = held[name].detach().double()
        found = found[:, None] if found.ndim == 3 else found
        return name, checked_filters(name, found), checksum(path)
    published = model.partition(":")[0] in ("torchvision", "timm")
    asked = weights if weights is not None else ("pretrained" if published else None)
    network = load_model(model, asked, seed=seed).network
    name, found = first_layer(network, layer)
    return name, found, files_checksum(model, asked)


_SMALLEST = 5


def measure_first_layer(filters: Tensor, settings: FieldSettings) -> Tables:
    """Fit the filters of a layer, and measure the kernel that they induce.

    Gabors are fitted to the first principal colour component of each filter; the overlap sums all
    channels. Lateral connections are looked at between retained filters (r >= 0.8, energy outside
    the principal colour at most 0.3); displacements are in pixels of the image.

    Parameters
    ----------
    filters : Tensor
        (F, C, s, s).
    settings : FieldSettings

    Returns
    -------
    dict of str to pandas.DataFrame
        ``filters`` (see `fit_filters`), ``pixels`` (the principal component), ``lateral``,
        ``null``, ``strength``, ``field``, ``polar`` (see `kernel_tables`, for the induced
        kernel), ``association``, ``streamlines``, ``control`` (log ratios of each bank of random
        filters), ``contrast`` (log ratios minus the mean of the control, with 95 % intervals over
        filters). The lateral tables carry `enough`: whether there were retained filters enough to
        conclude from.
    """
    component, outside = principal_colour(filters)
    table = fit_filters(
        component.numpy(),
        outside=outside.numpy(),
        surrogates=settings.surrogates,
        seed=settings.seed,
        device=settings.device,
    )
    chosen = choose(table)
    table["chosen"] = np.isin(table["unit"], chosen.units)
    unit, row, column = np.indices(component.shape).reshape(3, -1)
    pixels = pd.DataFrame(
        {"unit": unit, "row": row, "column": column, "weight": component.numpy().ravel()}
    )
    units = Units(chosen.units, table["orientation"].to_numpy())
    bank = filters.double().numpy()
    alive = np.abs(bank).reshape(len(bank), -1).max(axis=1) > 0
    kernel = np.zeros((len(bank), len(bank), *[2 * bank.shape[-1] - 1] * 2))
    kernel[np.ix_(alive, alive)] = induced_kernel(filter_overlap(bank[alive]))
    found = kernel_tables(
        kernel,
        bank,
        units,
        permutations=settings.permutations,
        seed=settings.seed,
        name=INDUCED,
        against_overlap=False,
    )
    found |= association_tables(kernel, bank, units, name=INDUCED, against_overlap=False)
    side = bank.shape[-1]
    control = control_table(len(chosen.units), side, settings)
    found |= {"control": control, "contrast": contrast(pair_sums(kernel, units), control)}
    for part in found.values():
        part["enough"] = chosen.enough
    return {"filters": table, "pixels": pixels, **found}


def control_table(n: int, side: int, settings: FieldSettings) -> pd.DataFrame:
    """Return the log ratios of banks of blurred random filters that pass the same selection."""
    rows = []
    for bank in range(settings.control_banks):
        filters, fits = blurred_filters(n, side, seed=settings.seed + 1000 * (bank + 1))
        kernel = induced_kernel(filter_overlap(filters))
        kept = retain(kernel, fits["orientation"].to_numpy())
        ratios = {
            "like_ratio": strength_curve(kept.kernel, kept.theta).like_ratio,
            "axial_ratio": axial_ratio(kept.kernel, kept.theta),
        }
        rows.append(
            {"bank": bank} | {k: float(log_where(k, np.array(v))) for k, v in ratios.items()}
        )
    return pd.DataFrame(rows)


def pair_sums(kernel: np.ndarray, units: Units) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return sums and counts by pair of filters, of which the ratios are made.

    Returns
    -------
    dict of str to (numpy.ndarray, numpy.ndarray)
        Of `like`, `crossed`, `axial` and `lateral` connections: (n, n) sums and counts, target by
        source. ``like_ratio`` is the mean of the first over that of the second, ``axial_ratio``
        that of the third over that of the fourth.
    """
    kept = retain(kernel, np.nan_to_num(units.theta), units.units)
    n, side = len(kept.theta), kernel.shape[-1]
    apart = ~np.eye(n, dtype=bool)
    difference = np.abs((kept.theta[None] - kept.theta[:, None] + 90) % 180 - 90)
    strength = pair_strength(kept.kernel)
    x, y = displacements(side)
    polar = np.rad2deg(np.arctan2(y, x))
    inside = positions(side, r_min=0.5)
    from_axis = np.abs((polar - kept.theta[:, None, None] + 90) % 180 - 90)
    like = ((difference < 22.5) & apart).astype(float)
    crossed = ((difference > 67.5) & apart).astype(float)
    found = {"like": (strength * like, like), "crossed": (strength * crossed, crossed)}
    for name, sector in (("axial", from_axis <= 22.5), ("lateral", from_axis >= 67.5)):
        chosen = (sector & inside).astype(float)
        sums = np.einsum("fgab,fab->fg", kept.kernel, chosen) * like
        found[name] = (sums, like * chosen.sum(axis=(1, 2))[:, None])
    return found


def contrast(
    pairs: dict[str, tuple[np.ndarray, np.ndarray]], control: pd.DataFrame, resamples: int = 2000
) -> pd.DataFrame:
    """Compare the log ratios of a layer with the mean of its control, with 95 % over filters.

    The bootstrap draws filters, each as target and as source (pairs share filters, so that
    targets are not independent; too wide where pairs do not depend on their filters), and banks of
    the control. Banks whose ratio is undefined are left
    out; `n_banks` are not.
    """
    n = len(pairs["like"][0])
    rng = np.random.default_rng(0)
    filters = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(float)
    rows = []
    for name, (over, under) in {
        "like_ratio": ("like", "crossed"),
        "axial_ratio": ("axial", "lateral"),
    }.items():
        noise = control[name].dropna().to_numpy(float)
        reference = noise.mean() if len(noise) else np.nan
        banks = (
            rng.choice(noise, (resamples, len(noise))) if len(noise) else np.full((1, 1), np.nan)
        )
        log_ratio = float(_log_ratio(pairs[over], pairs[under], np.ones((1, n)))[0])
        drawn = _log_ratio(pairs[over], pairs[under], filters) - banks.mean(axis=1)
        low, high = _bounds(drawn)
        rows.append(
            {
                "statistic": name,
                "log_ratio": log_ratio,
                "control": reference,
                "value": log_ratio - reference,
                "low": low,
                "high": high,
                "n": n,
                "n_banks": len(noise),
            }
        )
    return pd.DataFrame(rows)


def _log_ratio(
    over: tuple[np.ndarray, np.ndarray], under: tuple[np.ndarray, np.ndarray], weights: np.ndarray
) -> np.ndarray:
    """Return log ratios of means over pairs, (draws,), of filters that count (draws, n) times."""
    a, n_a, b, n_b = (((weights @ m) * weights).sum(axis=1) for m in (*over, *under))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: np.ndarray = np.log((a / n_a) / (b / n_b))
    return found


def _bounds(drawn: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return percentiles of draws; what is undefined counts as below and as above all others."""
    tail = (1 - level) / 2
    low = float(np.quantile(np.where(np.isnan(drawn), -np.inf, drawn), tail, method="lower"))
    high = float(np.quantile(np.where(np.isnan(drawn), np.inf, drawn), 1 - tail, method="higher"))
    return (low, high) if np.isfinite([low, high]).all() else (np.nan, np.nan)
