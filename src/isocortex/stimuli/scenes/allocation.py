"""Index first: which background class, category and model each image shows, before anything else.

Within a block of `BLOCK` images (or all, if there are fewer) the cells of the design come in an
order that the seed shuffles. Any block holds each background class, each category within a class
and each model within a category equally often, rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from isocortex.errors import UserError, unknown
from isocortex.stimuli.render.mesh import IntArray
from isocortex.stimuli.scenes.parameters import Subset
from isocortex.stimuli.scenes.philox import uniforms

BLOCK = 8192
"""Images that are shuffled among each other."""


@dataclass(frozen=True, eq=False)
class Inventory:
    """What there is to show, after subsets.

    Parameters
    ----------
    models : sequence of int arrays
        For each category the meshes of it.
    backgrounds : sequence of int arrays
        For each background class the backgrounds of it.
    """

    models: tuple[IntArray, ...]
    backgrounds: tuple[IntArray, ...]


def inventory(
    categories: Sequence[str],
    names: Sequence[str],
    background_classes: Sequence[str],
    background_names: Sequence[str],
    subsets: Sequence[Subset] = (),
) -> Inventory:
    """Sort meshes by category and backgrounds by class, and keep what the subsets say.

    Parameters
    ----------
    categories, names : sequence of str (m,)
        Of the meshes.
    background_classes, background_names : sequence of str (b,)
        Of the backgrounds.
    subsets : sequence of Subset
        Applied one after the other.

    Returns
    -------
    Inventory
        Categories and classes in alphabetical order.

    Raises
    ------
    UserError
        If a name is unknown, or a count exceeds what there is.
    """
    models = _sorted(categories)
    backgrounds = _sorted(background_classes)
    for change in subsets:
        if change.what == "category":
            models = {name: models[name] for name in _kept(change, list(models))}
        else:
            groups, labels = (
                (models, names)
                if change.what == "model"
                else (
                    backgrounds,
                    background_names,
                )
            )
            groups = _thinned(change, groups, labels, background_classes)
            if change.what == "model":
                models = groups
            else:
                backgrounds = groups
    return Inventory(tuple(models.values()), tuple(backgrounds.values()))


def allocate(
    stock: Inventory, index: npt.ArrayLike, n_images: int | None, seed: int, balance: str
) -> tuple[IntArray, IntArray]:
    """Say what images show.

    Parameters
    ----------
    stock : Inventory
    index : int array (n,)
        Of the images, below `n_images`.
    n_images, seed, balance
        As in `SceneSpec`.

    Returns
    -------
    background_class, mesh : int arrays (n,)
        Rows of the inventory's backgrounds, and of the meshes.
    """
    cell = _shuffled(np.asarray(index, dtype=np.int64), n_images, seed)
    classes, counts = len(stock.backgrounds), np.array([len(m) for m in stock.models])
    background, rest = cell % classes, cell // classes
    flat = np.concatenate(stock.models)
    if balance == "identity":
        return background, flat[rest % len(flat)]
    category, rest = rest % len(counts), rest // len(counts)
    first = np.cumsum(counts) - counts
    return background, flat[first[category] + rest % counts[category]]


def _shuffled(index: IntArray, n_images: int | None, seed: int) -> IntArray:
    """Permute each block by the order of random numbers."""
    out = np.empty_like(index)
    block = index // BLOCK
    for k in np.unique(block):
        size = BLOCK if n_images is None else min(BLOCK, n_images - k * BLOCK)
        here = block == k
        out[here] = k * BLOCK + _order(seed, int(k), size)[index[here] - k * BLOCK]
    return out


@lru_cache(maxsize=64)
def _order(seed: int, block: int, size: int) -> IntArray:
    numbers = uniforms(seed, ["allocation"], np.arange(block * BLOCK, block * BLOCK + size))[0]
    return np.argsort(numbers, kind="stable")


def _sorted(labels: Sequence[str]) -> dict[str, IntArray]:
    array = np.asarray(labels, dtype=str)
    return {str(name): np.flatnonzero(array == name) for name in np.unique(array)}


def _kept(change: Subset, known: list[str]) -> list[str]:
    """Return the names that a subset keeps, in the order of `known`."""
    for name in change.names:
        if name not in known:
            raise unknown(change.what, name, known)
    if change.names:
        return [name for name in known if name in change.names]
    count = change.count or 0
    if count > len(known):
        raise UserError(
            f"subset of {count} asks for more than the {len(known)} there are of {change.what}; "
            "ask for fewer"
        )
    ranks = [uniforms(change.seed, [f"subset/{change.what}/{name}"], [0])[0, 0] for name in known]
    chosen = set(np.argsort(ranks, kind="stable")[:count].tolist())
    return [name for k, name in enumerate(known) if k in chosen]


def _thinned(
    change: Subset,
    groups: dict[str, IntArray],
    labels: Sequence[str],
    classes: Sequence[str],
) -> dict[str, IntArray]:
    """Keep some members of each group; a background may also be named by its class."""
    if change.names:
        known = [labels[i] for rows in groups.values() for i in rows]
        if change.what == "background":
            known = [*dict.fromkeys(classes), *known]
        wanted = set(_kept(change, known))
        thinned = {
            name: rows
            if name in wanted and change.what == "background"
            else np.array([i for i in rows if labels[i] in wanted], dtype=np.int64)
            for name, rows in groups.items()
        }
        return {name: rows for name, rows in thinned.items() if len(rows)}
    thinned = {}
    for name, rows in groups.items():
        kept = set(_kept(change, [f"{labels[i]}/{i}" for i in rows]))
        thinned[name] = np.array([i for i in rows if f"{labels[i]}/{i}" in kept], dtype=np.int64)
    return thinned
