"""The commands that render: objects over views, and latent scenes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from isocortex.cli.root import Commands, Data, Device, app
from isocortex.errors import UserError, unknown

_OBJECTS = ("procedural", "meshes", "heads")
_SET_FILES = ("contact_sheet.png", "images", "images.npy", "stimuli.csv", "stimuli.json")


rendering = typer.Typer(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(rendering, name="render")


@rendering.callback()
def render(
    context: typer.Context,
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
    device: Device = "cpu",
) -> None:
    """Render objects over nine views, as a stimulus set and a contact sheet; or `latents`."""
    if context.invoked_subcommand is not None:
        return
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


@rendering.command()
def latents(
    objects: Annotated[
        str, typer.Option("--objects", help="procedural, meshes, or a mesh file or folder.")
    ] = "procedural",
    exemplars: Annotated[int, typer.Option("--exemplars", help="Of each procedural family.")] = 5,
    backgrounds: Annotated[
        list[str] | None,
        typer.Option(
            "--background",
            help="environment, noise, checker, uniform, bsds500, imagenet, or a folder of "
            "photographs; may be repeated.",
        ),
    ] = None,
    n_images: Annotated[int, typer.Option("--images", help="Of the whole set.")] = 1000,
    size: Annotated[int, typer.Option("--size", help="Pixels on a side.")] = 64,
    supersample: Annotated[int, typer.Option("--supersample", help="Rays a pixel and axis.")] = 2,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="A field of the specification, as sampler=direct; may be repeated.",
        ),
    ] = None,
    freeze: Annotated[
        list[str] | None, typer.Option("--freeze", metavar="LATENT=VALUE", help="One value.")
    ] = None,
    shrink: Annotated[
        list[str] | None,
        typer.Option("--shrink", metavar="LATENT=FACTOR", help="0 freezes, 1 changes nothing."),
    ] = None,
    maps: Annotated[
        list[str] | None, typer.Option("--map", help="Store mask or depth too; may be repeated.")
    ] = None,
    shard: Annotated[
        str, typer.Option("--shard", metavar="I/N", help="Only shard I of N, counted from 0.")
    ] = "0/1",
    seed: Annotated[int, typer.Option("--seed", help="Of everything that is drawn.")] = 0,
    out: Annotated[Path, typer.Option("--out", help="Folder of the set.")] = Path("scenes"),
    data: Data = None,
    device: Device = "cpu",
) -> None:
    """Render latent scenes: images, the log of every latent, a contact sheet. Resumes."""
    from isocortex import data as data_room
    from isocortex.stimuli.scenes import LatentScenes
    from isocortex.stimuli.scenes.sheet import write_latent_sheet
    from isocortex.stimuli.scenes.sources import background_sources, mesh_sources, spec_from
    from isocortex.stimuli.scenes.store import write_shard
    from isocortex.terminal import StepTree

    which, count = _shard(shard)
    spec = spec_from(
        {"seed": seed, "n_images": n_images}, assignments or [], freeze or [], shrink or []
    )
    folder = data_room.folder(data)
    scenes = LatentScenes(
        spec,
        mesh_sources(objects, folder, exemplars, seed),
        background_sources(backgrounds or ["environment", "noise"], folder, seed),
        device,
    )
    out = out.expanduser().resolve()
    step = (f"shard {which} of {count}",)
    with StepTree() as tree:
        tree.start(step)
        began = time.monotonic()
        write_shard(
            scenes,
            out,
            size,
            supersample,
            shard=which,
            shards=count,
            maps=maps or (),
            progress=lambda done, total: tree.advance(step, done, total),
        )
        tree.finish(step, False, time.monotonic() - began)
    write_latent_sheet(scenes, out / "contact_sheet.png")
    typer.echo(f"shard {which} of {count} of {len(scenes)} images: {out}")


def _shard(text: str) -> tuple[int, int]:
    which, slash, count = text.partition("/")
    if not (slash and which.isdigit() and count.isdigit() and int(which) < int(count)):
        raise UserError(f"--shard {text}: write it as 0/4 for the first of four")
    return int(which), int(count)


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
