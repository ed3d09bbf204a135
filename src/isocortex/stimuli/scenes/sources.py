"""Specification, meshes and backgrounds by name, as the command line gives them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from isocortex.errors import UserError, unknown
from isocortex.stimuli.photographs import COLLECTIONS
from isocortex.stimuli.render import families, library
from isocortex.stimuli.render.mesh import Mesh, read_folder, read_mesh
from isocortex.stimuli.scenes.backgrounds import (
    PROCEDURAL,
    Backgrounds,
    concatenate,
    from_folder,
    photographs,
    procedural,
)
from isocortex.stimuli.scenes.spec import SceneSpec, make_spec

OBJECTS = ("procedural", "meshes")


def mesh_sources(
    objects: str,
    data: str | os.PathLike[str] | None,
    exemplars: int = 5,
    seed: int = 0,
) -> list[Mesh]:
    """Return meshes: procedural families, the mesh library, or those of a file or folder.

    Parameters
    ----------
    objects : str
        "procedural", "meshes" or a path.
    data : path or None
        The data folder.
    exemplars, seed : int
        Of the procedural families.

    Raises
    ------
    UserError
        If there is no such source, or it cannot be read.
    """
    if objects == "procedural":
        if exemplars < 1:
            raise UserError(f"exemplars is {exemplars}; ask for 1 or more")
        return [
            families.build(name, k, seed) for name in families.FAMILIES for k in range(exemplars)
        ]
    if objects == "meshes":
        return library.load(data)
    path = Path(objects).expanduser()
    if not path.exists():
        raise unknown("source of objects", objects, OBJECTS, "or a mesh file or folder that exists")
    return read_folder(path) if path.is_dir() else [read_mesh(path)]


def background_sources(
    names: Sequence[str],
    data: str | os.PathLike[str] | None,
    seed: int = 0,
    count: int = 32,
) -> Backgrounds:
    """Return backgrounds: procedural classes, collections of photographs, or folders of images.

    Parameters
    ----------
    names : sequence of str
        Of `backgrounds.PROCEDURAL`, of `photographs.COLLECTIONS`, or paths.
    data : path or None
        The data folder.
    seed, count : int
        Of the procedural classes.

    Raises
    ------
    UserError
        If there is no such source, or it cannot be read.
    """
    parts = []
    for name in names:
        path = Path(name).expanduser()
        if name in PROCEDURAL:
            parts.append(procedural((name,), count, seed))
        elif name in COLLECTIONS:
            parts.append(photographs(data, name))
        elif path.is_dir():
            parts.append(from_folder(path))
        else:
            known = [*PROCEDURAL, *COLLECTIONS]
            raise unknown("background", name, known, "or a folder of photographs that exists")
    return concatenate(parts)


def spec_from(
    content: Mapping[str, Any],
    assignments: Sequence[str] = (),
    freeze: Sequence[str] = (),
    shrink: Sequence[str] = (),
) -> SceneSpec:
    """Return a specification with fields and interventions given as text.

    Parameters
    ----------
    content : mapping
        Fields of `SceneSpec`.
    assignments : sequence of str
        ``field=value``, the value written as YAML; later ones win.
    freeze, shrink : sequence of str
        ``latent=number``.

    Raises
    ------
    UserError
        If one of them is written wrongly, or the specification refuses it.
    """
    fields = dict(content)
    for text in assignments:
        name, value = _pair("--set", text)
        try:
            fields[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"--set {text}: the value is not valid YAML") from None
    changes: list[dict[str, Any]] = list(fields.pop("interventions", None) or [])
    for option, key, texts in (("freeze", "value", freeze), ("shrink", "factor", shrink)):
        for text in texts:
            latent, number = _pair(f"--{option}", text)
            try:
                changes.append({"kind": option, "latent": latent, key: float(number)})
            except ValueError:
                raise UserError(f"--{option} {text}: {number!r} is no number") from None
    return make_spec({**fields, "interventions": changes})


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UserError(f"{option} {text}: write it as name=value")
    return name, value
