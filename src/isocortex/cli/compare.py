"""The command that compares two networks, or a network and human cortex."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from isocortex.errors import UserError

_ONE_ALONE = {
    "networks": ("stimuli", "weights_b", "layers_b", "seed_b", "biased", "count", "size"),
    "brain": ("region", "method", "random", "draws"),
}
"""Options that only one of the two comparisons takes."""


@app.command()
def compare(
    model: Annotated[
        str, typer.Argument(help="As torchvision:alexnet, timm:NAME, file:PATH:NAME.")
    ],
    other: Annotated[
        str, typer.Argument(help="Another network, or objects92: human cortex.", metavar="OTHER")
    ],
    stimuli: Annotated[
        str | None,
        typer.Option(
            "--stimuli",
            help="For two networks: photographs, object-views, a recording with images, a folder "
            "of images or a saved set.",
        ),
    ] = None,
    weights: Weights = None,
    weights_b: Annotated[
        str | None, typer.Option("--weights-b", help="Of the other network, if not the same.")
    ] = None,
    layers: Layers = "all",
    layers_b: Annotated[
        str | None, typer.Option("--layers-b", help="Of the other network, if not the same.")
    ] = None,
    biased: Annotated[
        bool, typer.Option("--biased", help="CKA with its bias, as first published.")
    ] = False,
    count: Annotated[
        int | None, typer.Option("--count", help="Draw so many stimuli; default: all.")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", help="Pixels on a side of a folder's images or a built-in set."),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option("--region", help="EVC, IT, hIT, behaviour; may be repeated."),
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", help="spearman (default), pearson, tau_a, cosine.")
    ] = None,
    random: Annotated[
        int | None, typer.Option("--random", help="Networks with random weights beside it.")
    ] = None,
    draws: Annotated[
        int | None, typer.Option("--draws", help="Bootstrap samples of stimuli and subjects.")
    ] = None,
    permutations: Annotated[
        int | None, typer.Option("--permutations", help="Of stimuli, for the null.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Result folder; default: results/compare-MODEL-OTHER."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of draws and random weights.")] = 0,
    seed_b: Annotated[
        int | None, typer.Option("--seed-b", help="Of the other network's random weights.")
    ] = None,
    batch_size: BatchSize = 32,
    device: Device = "cpu",
    cache: Cache = None,
    data: Data = None,
) -> None:
    """Compare all layers of two networks by CKA, or of one with human cortex by RSA."""
    from isocortex import data as data_room
    from isocortex.analyses import compare as analysis
    from isocortex.analyses.compare_figures import cka_of_layers, rsa_over_layers
    from isocortex.folders import check_writable
    from isocortex.report.analysis import check_analysis_folder, write_analysis
    from isocortex.terminal import StepTree, write_table

    given = dict(locals())
    to_brain = other in analysis.BRAINS
    _check(given, to_brain, other)
    folder = data_room.folder(data)
    kept = check_writable(cache_folder(cache), "--cache")
    parts = [model, other, *([] if stimuli is None else [Path(stimuli).name])]
    name = slug("-".join(parts))
    out = check_analysis_folder(out or Path("results") / f"compare-{name}", "compare")
    shared = {
        "weights": weights, "layers": layers, "seed": seed, "batch_size": batch_size,
        "device": device, "data": folder, "cache": kept, "announce": say,
        **_unless_none(n_permutations=permutations),
    }  # fmt: skip
    with StepTree() as tree:
        if to_brain:
            result = analysis.compare_brain(
                model,
                other,
                progress=tree,
                **shared,
                **_unless_none(regions=region, method=method, random_seeds=random, n_draws=draws),
            )
        else:
            assert stimuli is not None
            result = analysis.compare_networks(
                model,
                other,
                stimuli,
                weights_b=weights_b,
                layers_b=layers_b,
                seed_b=seed_b,
                debiased=not biased,
                count=count,
                size=size,
                progress=tree,
                **shared,
            )
    names = [
        f"{side['model']}, {side['weights']}"
        for key, side in result.provenance.items()
        if key.startswith("network")
    ]
    figures: dict[str, Callable[[], Any]] = (
        {"rsa_over_layers": lambda: rsa_over_layers(result.tables, names[0])}
        if to_brain
        else {"cka": lambda: cka_of_layers(result.tables, names)}
    )
    (figure,) = write_analysis(
        out, result.tables, {**result.provenance, "warnings": list(result.warnings)}, figures
    )
    for warning in result.warnings:
        say(warning)
    write_table(*(_rsa_rows if to_brain else _cka_rows)(result.tables))
    typer.echo(f"tables and figure: {figure.parent.parent}", err=True)


def _check(given: Mapping[str, Any], to_brain: bool, other: str) -> None:
    """Refuse options of the other comparison, and what is neither a network nor a brain."""
    from isocortex.brains.catalogue import CATALOGUE

    kind, not_mine = ("brain", "networks") if to_brain else ("networks", "brain")
    for name in _ONE_ALONE[not_mine]:
        if given[name] not in (None, False):
            what = "a network with human cortex" if to_brain else "two networks"
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} says nothing where {what} are compared; leave it out")
    if kind == "networks" and other in CATALOGUE:
        raise UserError(
            f"{other} holds no dissimilarities of subjects; its neurons are predicted with: "
            f"isocortex encode MODEL {other}"
        )
    if kind == "networks" and given["stimuli"] is None:
        raise UserError(
            "two networks are compared over stimuli; name them with --stimuli, as --stimuli "
            "object-views, --stimuli photographs or a folder of images"
        )


def _unless_none(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _rsa_rows(tables: Mapping[str, Any]) -> tuple[tuple[str, ...], list[Any]]:
    """Return header and rows: one a region and layer, controls and ceiling beside it."""
    header = ("region", "layer", "score", "p", "random", "over random", "pixels", "ceiling")
    rows = []
    for _, ceiling in tables["ceilings"].iterrows():
        part = tables["scores"].query("region == @ceiling.region")
        random = part[part["network"].str.startswith("random")].groupby("layer")["score"].mean()
        pixels = part.loc[part["network"] == "pixels", "score"].iloc[0]
        rows += [
            (
                ceiling["region"],
                row["layer"],
                with_interval(row, "score", "low", "high"),
                number(row["p"]),
                number(random.get(row["layer"])),
                with_interval(row, "over_random"),
                number(pixels),
                f"{ceiling['lower']:.3f} to {ceiling['upper']:.3f}",
            )
            for _, row in part[part["network"] == "given"].iterrows()
        ]
    return header, rows


def _cka_rows(tables: Mapping[str, Any]) -> tuple[tuple[str, ...], list[Any]]:
    """Return header and rows: for each layer of the first network the most alike of the other."""
    table = tables["cka"].dropna(subset=["cka"])
    best = table.loc[table.groupby("depth_a")["cka"].idxmax()]
    rows = [
        (
            row["layer_a"],
            row["layer_b"],
            with_interval(row, "cka", "low", "high"),
            number(row["null_high"]),
            number(row["p"]),
        )
        for _, row in best.iterrows()
    ]
    return ("layer", "most alike", "CKA", "permuted (97.5 %)", "p"), rows
