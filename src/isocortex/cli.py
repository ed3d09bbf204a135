"""The command line: thin, quick to answer, and one line for every mistake.

Whatever is heavy is imported inside the commands, so that ``isocortex --help`` answers at once.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from isocortex import __version__
from isocortex.errors import UserError, nearest, unknown

# typer moves its click about from version to version; what its exceptions derive from stays.
_UsageError: Any = typer.BadParameter.__mro__[1]

_CLUSTERS = ("local", "slurm")
_OBJECTS = ("procedural", "meshes", "heads")
_SET_FILES = ("contact_sheet.png", "images", "images.npy", "stimuli.csv", "stimuli.json")
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}


class _Commands(TyperGroup):
    """The commands; an unknown one is answered with the nearest names."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            raise unknown("command", args[0], known, "isocortex --help describes them")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[
    Path | None, typer.Option("--data", help="Folder of real data; default: $ISOCORTEX_DATA.")
]
Cache = Annotated[
    Path | None,
    typer.Option("--cache", help="Where results of steps are kept; default: the platform's cache."),
]


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"isocortex {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Which brain-like properties emerge in convolutional networks, and why."""


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
    kept = check_writable(_cache(cache), "--cache")
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
        _say(warning)
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
        (name, info.type, " x ".join(map(str, info.shape)), _short(info.receptive_field))
        for name, info in load_model(model, weights=weights).layers.items()
    ]
    write_table(("layer", "type", "shape", "receptive field"), rows)


@app.command()
def data(data: Data = None) -> None:
    """List the files of the data folder: found or missing, size, licence and citation."""
    from isocortex import data as data_room
    from isocortex.doctor import size
    from isocortex.terminal import write_table

    folder = data_room.folder(data)
    files = data_room.table(folder)
    rows = [
        (
            row["path"],
            size(row["bytes"]) if row["found"] else "missing",
            row["what"],
            row["licence"],
            row["citation"],
        )
        for _, row in files.iterrows()
    ]
    write_table(("file", "size", "what", "licence", "cite"), rows)
    where = folder or f"no data folder: name one with --data or {data_room.VARIABLE}"
    typer.echo(f"{int(files['found'].sum())} of {len(files)} files found ({where})", err=True)


@app.command()
def doctor(data: Data = None, cache: Cache = None) -> None:
    """Say what a run would use on this machine, and what is wrong with it."""
    from isocortex.doctor import examine
    from isocortex.terminal import write_table

    findings = examine(data, _cache(cache))
    rows = [(f.area, f.name, f.value, f.state) for f in findings]
    write_table(("area", "what", "found", "state"), rows)
    wrong = [f for f in findings if f.wrong]
    for f in wrong:
        _say(f"{f.area} {f.name}: {f.wrong}; {f.mend}")
    raise typer.Exit(1 if wrong else 0)


def _cache(explicit: Path | None) -> Path:
    import pooch

    return (explicit or Path(pooch.os_cache("isocortex"))).expanduser()


def _claim(row: Any) -> tuple[str, str, str, str]:
    bounds = "" if row["low"] != row["low"] else f" [{row['low']:.2f}, {row['high']:.2f}]"
    condition = f" ({row['condition']})" if row["condition"] else ""
    return row["id"], row["verdict"], _short(row["value"]) + bounds, row["claim"] + condition


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


def _short(value: Any) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _usage(error: Any) -> str:
    """Return one line for a mistake in how the command was written."""
    text = str(error.format_message()).rstrip(".")
    option = getattr(error, "option_name", None)
    context = error.ctx
    if option is not None and context is not None and text.startswith("No such option"):
        known = [name for parameter in context.command.params for name in parameter.opts]
        close = nearest(option, known)
        text = f"unknown option {option}" + (
            f"; did you mean {' or '.join(close)}?" if close else ""
        )
    command = context.command_path if context is not None else "isocortex"
    return f"{text} ({command} --help describes it)"


def _say(line: str) -> None:
    sys.stderr.write(f"isocortex: {' '.join(line.split())}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        0; 1 where `doctor` finds something wrong, or nobody reads the output any more; 2 for a
        mistake that the user can mend, told in one line; 130 after an interruption.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    command = typer.main.get_command(app)
    try:
        code = command.main(args=given, prog_name="isocortex", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has enough; what is still buffered must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except UserError as error:
        _say(str(error))
        return 2
    except _UsageError as error:
        _say(_usage(error))
        return 2
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        what = f"{error.strerror}: {error.filename or 'a file'}"
        _say(f"{what}; see to its rights and to the free disk space")
        return 2
    if code == 130:
        _say("interrupted; give the same command again to go on from the last finished step")
    return int(code or 0)
