"""The steps of `encode`: Grams of a network's layers, and responses predicted from them."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isocortex import brains
from isocortex.brains import Assembly
from isocortex.errors import UserError, unknown
from isocortex.execution import Step, tick
from isocortex.grams import Scaling as AnyScaling
from isocortex.measures.encoding import (
    Encoding,
    LayerChoice,
    as_folds,
    best_layer,
    pls_cv,
    ridge_cv,
    stratified_shuffle,
)
from isocortex.measures.encoding.folds import Fold
from isocortex.models import load_model
from isocortex.recording import Grams, Need, grams, preflight
from isocortex.stimuli import StimulusSet

Scaling = Literal["centre", "zscore"]
Method = Literal["ridge", "pls", "brainscore"]

BRAINSCORE_SPLITS, BRAINSCORE_COMPONENTS, BRAINSCORE_SEED = 10, 25, 1
"""Of Brain-Score's protocol, see `measures.encoding.brain_score`."""

SELECTION_FOLDS = 3
"""Folds among the training stimuli on which layers are compared by partial least squares; ridge
compares them by the same leave-one-out that chooses the penalty."""

_LOCAL = ("device", "batch_size", "data")
"""Fields that change where and how fast, and not what."""


def presented(dataset: str, data: str | None, n: int | None, seed: int) -> Assembly:
    """Load an assembly that has images; of more than `n` presentations `n` are drawn.

    Raises
    ------
    UserError
        If it has no images, or too few presentations.
    """
    assembly = brains.load_assembly(dataset, data)
    if assembly.stimuli is None:
        raise UserError(
            f"{dataset} comes without its images, so that no network can be shown them; take "
            "another recording (isocortex data lists them)"
        )
    if n is None or n == len(assembly):
        return assembly
    if not 0 < n < len(assembly):
        raise UserError(f"{dataset} has {len(assembly)} presentations, not {n}; ask for fewer")
    rows = np.random.default_rng(seed).permutation(len(assembly))[:n]
    return assembly.take(np.sort(rows))


