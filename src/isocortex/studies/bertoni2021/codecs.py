"""The reconstruction arms of the study, which ask when a filter becomes radial."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from isocortex.execution import Step, tick
from isocortex.models.codecs import CodecConfig, LinearCodec, codec
from isocortex.models.initial import seeded
from isocortex.stimuli.dead_leaves import dead_leaves
from isocortex.stimuli.photographs import whole_photographs
from isocortex.studies.bertoni2021.snapshots import Snapshot, Snapshots, milestones
from isocortex.training.fit import fit
from isocortex.training.optimisers import OptimiserConfig
from isocortex.training.reconstruction import (
    CropSource,
    crops_of,
    images_of,
    random_phase,
    reconstruct,
    standardised,
    white_noise,
)
from isocortex.training.spectral import amplitude_law, gain_of, power_spectrum, spectral_codec

SMALL_START, WIDE_START = 0.02, 0.083
SPECTRUM_CROPS = 8_192
_LEAVES = 128


@dataclass(frozen=True)
class CodecArm:
    """One arm: what its codec codes, at which price, from which beginning."""

    role: str
    images: Literal["photographs", "random_phase", "white"] = "photographs"
    penalised: bool = True
    normalised: bool = False
    initial_sd: float = SMALL_START
    decoder: Literal["linear", "network"] = "linear"


CODEC_ARMS: dict[str, CodecArm] = {
    "positive": CodecArm("positive case"),
    "unpenalised": CodecArm(
        "negative control: no price, unit variance",
        penalised=False, normalised=True, initial_sd=WIDE_START,
    ),
    "white": CodecArm("strict negative control: white noise", images="white"),
    "random_phase": CodecArm("photographs with random phases", images="random_phase"),
    "unpenalised_free": CodecArm("reported: no price, power free", penalised=False),
    "wide_start": CodecArm("reported: large initial weights", initial_sd=WIDE_START),
    "network": CodecArm("reported: decoder with a hidden layer", decoder="network"),
}  # fmt: skip
"""Name -> arm (specification 4.7)."""


class TrainCodec(Step):
    """Train one codec with one seed."""

    REMOTE: ClassVar[bool] = True
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    arm: str
    seed: int
    steps: int
    crop: int
    batch_size: int
    learning_rate: float
    noise: float
    power_penalty: float
    photographs: int
    snapshots: int = 8
    data: Path | None = None
    data_checksum: str = ""

    @property
    def title(self) -> str:
        """Name of the codec in the terminal."""
        return f"{self.arm} seed {self.seed}"

    def compute(self) -> dict[str, Any]:
        """Train; return the filters over training and the history."""
        arm = CODEC_ARMS[self.arm]
        workspace = self.workspace()
        snapshots = Snapshots(workspace, _filter)
        training = fit(
            codec(
                CodecConfig(
                    decoder=arm.decoder,
                    noise=self.noise,
                    normalised=arm.normalised,
                    initial_sd=arm.initial_sd,
                ),
                seed=self.seed,
            ),
            images_of(
                crop_source(arm.images, self.photographs, self.crop, self.data), self.batch_size
            ),
            objective=reconstruct(self.power_penalty if arm.penalised else 0.0),
            optimiser=OptimiserConfig(
                learning_rate=self.learning_rate, schedule="cosine", schedule_steps=self.steps
            ),
            steps=self.steps,
            batch_size=self.batch_size,
            seed=self.seed,
            checkpoint=workspace / "codec.pt" if workspace else None,
            checkpoint_every=200,
            device="cpu",
            progress=lambda step, total, loss: tick(step, total, f"loss {loss:.3f}"),
            observe=snapshots,
            observe_at=milestones(self.steps, self.snapshots),
        )
        filters = {step: parts["filter"] for step, parts in snapshots.kept.items()}
        return {"filters": filters, "history": training.history}


def _filter(network: nn.Module) -> Snapshot:
    assert isinstance(network, LinearCodec)
    return {"filter": network.filter.numpy().copy()}


class SpectralCodecs(Step):
    """The deterministic codec at several prices of distance, and the amplitude law."""

    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("data",)
    localities: list[float]
    starts: int
    crop: int
    noise: float
    power_penalty: float
    photographs: int
    data: Path | None = None
    data_checksum: str = ""

    def compute(self) -> dict[str, Any]:
        """Return the spectrum, the law's amplitude, and the filter of each price."""
        with seeded(0):
            crops = crop_source("photographs", self.photographs, self.crop, self.data)(
                SPECTRUM_CROPS
            )
        spectrum = power_spectrum(crops)
        law = amplitude_law(spectrum, self.noise, self.power_penalty).sqrt()
        found = {
            locality: spectral_codec(
                spectrum,
                noise=self.noise,
                power_penalty=self.power_penalty,
                locality=locality,
                starts=self.starts,
            )
            for locality in self.localities
        }
        return {"spectrum": spectrum.numpy(), "law": law.numpy(), "codes": found}


def amplitude(filter_: np.ndarray, crop: int) -> np.ndarray:
    """Return |FFT| of a filter (s, s) at the frequencies of crops, (crop, crop)."""
    gain = gain_of(torch.from_numpy(filter_).double(), (crop, crop))
    return gain.sqrt().numpy()


def frequencies(crop: int) -> np.ndarray:
    """Return the length of each wave vector in cycles per pixel, (crop, crop)."""
    f = np.fft.fftfreq(crop)
    return np.hypot(f[:, None], f)


@lru_cache(maxsize=2)
def _photographs(count: int, data: Path | None) -> tuple[Tensor, ...]:
    """Return grey photographs at half size, standardised together; dead leaves without data."""
    if data is None:
        return tuple(standardised(list(dead_leaves(min(count, 48), _LEAVES)[:, 0])))
    images = whole_photographs(data, "bsds500", split="train", count=count, halvings=1)
    return tuple(standardised(images))


@lru_cache(maxsize=4)
def crop_source(kind: str, count: int, size: int, data: Path | None) -> CropSource:
    """Return what draws the images of an arm."""
    if kind == "white":
        return white_noise(size)
    images = list(_photographs(count, data))
    if kind == "random_phase":
        images = standardised(random_phase(images))
    return crops_of(images, size)
