"""The steps of `compare`: Grams of a network over a set of stimuli, their CKA and their RSA."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from isocortex import brains
from isocortex.analyses.encode_steps import pixel_gram
from isocortex.analyses.stimulus_sets import ShownSet
from isocortex.brains import SubjectRDMs
from isocortex.errors import UserError
from isocortex.execution import Step, tick
from isocortex.grams import ROUNDING
from isocortex.measures.similarity import (
    RSA,
    bootstrap_rsa,
    cka_intervals,
    permuted_cka,
    permuted_rsa,
    rdm,
)
from isocortex.models import load_model
from isocortex.recording import Grams, Need, grams, preflight
from isocortex.statistics import Interval, permutation_p, t_interval

GIVEN, PIXELS = "given", "pixels"
"""In the column of networks, beside ``random 1``, ``random 2``, ..."""

CHOSEN = "chosen by other subjects"
"""In the column of layers: for each subject the layer that fits the others best."""

Scaling = Literal["centre", "correlation"]

_LOCAL = ("device", "batch_size")
_QUANTILE = 0.975

_ALIKE = (ROUNDING * float(np.finfo(np.float32).eps)) ** 2
"""Distances that differ by less are the rounding of float32 responses that are all alike."""


class SetGrams(Step):
    """Grams of layers of one network over a set of stimuli.

    They lie in a folder of the cache; ``result()`` is its path. Features are not kept.
    """

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = _LOCAL
    model: str
    weights: str | None
    checksum: str = ""
    seed: int = 0
    layers: list[str]
    shown: ShownSet
    scaling: Scaling
    batch_size: int = 32
    device: str = "cpu"

    def compute(self) -> str:
        """Write the Grams into the cache and return their folder."""
        place = self.infra.uid_folder(create=True)
        assert place is not None
        folder = Path(place) / "grams"
        shutil.rmtree(folder, ignore_errors=True)
        arguments, options = self._call(folder)
        grams(
            *arguments,
            **options,
            scratch=place,
            batch_size=self.batch_size,
            progress=lambda done, total: tick(done, total, "recording"),
        )
        return str(folder)

    def need(self) -> Need:
        """Return what making the Grams takes in memory and on disk."""
        arguments, options = self._call(Path())
        return preflight(*arguments, **options, scratch=self.infra.folder)

    def _call(self, folder: Path) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments that `grams` and `preflight` share."""
        model = load_model(self.model, self.weights, seed=self.seed)
        options = {
            "scaling": self.scaling,
            # Stimuli that a layer hardly tells apart differ in the last digits of r.
            "precision": "float64" if self.scaling == "correlation" else "float32",
            "device": self.device,
            "folder": folder,
        }
        return (model, self.shown.stimuli(), self.layers), options

    def grams(self) -> Grams:
        """Return the Grams; each is read when it is used."""
        return Grams.open(self.result())


class AlignNetworks(Step):
    """Linear CKA of every layer of one network with every layer of another, and of pixels."""

    a: SetGrams
    b: SetGrams
    debiased: bool = True
    n_permutations: int = 200
    n_groups: int = 20
    seed: int = 0

    def compute(self) -> dict[str, pd.DataFrame]:
        """Return the tables ``cka`` (one row a pair of layers), ``matrix`` and ``layers``."""
        pixels = pixel_gram(self.a.shown.stimuli(), None, "centre")
        sides, tables = [], []
        for name, made in (("a", self.a.grams()), ("b", self.b.grams())):
            first = first_alike(made)
            sides.append({PIXELS: pixels, **{k: made[k] for k in first if first[k] == k}})
            tables.append(layer_table(made, first).assign(network=name))
        matrices = [list(side.values()) for side in sides]
        groups = min(self.n_groups, len(pixels))
        found = cka_intervals(*matrices, debiased=self.debiased, n_groups=groups, seed=self.seed)
        null = permuted_cka(
            *matrices, debiased=self.debiased, n_permutations=self.n_permutations, seed=self.seed
        )
        columns = {
            "cka": found.estimate,
            "low": found.low,
            "high": found.high,
            "null_mean": null.mean(axis=0),
            "null_high": np.quantile(null, _QUANTILE, axis=0),
            "p": permutation_p(found.estimate, null),
        }
        names = [list(side) for side in sides]
        index = pd.MultiIndex.from_product(names, names=["layer_a", "layer_b"])
        cka = pd.DataFrame({k: v.ravel() for k, v in columns.items()}, index=index).reset_index()
        for side, known in zip("ab", names, strict=True):
            depth = {layer: k - 1 for k, layer in enumerate(known)}
            place = cka.columns.get_loc(f"layer_{side}") + 1
            cka.insert(place, f"depth_{side}", cka[f"layer_{side}"].map(depth))
        matrix = pd.DataFrame(found.estimate, columns=names[1])
        matrix.insert(0, "layer", names[0])
        return {
            "cka": cka.assign(n_stimuli=len(pixels)),
            "matrix": matrix,
            "layers": pd.concat(tables, ignore_index=True),
        }


