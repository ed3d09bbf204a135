"""How numbers came about: versions, timings, and the result folder that says both."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from isocortex.execution import Timing

VERSIONED = (
    "isocortex", "torch", "torchvision", "timm", "lightning-fabric", "warp-lang", "trimesh",
    "numpy", "scipy", "pandas", "zarr", "exca", "pydantic", "matplotlib",
)  # fmt: skip
"""Distributions whose versions go into the provenance."""


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that can change a number."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def timing_rows(timings: Sequence[Timing]) -> list[dict[str, Any]]:
    """Return one entry a step: its place, its seconds, and whether the cache had it."""
    return [
        {
            "step": " / ".join(timing.path),
            "seconds": round(timing.seconds, 3),
            "from_cache": timing.cached,
        }
        for timing in timings
    ]


def write_tables(
    folder: Path, tables: Mapping[str, pd.DataFrame], provenance: Mapping[str, Any]
) -> None:
    """Write ``tables/NAME.csv`` and ``provenance.json`` into an existing folder."""
    (folder / "tables").mkdir()
    for name, table in tables.items():
        table.to_csv(folder / "tables" / f"{name}.csv", index=False)
    text = json.dumps(provenance, indent=2, ensure_ascii=False)
    (folder / "provenance.json").write_text(text + "\n", encoding="utf-8")