class LayerGrams(Step):
    """Grams of layers of one network over the presentations of one recording.

    The Grams lie in a folder of the cache; ``result()`` is its path. Features are not kept.
    """

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = _LOCAL
    model: str
    weights: str | None
    checksum: str = ""
    seed: int = 0
    layers: list[str]
    dataset: str
    dataset_checksum: str
    n_presentations: int | None = None
    draw_seed: int = 0
    scaling: Scaling = "centre"
    batch_size: int = 32
    device: str = "cpu"
    data: str | None = None

    def compute(self) -> str:
        """Write the Grams into the cache and return their folder."""
        folder = self._folder()
        scratch = folder.with_name("features")
        for left_by_a_kill in (folder, scratch):
            shutil.rmtree(left_by_a_kill, ignore_errors=True)
        scratch.mkdir()
        self._made(folder, scratch)
        scratch.rmdir()
        return str(folder)

    def grams(self) -> Grams:
        """Return the Grams; without a cache they are held in memory."""
        if self.infra.folder is None:
            return self._made(None, None)
        return Grams.open(self.result())

    def need(self) -> Need:
        """Return what making the Grams takes in memory and on disk."""
        arguments, options = self._call(Path())
        del options["batch_size"]
        return preflight(*arguments, **options, scratch=self.infra.folder)

    def _folder(self) -> Path:
        place = self.infra.uid_folder(create=True)
        assert place is not None
        return Path(place) / "grams"

    def _call(self, folder: Path | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of `grams`."""
        assembly = presented(self.dataset, self.data, self.n_presentations, self.draw_seed)
        model = load_model(self.model, self.weights, seed=self.seed)
        return (model, assembly.stimuli, self.layers), {
            "scaling": self.scaling,
            "batch_size": self.batch_size,
            "device": self.device,
            "folder": folder,
        }

    def _made(self, folder: Path | None, scratch: Path | None) -> Grams:
        arguments, options = self._call(folder)
        return grams(
            *arguments,
            **options,
            scratch=scratch,
            progress=lambda done, total: tick(done, total, "recording"),
        )


class Encode(Step):
    """Predict recorded responses from each layer, and from the layer that training data choose."""

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("device",)
    layers: LayerGrams
    method: Method = "ridge"
    folds: int = 5
    n_components: int = 25
    how: str = "median_neuroids_mean_splits"
    seed: int = 0
    device: str = "cpu"

    def compute(self) -> LayerChoice:
        """Return every layer by itself and the nested choice."""
        source = self.layers
        assembly = presented(source.dataset, source.data, source.n_presentations, source.draw_seed)
        made = source.grams()
        features = ScaledGrams(made, self.device)
        n_folds = BRAINSCORE_SPLITS if self.method == "brainscore" else self.folds
        total = len(features) * (1 if self.method == "ridge" else 1 + n_folds)
        done = 0

        def method(*arguments: Any, **options: Any) -> Encoding:
            nonlocal done
            result = fit(self.method, self.n_components)(*arguments, **options)
            done += 1
            tick(done, total, "layers and folds")
            return result

        return best_layer(
            features,
            assembly.responses.to_numpy(),
            folds=outer_folds(self.method, self.folds, assembly, self.seed),
            selection="inner" if self.method == "ridge" else SELECTION_FOLDS,
            how=self.how,
            method=method,
            gram=True,
            seed=self.seed,
        )


class EncodePixels(Step):
    """Predict recorded responses from the images themselves, in the same folds."""

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("device", "data")
    dataset: str
    dataset_checksum: str
    n_presentations: int | None = None
    draw_seed: int = 0
    scaling: Scaling = "centre"
    sides: tuple[int, ...] = (14,)
    method: Method = "ridge"
    folds: int = 5
    n_components: int = 25
    seed: int = 0
    device: str = "cpu"
    data: str | None = None

    def compute(self) -> dict[str, Encoding]:
        """Return one result for the pixels as they are and one for each smaller size."""
        assembly = presented(self.dataset, self.data, self.n_presentations, self.draw_seed)
        assert assembly.stimuli is not None
        y = assembly.responses.to_numpy()
        folds = outer_folds(self.method, self.folds, assembly, self.seed)
        found = {}
        for side in (*self.sides, None):
            made = pixel_gram(assembly.stimuli, side, self.scaling)
            name = "pixels" if side is None else f"pixels {side} x {side}"
            found[name] = fit(self.method, self.n_components)(
                scaled(made, self.device), y, folds=folds, gram=True, seed=self.seed
            )
        return found


def pixel_gram(stimuli: StimulusSet, side: int | None, scaling: AnyScaling) -> np.ndarray:
    """Return the Gram of pixels; means over areas of `side` x `side` if a side is given."""

    def shrink(images: Tensor) -> Tensor:
        return images if side is None else F.adaptive_avg_pool2d(images, side)

    flat = nn.Sequential(nn.Flatten())
    return grams(flat, stimuli, "0", scaling=scaling, transform=shrink)["0"]


def fit(method: str, n_components: int) -> Any:
    """Return `ridge_cv` with leave-one-out, or `pls_cv` with the components of the method."""
    if method == "ridge":
        return functools.partial(ridge_cv, inner="loo")
    if method == "pls":
        return functools.partial(pls_cv, n_components=n_components)
    if method == "brainscore":
        return functools.partial(pls_cv, n_components=BRAINSCORE_COMPONENTS)
    raise unknown("method", method, get_args(Method))


def outer_folds(method: str, folds: int, assembly: Assembly, seed: int) -> list[Fold]:
    """Return the folds that are reported: random ones, or the splits of Brain-Score's protocol.

    These are 10 random tenths, stratified by the column `object_name` of the presentations where
    there is one, drawn with the protocol's own seed.
    """
    if method != "brainscore":
        return as_folds(folds, len(assembly), seed=seed)
    table = assembly.presentations
    labels = table["object_name"] if "object_name" in table else np.zeros(len(table))
    return stratified_shuffle(
        np.asarray(labels), BRAINSCORE_SPLITS, test_share=0.1, seed=BRAINSCORE_SEED
    )


class ScaledGrams(Mapping[str, Tensor]):
    """Grams with mean diagonal 1, so that penalties mean the same for every layer.

    Each is read when it is asked for: a folder of Grams never lies in memory as a whole.
    """

    def __init__(self, grams: Mapping[str, np.ndarray], device: str = "cpu") -> None:
        self._grams, self._device = grams, device

    def __getitem__(self, layer: str) -> Tensor:
        return scaled(self._grams[layer], self._device)

    def __iter__(self) -> Iterator[str]:
        return iter(self._grams)

    def __len__(self) -> int:
        return len(self._grams)


def scaled(gram: np.ndarray, device: str = "cpu") -> Tensor:
    """Return a Gram over the mean of its diagonal; one without variance stays 0."""
    k = torch.from_numpy(np.array(gram)).to(device)
    size = k.diagonal().mean()
    return k / size if size > 0 else k
