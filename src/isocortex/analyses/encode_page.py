"""What `encode` prints, and its result as one page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from isocortex.analyses.cells import markdown, number, with_interval
from isocortex.analyses.encode import EncodeResult
from isocortex.analyses.encode_figure import headline
from isocortex.analyses.encode_tables import GIVEN, NESTED


def printed_table(table: pd.DataFrame) -> tuple[tuple[str, ...], Sequence[tuple[str, ...]]]:
    """Return header and rows: one a layer of the network, its controls beside it.

    Parameters
    ----------
    table : pandas.DataFrame
        The table ``layers`` of `encode`.
    """
    given = table[table["network"] == GIVEN]
    by_layer = table[table["network"].str.startswith("random")].groupby("layer")["r"].mean()
    pixels = table[table["layer"] == ""]
    fitted = "alpha" if "alpha" in table else "n_components"
    header = ("layer", "r", "r / ceiling", "ceiling", "random", "over random")
    rows = [
        (
            str(row["layer"]),
            with_interval(row, "r", "low", "high"),
            with_interval(row, "normalised"),
            number(row.get("ceiling")),
            number(by_layer.get(row["layer"])),
            with_interval(row, "over_random"),
            number(pixels["r"].iloc[0]),
            f"{row[fitted]:.3g}" if row[fitted] == row[fitted] else "-",
            str(row["n_neuroids"]),
        )
        for _, row in given.iterrows()
    ]
    return (*header, str(pixels["network"].iloc[0]), fitted.replace("n_", ""), "n"), rows


def page(result: EncodeResult) -> str:
    """Return a result as Markdown: message, how it was made, the table, the layers chosen."""
    made = result.provenance
    title = headline(result.tables, made["model"], made["dataset"]).replace("\n", "; ")
    versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    seconds = sum(step["seconds"] for step in made["timings"])
    seeds = ", ".join(map(str, made["seeds_of_random_weights"])) or "none"
    facts = [
        ("date (UTC)", made["started"]),
        ("weights", _weights(made)),
        ("method", f"{made['method']}, {made['folds']} folds, {made['n_stimuli']} stimuli"),
        ("features", f"all units, {made['scaling']}"),
        (
            "score",
            f"Pearson r, {made['aggregation']}; intervals: 95 %, {made['n_resamples']} draws",
        ),
        ("seeds", f"{made['seed']}; random weights: {seeds}"),
        ("time", f"{made['wall_seconds']:.0f} s by the clock, {seconds:.0f} s of computed steps"),
        ("recording", f"{made['citation']} (licence: {made['licence']})"),
        ("versions", versions),
        ("noticed", "; ".join(result.warnings) or "nothing"),
    ]
    choice = result.tables["choice"].groupby(["network", "layer"], sort=False).size()
    chosen = [(network, layer, str(count)) for (network, layer), count in choice.items()]
    layers = result.tables["layers"]
    pixels = layers[layers["layer"] == ""]
    controls = [(r["network"], with_interval(r, "r", "low", "high")) for _, r in pixels.iterrows()]
    return (
        "\n\n".join(
            [
                f"# {title}",
                markdown(("what", "value"), facts),
                f"`{NESTED}` is the layer that the training stimuli of each fold chose.",
                markdown(*printed_table(layers)),
                markdown(("pixels", "r"), controls),
                markdown(("network", "chosen layer", "folds"), chosen),
            ]
        )
        + "\n"
    )


def _weights(made: Mapping[str, Any]) -> str:
    """Return where weights come from: of a checkpoint its name and the begin of its checksum."""
    path = Path(made["weights"])
    if not path.is_file():
        return str(made["weights"])
    return f"{path.name} (SHA-256 {made['checksums']['model'].rpartition(' ')[2][:12]}...)"
