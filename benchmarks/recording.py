"""Recording all layers in one pass, against a bare forward loop; memory from 1,000 stimuli on.

The bare loop shows the same batches of 64 from the same stimulus set to the same network, in
inference mode, and keeps nothing.
The loop by hand keeps what the recording keeps, the usual way: hooks that copy, and one
concatenation at the end. Random weights and images; the best of several rounds in which all take
turns. Central columns show what the recording itself costs, the others also what it costs to
touch new memory or write files. Memory is the largest resident size of the process after any
batch, imports included.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import torch
import torchvision
from torch import Tensor, nn

from isocortex.models.convnet import PRESETS, ConvNet
from isocortex.recording import estimate, record
from isocortex.stimuli.stimulus_set import StimulusSet

BATCH = 64
ALEXNET_LAYERS = ["features.4", "features.7", "features.9", "features.11"] + [
    f"classifier.{i}" for i in (2, 5, 6)
]


def main() -> list[dict[str, Any]]:
    half = ConvNet(PRESETS["half"]).eval()
    alexnet = torchvision.models.alexnet(weights=None).eval()
    return [
        *throughput("half net, 32 px", half, (1, 32, 32), list(half.readouts.values()), 512, 25),
        *throughput("AlexNet, 224 px", alexnet, (3, 224, 224), ALEXNET_LAYERS, 192, 3),
        flat_memory(1_000, 10_000),
    ]


def throughput(
    name: str,
    network: nn.Module,
    size: tuple[int, int, int],
    layers: Sequence[str],
    n: int,
    rounds: int,
) -> list[dict[str, Any]]:
    """Time the contenders in turn, `rounds` times, and keep the best time of each."""
    images = torch.rand((n, *size), generator=torch.Generator().manual_seed(0))
    stimuli = StimulusSet.from_tensor(images)
    whole = estimate(network, stimuli, layers) / n / 2**20
    columns = estimate(network, stimuli, layers, units="centre") / n / 2**20
    kept = {"to memory": whole, "to disk": whole, "central columns": columns}

    def to_disk() -> None:
        with tempfile.TemporaryDirectory() as folder:
            record(network, stimuli, layers, batch_size=BATCH, store=Path(folder) / "r")

    contenders: dict[str, Callable[[], object]] = {
        "bare loop": lambda: bare(network, stimuli),
        "loop by hand": lambda: by_hand(network, stimuli, layers),
        "to memory": lambda: record(network, stimuli, layers, batch_size=BATCH),
        "to disk": to_disk,
        "central columns": lambda: record(network, stimuli, layers, units="centre"),
    }
    seconds = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for contender, run in contenders.items():
            start = time.perf_counter()
            run()
            seconds[contender] = min(seconds[contender], time.perf_counter() - start)
    pairs = [(ours, "bare loop") for ours in ("central columns", "to memory", "to disk")]
    return [
        row(
            f"{name}, {ours} ({kept[ours]:.2f} MiB an image)",
            f"{n / seconds[ours]:,.0f} images/s",
            f"{peer}: {n / seconds[peer]:,.0f} images/s",
            seconds[peer] / seconds[ours],
        )
        for ours, peer in [*pairs, ("to memory", "loop by hand")]
    ]


def row(recording: str, result: str, against: str, ratio: float) -> dict[str, Any]:
    return {"recording": recording, "result": result, "against": against, "ratio": ratio}


def bare(network: nn.Module, stimuli: StimulusSet) -> None:
    with torch.inference_mode():
        for batch in stimuli.batches(BATCH):
            network(batch)


def by_hand(network: nn.Module, stimuli: StimulusSet, layers: Sequence[str]) -> dict[str, Tensor]:
    kept: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    hooks = [
        network.get_submodule(layer).register_forward_hook(
            lambda module, inputs, output, layer=layer: kept[layer].append(output.clone())
        )
        for layer in layers
    ]
    bare(network, stimuli)
    for hook in hooks:
        hook.remove()
    return {layer: torch.cat(batches).flatten(1) for layer, batches in kept.items()}


def flat_memory(few: int, many: int) -> dict[str, Any]:
    """Record few and many stimuli to disk, each in a process of its own."""
    peaks, written = {}, {}
    for n in (few, many):
        command = [sys.executable, "-m", "benchmarks.recording", str(n)]
        child = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[n], written[n] = (int(x) / 2**20 for x in child.stdout.split())
    return row(
        f"{many:,} stimuli to disk, {written[many]:,.0f} MiB",
        f"{peaks[many]:,.0f} MiB of memory",
        f"{few:,} stimuli, {written[few]:,.0f} MiB: {peaks[few]:,.0f} MiB of memory",
        peaks[many] / peaks[few],
    )


def record_many(n: int) -> None:
    """Record n stimuli that are made on demand; print the peak memory and the bytes written."""
    network = ConvNet(PRESETS["half"])
    layers = [network.readouts[name] for name in ("conv2_1", "conv2_2", "fc1")]
    stimuli = StimulusSet(noise, pd.DataFrame({"stimulus_id": range(n)}), shape=(1, 32, 32))
    memory: list[int] = []

    def note(done: int, total: int) -> None:
        memory.append(psutil.Process().memory_info().rss)

    with tempfile.TemporaryDirectory() as folder:
        record(network, stimuli, layers, store=Path(folder) / "r", progress=note)
    print(max(memory), estimate(network, stimuli, layers))


def noise(rows: np.ndarray) -> Tensor:
    return torch.stack(
        [torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(int(r))) for r in rows]
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        record_many(int(sys.argv[1]))
    else:
        table = pd.DataFrame(main()).round(3).astype(str)
        for values in [tuple(table), ("---",) * table.shape[1], *table.to_numpy()]:
            print(f"| {' | '.join(values)} |")
