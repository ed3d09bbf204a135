"""Devices that work here."""

from __future__ import annotations

import torch

from isocortex.errors import UserError


def usable_device(device: str | torch.device) -> torch.device:
    """Return a device that works here."""
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"device {str(device)!r} cannot be used here; take device='cpu' ({reason})"
        ) from error
    return found
