"""The command that compares a network's orientation tuning with recorded V1 cells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from isocortex.analyses.cells import number, with_interval
from isocortex.cli.root import (
    BatchSize,
    Cache,
    Data,
    Device,
    Layers,
    Weights,
    app,
    cache_folder,
    say,
    slug,
)


@app.command()
def orientation(
    model: Annotated[
        str, typer.Argument(help="As torchvision:alexnet, timm:NAME, isocortex:rnet-relu-max.")
    ],
    weights: Weights = None,
    layers: Layers = "all",
    stimuli: Annotated[
        str, typer.Option("--stimuli", help="Gratings: small or marques2020.")
    ] = "small",
    contrast: Annotated[float, typer.Option("--contrast", help="Of the small set.")] = 1.0,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference", help="Table of cells as in Ringach's database; default: that, if found."
        ),
    ] = None,
    random: Annotated[
        int, typer.Option("--random", help="Networks with random weights beside it.")
    ] = 1,
    draws: Annotated[
        int, typer.Option("--draws", help="Bootstrap samples over units and animals.")
    ] = 2000,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Result folder; default: results/orientation-MODEL."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of draws and random weights.")] = 0,
    batch_size: BatchSize = 64,
    device: Device = "cpu",
    cache: Cache = None,
    data: Data = None,
) -> None:
    """Compare a network's tuning to orientation, layer by layer, with recorded V1 cells."""
    from isocortex import data as data_room
    from isocortex.analyses import orientation_figure as draw
    from isocortex.analyses.orientation import orientation as run
    from isocortex.folders import check_writable
    from isocortex.report.analysis import check_analysis_folder, write_analysis
    from isocortex.terminal import StepTree, write_table

    folder = data_room.folder(data)
    kept = check_writable(cache_folder(cache), "--cache")
    name = slug(model)
    out = check_analysis_folder(out or Path("results") / f"orientation-{name}", "orientation")
    with StepTree() as tree:
        result = run(
            model,
            weights=weights,
            layers=layers,
            stimuli=stimuli,
            contrast=contrast,
            reference=reference,
            random_seeds=random,
            n_draws=draws,
            seed=seed,
            batch_size=batch_size,
            device=device,
            data=folder,
            cache=kept,
            progress=tree,
        )
    label = f"{model}, weights {result.provenance['weights']}"
    figure, _ = write_analysis(
        out,
        result.tables,
        {**result.provenance, "warnings": list(result.warnings)},
        {
            "over_layers": lambda: draw.over_layers(result.tables, label),
            "distributions": lambda: draw.distributions(result.tables, label),
        },
    )
    for warning in result.warnings:
        say(warning)
    title = draw.headline(result.tables, label).replace("\n", "; ")
    write_table(*_rows(result.tables), title=title)
    typer.echo(f"tables and figures: {figure.parent.parent}", err=True)


def _rows(tables: Any) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return header and rows: one a layer and rule of the network, its control beside it."""
    table = tables["layers"]
    given = table[table["network"] == "given"]
    header: tuple[str, ...] = ("layer", "rule", "units", "silent", "CV median", "CV < .5")
    rows: list[tuple[str, ...]] = [
        (
            str(row["layer"]),
            str(row["rule"]),
            str(row["n_units"]),
            str(row["n_silent"]),
            with_interval(row, "cv_median"),
            with_interval(row, "cv_fraction"),
        )
        for _, row in given.iterrows()
    ]
    if "reference" not in tables:
        return header, rows
    twins = table[table["network"].str.startswith("random")]
    control = twins.groupby(["layer", "rule"])["wasserstein"].mean()
    floor = tables["reference"].iloc[0]
    rows = [
        (
            *row,
            with_interval(full, "wasserstein"),
            number(control.get((full["layer"], full["rule"]))),
            number(full["brainscore"]),
        )
        for row, (_, full) in zip(rows, given.iterrows(), strict=True)
    ]
    cells = (
        f"recorded ({floor['n_animals']} animals)", "", str(floor["n_cells"]), "",
        with_interval(floor, "cv_median"), with_interval(floor, "cv_fraction"),
        f"{floor['floor_mean']:.3f}, 95 % {floor['floor_p95']:.3f}", "", "",
    )  # fmt: skip
    return (*header, "W1 to cells", "W1 random", "Brain-Score"), [*rows, cells]