class AlignSubjects(Step):
    """RSA of every layer of a network with the RDMs of subjects, beside its controls."""

    own: SetGrams
    twins: list[SetGrams]
    regions: list[str]
    method: str = "spearman"
    n_draws: int = 1000
    n_permutations: int = 1000
    seed: int = 0

    def compute(self) -> dict[str, pd.DataFrame]:
        """Return the tables by name."""
        shown = self.own.shown
        measured = brains.load(shown.name, shown.data)
        made = self.own.grams()
        first = first_alike(made)
        layers = [layer for layer in first if first[layer] == layer]
        models = _Models()
        models.add(PIXELS, "", 0, pixel_gram(shown.stimuli(), None, "correlation"))
        for network, source in self._networks().items():
            each = source.grams()
            for depth, layer in enumerate(layers):
                models.add(network, layer, depth, each[layer])
        parts: dict[str, list[pd.DataFrame]] = {}
        for done, region in enumerate(self.regions):
            tick(done, len(self.regions), region)
            for name, table in self._region(models, subjects_of(measured, region)).items():
                table.insert(0, "region", region)
                parts.setdefault(name, []).append(table)
        tables = {name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()}
        return tables | {"layers": layer_table(made, first)}

    def _networks(self) -> dict[str, SetGrams]:
        return {GIVEN: self.own} | {f"random {k}": twin for k, twin in enumerate(self.twins, 1)}

    def _region(self, models: _Models, subjects: np.ndarray) -> dict[str, pd.DataFrame]:
        rdms = np.stack(models.rdms)
        options: dict[str, Any] = {"method": self.method, "seed": self.seed}
        found = bootstrap_rsa(rdms, subjects, n_draws=self.n_draws, **options)
        null = permuted_rsa(rdms, subjects, n_permutations=self.n_permutations, **options)
        table = models.table(len(subjects))
        defined = table["defined"].to_numpy()
        columns = _scores(found, null) | _contrasts(found, table[defined])
        for name, values in columns.items():
            table[name] = np.nan
            table.loc[defined, name] = values
        per_subject = np.full((len(table), len(subjects)), np.nan)
        per_subject[defined] = found.subjects
        chosen, choice = _chosen(table, per_subject)
        lower, upper = found.ceiling_intervals()
        ceiling = {
            "lower": lower.estimate, "lower_low": lower.low, "lower_high": lower.high,
            "upper": upper.estimate, "upper_low": upper.low, "upper_high": upper.high,
            "n_subjects": len(subjects), "n_stimuli": subjects.shape[-1], "method": self.method,
        }  # fmt: skip
        repeated = {
            name: np.repeat(table[name].to_numpy(), len(subjects))
            for name in ("network", "layer", "depth")
        }
        by_subject = pd.DataFrame(repeated).assign(
            subject=np.tile(np.arange(len(subjects)), len(table)), score=per_subject.ravel()
        )
        return {
            "scores": pd.concat([table, chosen], ignore_index=True),
            "ceilings": pd.DataFrame([ceiling]),
            "subjects": by_subject,
            "choice": choice,
        }


class _Models:
    """RDMs of layers and controls, in order; those that are undefined are kept apart."""

    def __init__(self) -> None:
        self.rdms: list[np.ndarray] = []
        self._rows: list[dict[str, Any]] = []

    def add(self, network: str, layer: str, depth: int, gram: np.ndarray) -> None:
        """Add the correlation RDM of a Gram."""
        d = rdm(np.asarray(gram), gram=True)
        off = d[~np.eye(len(d), dtype=bool)]
        n_undefined = int(np.isnan(d.diagonal()).sum())
        defined = bool(np.isfinite(off).all() and np.ptp(off) > _ALIKE)
        if defined:
            self.rdms.append(d)
        row = {"network": network, "layer": layer, "depth": depth, "defined": defined}
        self._rows.append(row | {"n_undefined_stimuli": n_undefined, "n_stimuli": len(d)})

    def table(self, n_subjects: int) -> pd.DataFrame:
        """Return one row a model, those that are undefined among them."""
        if not self.rdms:
            raise UserError("no layer and no control tells the stimuli apart; take other layers")
        return pd.DataFrame(self._rows).assign(n_subjects=n_subjects)


