"""A result folder as one page of Markdown: what was run, when, with what, and every verdict."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import yaml

from isocortex.errors import UserError

SEED_FIELDS = ("seed", "seeds")


def summary(folder: Path) -> str:
    """Return the Markdown page of a result folder.

    Parameters
    ----------
    folder : Path
        What ``isocortex study --out`` wrote.

    Returns
    -------
    str
        Title, run (date, wall time, versions, seeds), claims board, all parts, steps with times.

    Raises
    ------
    UserError
        If a file of a result folder is missing or damaged.
    """
    try:
        provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        board = pd.read_csv(folder / "claims.csv", keep_default_na=False)
        parts = pd.read_csv(folder / "tables" / "claim_parts.csv", keep_default_na=False)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(
            f"{folder} is not a whole result folder ({error}); make one with: isocortex study NAME"
            " --out FOLDER"
        ) from error
    steps = pd.DataFrame(provenance["timings"])
    shown = [c for c in ("id", "condition", "claim", "paper", "value", "low", "high", "n",
                         "threshold", "verdict", "reason") if c in board]  # fmt: skip
    listed = [c for c in ("id", "condition", "text", "test", "threshold", "value", "low", "high",
                          "n", "verdict") if c in parts]  # fmt: skip
    counts = board["verdict"].value_counts()
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return "\n".join(
        [
            f"# {provenance['study']}, preset {provenance['preset']}",
            "",
            f"Verdicts: {said}.",
            "",
            "## Run",
            "",
            table(_run(provenance, config)),
            "",
            "## Claims",
            "",
            "The numbers are those of the part that decides; all parts stand below.",
            "",
            table(board[shown]),
            "",
            "## Parts of the claims",
            "",
            table(parts[listed]),
            "",
            "## Steps",
            "",
            table(_by_group(steps)),
            "",
        ]
    )


def table(frame: pd.DataFrame) -> str:
    """Return a data frame as a Markdown table, numbers with three digits, no index."""
    lines = [
        "| " + " | ".join(map(str, frame.columns)) + " |",
        "|" + "---|" * frame.shape[1],
    ]
    for row in frame.itertuples(index=False):
        lines.append("| " + " | ".join(_cell(value) for value in row) + " |")
    return "\n".join(lines)


def _cell(value: object) -> str:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return str(value).replace("|", "\\|").replace("\n", " ")
    if number != number:
        return ""
    return str(int(number)) if number == int(number) else f"{number:.3f}"


def _run(provenance: dict, config: dict) -> pd.DataFrame:
    versions = ", ".join(f"{name} {number}" for name, number in provenance["versions"].items())
    rows = {
        "date (UTC)": provenance["started"],
        "command": " ".join(
            [f"isocortex study {provenance['study']} --preset {provenance['preset']}"]
            + [f"--set {assignment}" for assignment in provenance["overrides"]]
        ),
        "wall time": f"{provenance['wall_seconds'] / 60:.1f} min, "
        f"{sum(t['seconds'] for t in provenance['timings']) / 60:.1f} min of computed steps",
        "seeds": ", ".join(_seeds(config)),
        "data": provenance["data"],
        "versions": versions,
        "claims' checksum": provenance["claims_checksum"],
        "noticed": "; ".join(provenance["warnings"]) or "nothing",
    }
    return pd.DataFrame({"what": rows.keys(), "value": rows.values()})


def _seeds(config: dict, prefix: str = "") -> list[str]:
    found = []
    for key, value in config.items():
        if isinstance(value, dict):
            found += _seeds(value, f"{prefix}{key}.")
        elif key in SEED_FIELDS:
            found.append(f"{prefix}{key} = {value}")
    return found


def _by_group(steps: pd.DataFrame) -> pd.DataFrame:
    group = steps["step"].str.split(" / ").str[0].rename("step")
    grouped = steps["seconds"].groupby(group, sort=False)
    return pd.DataFrame(
        {"step": grouped.size().index, "count": grouped.size(), "seconds": grouped.sum().round(1)}
    )
