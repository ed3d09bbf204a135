"""Where the ray casters run."""

from __future__ import annotations

import torch

from isocortex.errors import UserError

KINDS = ("cpu", "cuda")


def checked_device(device: str | torch.device) -> torch.device:
    """Return a device that is there and that the kernels run on.

    Raises
    ------
    UserError
        If it is neither.
    """
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise UserError(f"renderer: no device {str(device)!r}; give cpu, cuda or cuda:1") from None
    if chosen.type not in KINDS:
        raise UserError(f"renderer: cannot run on {str(chosen)!r}; give cpu or cuda")
    count = torch.cuda.device_count() if chosen.type == "cuda" else 1
    if (chosen.index or 0) >= count:
        raise UserError(f"renderer: there is no {chosen}; CUDA devices here: {count}; use cpu")
    return chosen