def subjects_of(measured: SubjectRDMs, region: str) -> np.ndarray:
    """Return RDMs (subjects, n, n) of a region; sessions of a subject are averaged."""
    measured.mean(region)  # says which regions there are
    rdms = measured.rdms[region]
    within = [d for d in rdms.dims if d != "subject" and not str(d).startswith("stimulus")]
    return rdms.astype(np.float64).mean(within).to_numpy()


def first_alike(made: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return, for each layer, the layer that stands for all that answer exactly alike.

    Dropout that is off, flattening, and modules that pass on what their last part gives repeat
    another layer. Of those alike the first stands for all, but for later calls of a reused module
    (``relu:2``) what holds them does.
    """
    alike: dict[bytes, list[str]] = {}
    for layer, values in made.items():
        digest = hashlib.sha256(np.ascontiguousarray(values).tobytes()).digest()
        alike.setdefault(digest, []).append(layer)
    stands: dict[str, str] = {}
    for names in alike.values():
        stands |= dict.fromkeys(names, next((n for n in names if ":" not in n), names[0]))
    return {layer: stands[layer] for layer in made}


def layer_table(made: Grams, first: Mapping[str, str]) -> pd.DataFrame:
    """Return one row a layer: its units, and the layer that it repeats."""
    return pd.DataFrame(
        {
            "layer": list(first),
            "n_units": [made.n_units[layer] for layer in first],
            "n_constant_units": [made.n_constant[layer] for layer in first],
            "same_as": [other if other != layer else "" for layer, other in first.items()],
        }
    )


def _scores(found: RSA, null: np.ndarray) -> dict[str, list[float]]:
    """Return scores with intervals, nulls, and the distance to the lower ceiling."""
    intervals = found.intervals()
    below = [found.below_ceiling(k) for k in range(len(intervals))]
    return {
        "score": [i.estimate for i in intervals],
        "low": [i.low for i in intervals],
        "high": [i.high for i in intervals],
        "null_mean": list(null.mean(axis=0)),
        "null_high": list(np.quantile(null, _QUANTILE, axis=0)),
        "p": list(permutation_p(found.scores, null)),
        **_spread("below_ceiling", below),
    }


def _contrasts(found: RSA, table: pd.DataFrame) -> dict[str, list[float]]:
    """Return how far each layer of the network is above its controls, draw by draw."""
    network, layer = table["network"].to_numpy(str), table["layer"].to_numpy(str)
    random, pixels = np.char.startswith(network, "random"), network == PIXELS
    columns: dict[str, list[float]] = {}
    for name, group in (("over_random", random), ("over_pixels", pixels)):
        differences = []
        for k in range(len(table)):
            controls = group & ((layer == layer[k]) | pixels)
            if network[k] != GIVEN or not controls.any():
                differences.append(Interval(np.nan, np.nan, np.nan))
                continue
            weights = -1.0 * controls / controls.sum()
            weights[k] += 1
            differences.append(found.contrast(weights))
        columns |= _spread(name, differences)
    return columns


def _spread(name: str, intervals: Sequence[Interval]) -> dict[str, list[float]]:
    return {
        name: [i.estimate for i in intervals],
        f"{name}_low": [i.low for i in intervals],
        f"{name}_high": [i.high for i in intervals],
    }


def _chosen(table: pd.DataFrame, per_subject: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score each network at the layer that, for each subject, fits all other subjects best."""
    rows, choices = [], []
    for network in table.loc[table["network"] != PIXELS, "network"].unique():
        mine = ((table["network"] == network) & table["defined"]).to_numpy()
        if not mine.any():
            continue
        layers, scores = table.loc[mine, "layer"].to_numpy(), per_subject[mine]
        others = (scores.sum(axis=1, keepdims=True) - scores) / (scores.shape[1] - 1)
        best = others.argmax(axis=0)
        held_out = scores[best, np.arange(scores.shape[1])]
        interval = t_interval(held_out)
        depth = table.loc[mine, "depth"].max() + 1
        row = {"network": network, "layer": CHOSEN, "depth": depth, "defined": True}
        row |= {"n_undefined_stimuli": 0}
        row |= {"score": interval.estimate, "low": interval.low, "high": interval.high}
        rows.append(row | {"n_subjects": len(held_out), "n_stimuli": table["n_stimuli"].iloc[0]})
        choices += [
            {"network": network, "subject": s, "layer": layers[k], "score": held_out[s]}
            for s, k in enumerate(best)
        ]
    return pd.DataFrame(rows), pd.DataFrame(choices)
