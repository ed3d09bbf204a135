"""Which device a training runs on."""

from __future__ import annotations

import torch


def chosen_device(asked: str) -> str:
    """Return the device that ``auto`` stands for here, or the one that was asked for.

    The device is part of what a training is: a step that trains carries the one that was chosen.
    """
    if asked != "auto":
        return asked
    return "cuda" if torch.cuda.is_available() else "cpu"
