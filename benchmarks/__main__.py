"""Run the benchmarks and write docs/benchmarks.md: `python -m benchmarks [NAME ...]`.

Each module of this folder defines `main()`, which returns its measurements as a list of rows
(dictionaries with the same keys) or a data frame; its docstring says what is measured and how.
Benchmarks that are not named keep the section they have.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import platform
import re
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pandas as pd
import psutil
import torch

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
VERSIONED = (
    *("isocortex", "torch", "warp-lang", "numpy", "zarr", "pyvista", "rsatoolbox"),
    *("scikit-learn", "himalaya", "ikpls"),
)
INTRODUCTION = """# Benchmarks

Ratios between ways of doing the same work, measured in one run on one machine. Made by
`python -m benchmarks` (or `make bench`); no test asserts a time.
"""


def names() -> list[str]:
    """Return the names of the benchmarks."""
    return sorted(p.stem for p in HERE.glob("*.py") if not p.stem.startswith("_"))


def machine() -> str:
    """Describe the machine in words, without its name or any path."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = psutil.virtual_memory().total / 2**30
    parts = [f"{platform.system()} {platform.machine()}, {cores} CPU cores, {memory:.0f} GiB"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join(parts)


def versions() -> str:
    """Return the versions that a time depends on."""
    found = [f"Python {platform.python_version()}"]
    for name in VERSIONED:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def cell(value: object) -> str:
    """Return a value as a cell of a Markdown table: three figures, bars escaped."""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value).replace("|", "\\|")


def table(rows: pd.DataFrame) -> str:
    """Return a data frame as a Markdown table."""
    lines = ["| " + " | ".join(map(str, rows.columns)) + " |", "|" + "---|" * rows.shape[1]]
    lines += [
        "| " + " | ".join(map(cell, row)) + " |" for row in rows.itertuples(index=False, name=None)
    ]
    return "\n".join(lines)


def section(name: str) -> str:
    """Run one benchmark and return its section of the page."""
    module = importlib.import_module(f"benchmarks.{name}")
    rows = pd.DataFrame(module.main())
    title, _, text = inspect.cleandoc(module.__doc__ or name).partition("\n")
    parts = [f"## {name}", f"**{title}** {' '.join(text.split())}".strip()]
    threads = os.environ.get("OMP_NUM_THREADS")
    setting = f"OMP_NUM_THREADS={threads} " if threads else ""
    parts.append(f"`{setting}python -m benchmarks {name}`")
    parts.append(f"{machine()}. {versions()}.")
    parts.append(table(rows))
    return "\n\n".join(parts) + "\n"


def sections(page: str) -> dict[str, str]:
    """Split a page into its sections by name."""
    found = re.split(r"^(?=## )", page, flags=re.MULTILINE)[1:]
    return {text.splitlines()[0].removeprefix("## "): text.rstrip() + "\n" for text in found}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"any of {', '.join(names())}; all by default")
    chosen = parser.parse_args(arguments).name or names()
    for name in chosen:
        if name not in names():
            parser.error(f"unknown benchmark {name!r}; known: {', '.join(names())}")
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        made = section(name)
        # Only now: another run may have written its own sections meanwhile.
        written = sections(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
        written[name] = made
        kept = [written[n] for n in names() if n in written]
        partial = PAGE.with_suffix(".partial")
        partial.write_text("\n".join([INTRODUCTION, *kept]), encoding="utf-8")
        partial.replace(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
