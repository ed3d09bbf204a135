"""The command that renders objects over views."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from isocortex.cli.root import Data, app
from isocortex.errors import unknown

_OBJECTS = ("procedural", "meshes", "heads")
_SET_FILES = ("contact_sheet.png", "images", "images.npy", "stimuli.csv", "stimuli.json")


@app.command()
def render(
    objects: Annotated[
        str, typer.Option("--objects", help="procedural, meshes, heads, or a mesh file or folder.")
    ] = "procedural",
    categories: Annotated[
        list[str] | None, typer.Option("--category", help="Only these; may be repeated.")
    ] = None,
    exemplars: Annotated[int, typer.Option("--exemplars", help="Objects of each category.")] = 5,
    size: Annotated[int, typer.Option("--size", help="Pixels on a side.")] = 64,
    lighting: Annotated[
        str, typer.Option("--lighting", help="symmetric, side or object_front.")
    ] = "symmetric",
    luminance: Annotated[
        str, typer.Option("--luminance", help="none, mean, mean_sd or histogram.")
    ] = "none",
    elevation: Annotated[
        float, typer.Option("--elevation", help="Of the camera, in degrees.")
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Of procedural objects and heads.")] = 0,
    out: Annotated[Path, typer.Option("--out", help="Folder of the set.")] = Path("stimuli"),
    data: Data = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda or cuda:N.")] = "cpu",
) -> None:
    """Render objects over nine views, as a stimulus set and a contact sheet."""
    from isocortex import data as data_room
    from isocortex.folders import check_destination, only_these, replacing
    from isocortex.stimuli import object_views
    from isocortex.stimuli.contact_sheet import write_contact_sheet

    folder = data_room.folder(data)
    source = _object_source(objects)
    why_not = only_these(*_SET_FILES, mark="stimuli.json")
    out = check_destination(out, why_not)
    stimuli = object_views(
        source,
        categories=categories,
        exemplars=exemplars,
        size=size,
        lighting=lighting,
        luminance=luminance,
        elevation=elevation,
        seed=seed,
        data=folder,
        device=device,
    )
    with replacing(out, why_not) as partial:
        stimuli.save(partial)
        write_contact_sheet(stimuli, partial / "contact_sheet.png")
    typer.echo(f"{len(stimuli)} images: {out}")


def _object_source(objects: str) -> Any:
    """Return the name of a source, or the meshes that a path holds."""
    if objects in _OBJECTS:
        return objects
    path = Path(objects).expanduser()
    if not path.exists():
        raise unknown(
            "source of objects", objects, _OBJECTS, "or a mesh file or folder that exists"
        )
    from isocortex.stimuli.render.mesh import read_folder, read_mesh

    return read_folder(path) if path.is_dir() else [read_mesh(path)]
