"""Peak memory of the Grams of a ResNet-50's layers at 224 px, and what the time goes into.

Random weights and images; all layers are measured with 64 stimuli and not with 1,000, whose
features would take 151 GiB of disk. The float32 features go to disk as they are
recorded and are read again by blocks of units, within a budget of 512 MiB, and Grams are written
to a folder one by one. Blocks: the outputs of the stem, of the 16 blocks, of the global mean and of
the head. All layers: each of the 182 calls of a module that has one. Each row is a process of its
own; memory is its largest resident size, imports and mapped files included, and `features` what a
matrix of all responses would take. Seconds are those of the process on one thread, whatever else
the machine does; `forward` is a bare loop, and `products` the float32 products alone, both measured
on a part and scaled to the whole.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from isocortex.grams import add_with_itself
from isocortex.models import Model, load_model
from isocortex.recording import grams, preflight
from isocortex.recording.store import size
from isocortex.stimuli import StimulusSet

BUDGET = 2**29
BATCH = 8
RUNS = (("blocks", 1000), ("all", 64))
"""Which layers, and how many stimuli: as many as a busy machine of two cores does in minutes."""
BLOCKS = ("conv1", "bn1", "relu", "maxpool", "avgpool", "fc")


class Noise:
    """Random images, made again whenever they are asked for."""

    def __call__(self, rows: Any) -> torch.Tensor:
        made = [
            torch.rand((3, 224, 224), generator=torch.Generator().manual_seed(int(r))) for r in rows
        ]
        return torch.stack(made)


def images(n: int) -> StimulusSet:
    table = pd.DataFrame({"stimulus_id": [str(i) for i in range(n)]})
    return StimulusSet(Noise(), table, shape=(3, 224, 224))


def network() -> Model:
    return load_model("torchvision:resnet50", "random", seed=0)


def layers(which: str) -> list[str]:
    names = list(network().layers)
    if which == "all":
        return names
    return [n for n in names if n in BLOCKS or (n.startswith("layer") and n.count(".") == 1)]


def once(which: str, n: int) -> str:
    """Make the Grams in this process; peak memory in MiB, seconds."""
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        made = grams(
            network(),
            images(n),
            layers(which),
            batch_size=BATCH,
            byte_budget=BUDGET,
            folder=Path(folder) / "grams",
            scratch=folder,
        )
        assert len(made) == len(layers(which))
    took = time.process_time() - began
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10} {took}"


def forward(n: int) -> float:
    """Seconds of a bare loop over n images, from three batches after a first one."""
    model = network().network
    batches = list(images(4 * BATCH).batches(BATCH))
    with torch.inference_mode():
        model(batches[0])
        began = time.process_time()
        for batch in batches[1:]:
            model(batch)
    return (time.process_time() - began) * n / (3 * BATCH)


def products(n: int, widths: list[int]) -> float:
    """Seconds of the products alone, measured on one block and scaled to all units."""
    p = BUDGET // (16 * n)
    block, total = torch.rand((n, p)), torch.zeros((n, n), dtype=torch.float64)
    began = time.process_time()
    add_with_itself(total, block)
    return (time.process_time() - began) * sum(widths) / p


def main() -> list[dict[str, Any]]:
    rows = []
    for which, n in RUNS:
        code = f"from benchmarks.grams import once; print(once({which!r}, {n}))"
        made = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        peak, seconds = map(float, made.stdout.split())
        need = preflight(network(), images(n), layers(which), byte_budget=BUDGET, folder="x")
        widths = list(need.widths.values())
        rows.append(
            {
                "layers": f"{which}: {len(widths)}",
                "stimuli": n,
                "units": f"{sum(widths):,}",
                "features": size(4 * n * sum(widths)),
                "peak memory (GiB)": peak / 2**10,
                "seconds": seconds,
                "forward (s)": forward(n),
                "products (s)": products(n, widths),
            }
        )
    return rows


if __name__ == "__main__":
    print(pd.DataFrame(main()).to_string(index=False))
