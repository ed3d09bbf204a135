"""The commands that only look: layers of a model, the data folder, this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from isocortex.cli.root import Cache, Data, app, cache_folder, say, short


@app.command()
def layers(
    model: Annotated[
        str, typer.Argument(help="As torchvision:alexnet, timm:NAME, file:PATH:NAME.")
    ],
    weights: Annotated[
        str | None, typer.Option("--weights", help="pretrained, random or a checkpoint's path.")
    ] = "random",
) -> None:
    """List the layers of a model, with type, output shape and receptive field."""
    from isocortex.models import load_model
    from isocortex.terminal import write_table

    rows = [
        (name, info.type, " x ".join(map(str, info.shape)), short(info.receptive_field))
        for name, info in load_model(model, weights=weights).layers.items()
    ]
    write_table(("layer", "type", "shape", "receptive field"), rows)


@app.command()
def data(data: Data = None) -> None:
    """List the files of the data folder: found or missing, size, licence and citation.

    Below them stand recordings that you get from their owners and put there yourself.
    """
    from isocortex import brains
    from isocortex import data as data_room
    from isocortex.doctor import size
    from isocortex.terminal import write_table

    folder = data_room.folder(data)
    files = data_room.table(folder)
    names = brains.names_of_files()
    rows = [
        (
            row["path"],
            size(row["bytes"]) if row["found"] else "missing",
            names.get(row["path"], ""),
            row["what"],
            row["licence"],
            row["citation"],
        )
        for _, row in files.iterrows()
    ]
    for name, own in brains.OWN_COPIES.items():
        missing = own.missing(folder)
        for file in own.paths:
            state = "missing"
            if folder is not None and file not in missing:
                state = size((folder / file).stat().st_size)
            cite = f"{own.citation}; from {own.source}"
            rows.append((file, state, name, own.what, own.licence, cite))
    write_table(("file", "size", "recording", "what", "licence", "cite"), rows)
    where = folder or f"no data folder: name one with --data or {data_room.VARIABLE}"
    typer.echo(f"{int(files['found'].sum())} of {len(files)} files found ({where})", err=True)


@app.command()
def doctor(data: Data = None, cache: Cache = None) -> None:
    """Say what a run would use on this machine, and what is wrong with it."""
    from isocortex.doctor import examine
    from isocortex.terminal import write_table

    findings = examine(data, cache_folder(cache))
    rows = [(f.area, f.name, f.value, f.state) for f in findings]
    write_table(("area", "what", "found", "state"), rows)
    wrong = [f for f in findings if f.wrong]
    for f in wrong:
        say(f"{f.area} {f.name}: {f.wrong}; {f.mend}")
    raise typer.Exit(1 if wrong else 0)
