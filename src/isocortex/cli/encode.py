"""The command that predicts recorded neurons from the layers of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
def encode(
    model: Annotated[
        str, typer.Argument(help="As torchvision:alexnet, timm:NAME, file:PATH:NAME.")
    ],
    dataset: Annotated[
        str, typer.Argument(help="As v4-cowley-201025, or the folder of a saved assembly.")
    ],
    weights: Weights = None,
    layers: Layers = "all",
    method: Annotated[str, typer.Option("--method", help="ridge, pls or brainscore.")] = "ridge",
    folds: Annotated[int, typer.Option("--folds", help="Outer folds.")] = 5,
    components: Annotated[int, typer.Option("--components", help="Of pls.")] = 25,
    scaling: Annotated[
        str, typer.Option("--scaling", help="centre, or zscore of every unit.")
    ] = "centre",
    aggregate: Annotated[
        str, typer.Option("--aggregate", help="From neuroids and folds to one score.")
    ] = "median_neuroids_mean_splits",
    stimuli: Annotated[
        int | None, typer.Option("--stimuli", help="Draw so many; default: all.")
    ] = None,
    random: Annotated[
        int, typer.Option("--random", help="Networks with random weights beside it.")
    ] = 1,
    resamples: Annotated[
        int, typer.Option("--resamples", help="Bootstrap samples of the intervals.")
    ] = 1000,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Result folder; default: results/encode-MODEL-DATASET."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of folds, draws and random weights.")] = 0,
    batch_size: BatchSize = 32,
    device: Device = "cpu",
    cache: Cache = None,
    data: Data = None,
) -> None:
    """Predict recorded neurons from a network's layers, beside random weights and pixels."""
    from isocortex import data as data_room
    from isocortex.analyses.encode import encode as run
    from isocortex.analyses.encode_figure import headline, scores_over_layers
    from isocortex.analyses.encode_page import page, printed_table
    from isocortex.folders import check_writable
    from isocortex.report.analysis import check_analysis_folder, write_analysis
    from isocortex.terminal import StepTree, write_table

    folder = data_room.folder(data)
    kept = check_writable(cache_folder(cache), "--cache")
    name = slug(f"{model}-{Path(dataset).name}")
    out = check_analysis_folder(out or Path("results") / f"encode-{name}", "encode")
    with StepTree() as tree:
        result = run(
            model,
            dataset,
            weights=weights,
            layers=layers,
            method=method,
            folds=folds,
            n_components=components,
            scaling=scaling,
            how=aggregate,
            n_stimuli=stimuli,
            random_seeds=random,
            n_resamples=resamples,
            seed=seed,
            batch_size=batch_size,
            device=device,
            data=folder,
            cache=kept,
            progress=tree,
            announce=say,
        )
    (figure,) = write_analysis(
        out,
        result.tables,
        {**result.provenance, "warnings": list(result.warnings)},
        {"scores_over_layers": lambda: scores_over_layers(result.tables, model, dataset)},
        {"summary.md": lambda: page(result)},
    )
    for warning in result.warnings:
        say(warning)
    title = headline(result.tables, model, dataset).replace("\n", "; ")
    write_table(*printed_table(result.tables["layers"]), title=title)
    typer.echo(f"tables and figure: {figure.parent.parent}", err=True)
