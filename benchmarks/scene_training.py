"""Training steps per second on latent scenes made on the fly, against the same images in memory.

A ResNet-18 learns distance, place and rotation of the objects, first from images that lie in memory
on its device, then from the same images rendered when they are wanted, two batches ahead in a
thread: drawn, filtered, with background and shadow. `cost` is the share of a step that rendering
adds, 1 - steps/s on the fly / steps/s from memory. On a GPU the aim is a cost below .2 at 224 px,
where the rate of rendering alone should be 10,000 images/s; without one, the sizes are those that a
CPU trains, and rendering shares its cores with the network. Both ways alternate, medians over
repetitions, seconds of the clock: what else runs on the machine slows both.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from benchmarks.scenes import scenes
from isocortex.models.resnet import ResNet
from isocortex.stimuli.scenes import LatentScenes
from isocortex.training.batches import BatchSource
from isocortex.training.fit import fit
from isocortex.training.latent_tasks import TASK_SETS, Head, Scale, latent_targets, objective
from isocortex.training.optimisers import OptimiserConfig

CPU_CASES = ((48, 16, 64, 25), (64, 16, 64, 25))
GPU_CASES = ((128, 64, 64, 100), (224, 64, 64, 100))
"""Pixels, width of the network, images a batch, steps that are timed."""

REPETITIONS = 3
AHEAD = 2
RAYS = 2


def main() -> list[dict[str, Any]]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return [measure(device, *case) for case in (GPU_CASES if device == "cuda" else CPU_CASES)]


def measure(device: str, size: int, width: int, batch: int, steps: int) -> dict[str, Any]:
    """Return the rates of one size."""
    made = scenes("procedural")
    spec = made.spec.model_copy(update={"n_images": batch * steps})
    shown = LatentScenes(spec, made.meshes, made.backgrounds, device).prepare()
    rows = np.arange(len(shown))
    table = shown.latents().assign(category_index=0, identity_index=0)
    targets = latent_targets(table, Scale.of(table)).to(device)

    def render(which: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        image = shown.render(which, size, RAYS, maps=False, eight_bit=True).image
        return image, targets[torch.from_numpy(which)]

    began = clock(device)
    parts = [render(part)[0] for part in np.split(rows, steps)]
    rendering = clock(device) - began
    images = torch.cat(parts)
    ways = {
        "memory": BatchSource(len(rows), lambda w: (images[torch.from_numpy(w)], targets[w])),
        "on the fly": BatchSource(len(rows), render, ahead=AHEAD),
    }
    rates = {name: np.empty(REPETITIONS) for name in ways}
    for k in range(-1, REPETITIONS):  # the first time warms up
        for name, source in ways.items():
            rate = steps_per_second(source, device, size, width, batch, steps if k >= 0 else 3)
            if k >= 0:
                rates[name][k] = rate
    memory, fly = (float(np.median(rates[name])) for name in ways)
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "pixels": size,
        "width": width,
        "batch": batch,
        "rendering alone, images/s": len(rows) / rendering,
        "memory, steps/s": memory,
        "on the fly, steps/s": fly,
        "cost": 1 - fly / memory,
    }


def steps_per_second(
    source: BatchSource, device: str, size: int, width: int, batch: int, steps: int
) -> float:
    """Train for some steps and return how many there were in a second."""
    head = Head(1, 1)
    network = ResNet(18, width, head.units, size=size)
    began = clock(device)
    fit(
        network,
        source,
        objective=objective(TASK_SETS["spatial"], head),
        optimiser=OptimiserConfig(name="adam", learning_rate=1e-3),
        steps=steps,
        batch_size=batch,
        seed=0,
        device=device,
    )
    return steps / (clock(device) - began)


def clock(device: str) -> float:
    """Return the time, once all work that was given to the device is done."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
