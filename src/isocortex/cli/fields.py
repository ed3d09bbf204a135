"""The command that looks at the filters of a first layer as at receptive fields."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from isocortex.analyses.cells import number
from isocortex.cli.root import Device, Weights, app, say, slug


@app.command()
def fields(
    model: Annotated[
        str,
        typer.Argument(help="As torchvision:alexnet, file:PATH:NAME; or a .npz or checkpoint."),
    ],
    layer: Annotated[
        str | None,
        typer.Option("--layer", help="As features.0; default: the first with large filters."),
    ] = None,
    weights: Weights = None,
    surrogates: Annotated[
        int, typer.Option("--surrogates", help="Copies of each filter with random phases.")
    ] = 20,
    permutations: Annotated[
        int, typer.Option("--permutations", help="Of orientations among filters.")
    ] = 2000,
    banks: Annotated[
        int, typer.Option("--banks", help="Banks of blurred random filters beside it.")
    ] = 20,
    seed: Annotated[int, typer.Option("--seed", help="Of draws and random weights.")] = 0,
    device: Device = "cpu",
    out: Annotated[
        Path | None, typer.Option("--out", help="Result folder; default: results/fields-MODEL.")
    ] = None,
) -> None:
    """Fit Gabors to the filters of a first layer, and measure the connections they induce."""
    from isocortex.analyses.field_figures import LAYER_FIGURES
    from isocortex.analyses.fields import FieldSettings
    from isocortex.analyses.fields import fields as run
    from isocortex.errors import UserError
    from isocortex.report.analysis import check_analysis_folder, write_analysis
    from isocortex.terminal import write_table

    for name, value, least in (
        ("--surrogates", surrogates, 2),
        ("--permutations", permutations, 20),
        ("--banks", banks, 1),
    ):
        if value < least:
            raise UserError(f"{name} is {value}, but must be at least {least}")
    stem = slug(Path(model).name)
    out = check_analysis_folder(out or Path("results") / f"fields-{stem}", "fields")
    result = run(
        model,
        layer=layer,
        weights=weights,
        settings=FieldSettings(surrogates, permutations, banks, seed, device),
    )
    title = f"{Path(model).name} {result.layer}"
    figures = write_analysis(
        out,
        result.tables,
        {**result.provenance, "warnings": list(result.warnings)},
        {name: partial(draw, result.tables, title) for name, draw in LAYER_FIGURES.items()},
    )
    for warning in result.warnings:
        say(warning)
    write_table(*_rows(result.tables), title=title)
    typer.echo(f"tables and figures: {figures[0].parent.parent}", err=True)


def _rows(tables: Any) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return header and rows: what was measured, its reference, and what the reference is."""
    filters, contrast = tables["filters"], tables["contrast"].set_index("statistic")
    lateral = tables["lateral"].query("region == 'disc' and sign == 'positive'").iloc[0]
    null = tables["null"].query("region == 'disc'").set_index("statistic")
    association = tables["association"].iloc[0]
    rows: list[tuple[str, ...]] = [
        ("filters", str(len(filters)), "", ""),
        ("Gabors (r >= 0.8)", str(int(filters["retained"].sum())), "", ""),
        ("mean r of Gabor", number(filters["r"].mean()), number(filters["surrogate_r"].mean()),
         "copies with random phases"),
        ("coloured", str(int((filters["outside"] > 0.3).sum())), "", ""),
        ("median n_x", number(filters.loc[filters["retained"], "n_x"].median()), "", ""),
        ("median n_y", number(filters.loc[filters["retained"], "n_y"].median()), "", ""),
    ]  # fmt: skip
    for name, text in (("like_ratio", "log like ratio"), ("axial_ratio", "log axial ratio")):
        found = contrast.loc[name]
        rows.append(
            (text, number(found["log_ratio"]), number(found["control"]), "blurred random filters")
        )
        rows.append(
            (
                f"{text}, difference",
                f"{number(found['value'])} [{found['low']:.3f}, {found['high']:.3f}]",
                "0",
                "95 % over filters",
            )
        )
        rows.append((f"p of {text}", number(null.loc[name, "p"]), "", "orientations permuted"))
    rows += [
        ("error co-circular (deg)", number(lateral["cocircular"]), "45", "chance"),
        ("error parallel (deg)", number(lateral["parallel"]), "45", "chance"),
        ("slope", number(lateral["slope"]), "2 / 1 / 0", "co-circular / radial / parallel"),
        ("axial share of activity", number(association["axial_share"]), "0.25", "no preference"),
    ]
    return ("what", "found", "reference", "which is"), rows
