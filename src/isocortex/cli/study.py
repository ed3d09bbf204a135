"""The commands about studies: run one, list them, read a result folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from isocortex.cli.root import Cache, Data, app, cache_folder, say, short
from isocortex.errors import UserError, unknown

_CLUSTERS = ("local", "slurm")


@app.command()
def study(
    name: Annotated[str, typer.Argument(help="Which; `isocortex studies` lists them.")],
    preset: Annotated[
        str, typer.Option("--preset", help="quick (minutes), small (an hour) or full.")
    ] = "quick",
    out: Annotated[
        Path | None, typer.Option("--out", help="Result folder; default: results/NAME-PRESET.")
    ] = None,
    cache: Cache = None,
    data: Data = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Change a field; may be repeated."),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="Where sweeps run: local or slurm.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Every field called device: cpu, cuda, cuda:N.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Every field called seed.")] = None,
) -> None:
    """Run a study: claims board, tables, figures and one HTML report."""
    from isocortex import data as data_room
    from isocortex.folders import check_writable
    from isocortex.report import check_result_folder, write_result
    from isocortex.studies.base import configure, load_study, run_study
    from isocortex.terminal import StepTree, write_table

    if cluster is not None and cluster not in _CLUSTERS:
        raise unknown("cluster", cluster, _CLUSTERS)
    configuration = configure(load_study(name), preset)
    overrides = [
        *_everywhere(configuration, "device", device),
        *_everywhere(configuration, "seed", seed),
        *(assignments or []),
    ]
    configure(load_study(name), preset, overrides)
    folder = data_room.folder(data)
    kept = check_writable(cache_folder(cache), "--cache")
    out = check_result_folder(out or Path("results") / f"{name}-{preset}", name)
    with StepTree() as tree:
        result = run_study(
            name,
            preset,
            overrides=overrides,
            cache=kept,
            data=folder,
            cluster=cluster,  # type: ignore[arg-type]
            progress=tree,
        )
    report = write_result(result, out)
    for warning in result.warnings:
        say(warning)
    write_table(
        ("id", "verdict", "here", "claim"), [_claim(row) for _, row in result.board.iterrows()]
    )
    typer.echo(f"report: {report}", err=True)


@app.command()
def studies(
    name: Annotated[
        str | None, typer.Argument(help="List the fields of this study that --set can change.")
    ] = None,
) -> None:
    """List the studies with their presets, or the fields of one study."""
    from isocortex.studies.base import STUDIES, load_study
    from isocortex.studies.overrides import field_names
    from isocortex.terminal import write_table

    if name is not None:
        presets = load_study(name).configurations
        fields = field_names(type(next(iter(presets.values()))))
        values = [[_field(preset, field) for preset in presets.values()] for field in fields]
        write_table(
            ("field", *presets), [(field, *row) for field, row in zip(fields, values, strict=True)]
        )
        return
    rows = [
        (each.name, ", ".join(each.presets), each.question, each.citation)
        for each in map(load_study, STUDIES)
    ]
    write_table(("study", "presets", "question", "citation"), rows)


@app.command()
def summary(
    folder: Annotated[Path, typer.Argument(help="What `isocortex study --out` wrote.")],
) -> None:
    """Print a result folder as one page of Markdown: run, verdicts, steps."""
    from isocortex.report.summary import summary as page

    typer.echo(page(folder), nl=False)


def _claim(row: Any) -> tuple[str, str, str, str]:
    bounds = "" if row["low"] != row["low"] else f" [{row['low']:.2f}, {row['high']:.2f}]"
    condition = f" ({row['condition']})" if row["condition"] else ""
    return row["id"], row["verdict"], short(row["value"]) + bounds, row["claim"] + condition


def _field(configuration: Any, dotted: str) -> str:
    for part in dotted.split("."):
        configuration = getattr(configuration, part)
    return str(configuration)


def _everywhere(configuration: Any, leaf: str, value: object) -> list[str]:
    """Return the assignments of `value` to all fields called `leaf`, wherever they stand."""
    from isocortex.studies.overrides import field_names

    if value is None:
        return []
    fields = [f for f in field_names(type(configuration)) if f.rsplit(".", 1)[-1] == leaf]
    if not fields:
        raise UserError(f"--{leaf}: this study has no field {leaf}; leave it out")
    return [f"{field}={value}" for field in fields]
