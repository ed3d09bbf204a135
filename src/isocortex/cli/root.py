"""The application that every command hangs on, and what the commands share."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from isocortex import __version__
from isocortex.errors import unknown


class Commands(TyperGroup):
    """The commands; an unknown one is answered with the nearest names."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, or say which were meant."""
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            raise unknown("command", args[0], known, f"{ctx.command_path} --help describes them")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[
    Path | None, typer.Option("--data", help="Folder of real data; default: $ISOCORTEX_DATA.")
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="pretrained, random or a checkpoint's path; default: pretrained if published.",
    ),
]
Layers = Annotated[
    str, typer.Option("--layers", help="all, or names and patterns parted by commas.")
]
BatchSize = Annotated[int, typer.Option("--batch-size", help="Images shown at once.")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda or cuda:N.")]
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


def cache_folder(explicit: Path | None) -> Path:
    """Return where results of steps are kept: the folder named, or the platform's cache."""
    import pooch

    return (explicit or Path(pooch.os_cache("isocortex"))).expanduser()


def slug(text: str) -> str:
    """Return a text as part of a folder's name: what is no letter, digit, dot or dash is a dash."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-")


def short(value: Any) -> str:
    """Return a cell of a table: three digits of a number, a dash for what is missing."""
    if value is None or value != value:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def say(line: str) -> None:
    """Write one line to the person at the terminal, apart from the output."""
    sys.stderr.write(f"isocortex: {' '.join(line.split())}\n")
