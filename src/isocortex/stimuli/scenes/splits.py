"""Parts of a set to train and to test on: by image, or with models, backgrounds or poses held out.

A split by image gives indices; the others give two specifications, which share no model, no
background or no value of a parameter.
"""

from __future__ import annotations

import numpy as np

from isocortex.errors import UserError
from isocortex.stimuli.render.mesh import IntArray
from isocortex.stimuli.scenes.parameters import Subset
from isocortex.stimuli.scenes.philox import uniforms
from isocortex.stimuli.scenes.scenes import LatentScenes
from isocortex.stimuli.scenes.spec import SceneSpec


def split_images(n: int, test: int, seed: int = 0) -> tuple[IntArray, IntArray]:
    """Split indices: the last `test` of one shuffle are held out.

    Returns
    -------
    train (n - test,), test (test,) : int arrays

    Raises
    ------
    UserError
        If one of the parts would be empty.
    """
    if not 0 < test < n:
        raise UserError(f"{test} of {n} images for the test leave a part empty; give 1 to {n - 1}")
    order = np.argsort(uniforms(seed, ["split/image"], np.arange(n))[0], kind="stable")
    return order[: n - test], order[n - test :]


def split_models(
    scenes: LatentScenes, held_out: float, seed: int = 0
) -> tuple[SceneSpec, SceneSpec]:
    """Hold models out of each category.

    Parameters
    ----------
    scenes : LatentScenes
    held_out : float
        Share of the models of each category; at least one of each is in either part.
    seed : int

    Returns
    -------
    train, test : SceneSpec

    Raises
    ------
    UserError
        If a category has one model only, or the share is not between 0 and 1.
    """
    groups = {
        name: [
            id for id, mesh in zip(scenes.ids, scenes.meshes, strict=True) if mesh.category == name
        ]
        for name in scenes.categories
    }
    return _held_out(scenes.spec, "model", groups, held_out, seed)


def split_backgrounds(
    scenes: LatentScenes, held_out: float, seed: int = 0
) -> tuple[SceneSpec, SceneSpec]:
    """Hold backgrounds out of each class; as `split_models`."""
    known = scenes.backgrounds
    groups = {
        name: [n for n, c in zip(known.names, known.classes, strict=True) if c == name]
        for name in sorted(set(known.classes))
    }
    return _held_out(scenes.spec, "background", groups, held_out, seed)


def split_range(spec: SceneSpec, latent: str, held_out: float) -> tuple[SceneSpec, SceneSpec]:
    """Hold the upper part of the range of a sampled parameter out.

    Parameters
    ----------
    spec : SceneSpec
    latent : str
        A sampled parameter, without interventions on it.
    held_out : float
        Share of its range.

    Returns
    -------
    train, test : SceneSpec
        With ranges (low, c) and (c, high).

    Raises
    ------
    UserError
        If there is no such parameter, its range has no extent, or the share is not between 0
        and 1.
    """
    _check_share(held_out)
    low, high = spec.spans.get(latent, (0.0, 1.0))
    cut = high - held_out * (high - low)
    train, test = spec.reranged(latent, low, cut), spec.reranged(latent, cut, high)
    if low == high:
        raise UserError(f"{latent} has one value only, {low}; split another parameter")
    return train, test


def _held_out(
    spec: SceneSpec, what: str, groups: dict[str, list[str]], share: float, seed: int
) -> tuple[SceneSpec, SceneSpec]:
    _check_share(share)
    parts: tuple[list[str], list[str]] = ([], [])
    for group, names in groups.items():
        if len(names) < 2:
            raise UserError(
                f"{group} has one {what} only, which cannot be in both parts of a split"
            )
        ranks = [uniforms(seed, [f"split/{what}/{group}/{name}"], [0])[0, 0] for name in names]
        order = np.argsort(ranks, kind="stable")
        count = min(max(1, round(share * len(names))), len(names) - 1)
        out = set(order[:count].tolist())
        for k, name in enumerate(names):
            parts[k in out].append(name)
    train, test = (spec.changed(Subset(what=what, names=tuple(p))) for p in parts)  # type: ignore[arg-type]
    return train, test


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise UserError(f"held_out is {share}; give a share between 0 and 1")
