"""The networks that claims hold against each other, and the contrasts of their scores."""

from __future__ import annotations

import numpy as np

Network = dict[str, object]

SMOOTH = ("identity", "tanh", "sigmoid")
OTHERS = ("identity", "tanh", "sigmoid", "softplus", "elu")
"""Activations that random ReLU is held against in R9a and R10a."""


def random(configuration: str, **fields: object) -> Network:
    """Return the keys of a random network of the grid."""
    return {"configuration": configuration, "arm": "random", "norm": "gain", **fields}


def twin(configuration: str = "relu-max", arm: str = "random") -> Network:
    """Return the keys of a network with batch normalisation, trained or not or shuffled."""
    return {"configuration": configuration, "arm": arm, "norm": "bn"}


R3_NETWORKS = [random("relu-avg"), *(random(f"{a}-avg") for a in SMOOTH)]
R4_NETWORKS = [random(f"{a}-{p}") for p in ("max", "avg") for a in SMOOTH]


def least_r3(x: np.ndarray) -> np.ndarray:
    """ReLU less each of the smooth ones, the smallest; networks along axis 1."""
    return np.asarray((x[:, :1] - x[:, 1:]).min(axis=1))


def least_r4(x: np.ndarray) -> np.ndarray:
    """Max less average pooling, the smallest over activations; networks along axis 1."""
    return np.asarray((x[:, :3] - x[:, 3:]).min(axis=1))


def gain(x: np.ndarray) -> np.ndarray:
    """Second network less the first, along axis 1."""
    return np.asarray(x[:, 1] - x[:, 0])
