"""What identifies a recording on disk: checksums of all that its responses depend on."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def recording_key(
    network: nn.Module,
    stimuli: str,
    prepare: Callable[[Tensor], Tensor],
    image_shape: tuple[int, int, int],
    **settings: Any,
) -> dict[str, Any]:
    """Return what identifies a recording, word by word.

    Parameters
    ----------
    network : nn.Module
        Its parameters, buffers and printed structure count.
    stimuli : str
        Checksum of the stimulus set.
    prepare : callable
        What is done to images before the network sees them. Functions have no checksum, so what
        it makes of two fixed noise images counts.
    image_shape : tuple of int
        (c, h, w) of the stimuli.
    **settings
        Whatever else counts, as it is.
    """
    noise = torch.rand((2, *image_shape), generator=torch.Generator().manual_seed(0))
    return {
        "weights": weights_checksum(network),
        "network": _sha256(re.sub(r"0x[0-9a-fA-F]+", "", repr(network)).encode()),
        "stimuli": stimuli,
        "transform or preprocessing": _sha256(_bytes(prepare(noise))),
        **settings,
    }


def weights_checksum(network: nn.Module) -> str:
    """Return the SHA-256 of names, shapes, dtypes and values of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in itertools.chain(network.named_parameters(), network.named_buffers()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def _sha256(content: bytes | memoryview) -> str:
    return hashlib.sha256(content).hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    """Return a tensor's values in row-major order."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data
