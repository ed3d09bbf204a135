"""Warp, started without a word and in step with torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
import warp as wp


@cache
def start() -> None:
    """Initialise Warp without a word on standard output and, where there is no GPU, on stderr."""
    wp.config.log_level = max(wp.config.log_level, wp.LOG_WARNING)
    if torch.cuda.is_available():
        wp.init()
        return
    # Its native library says that it found no driver, past Python's own stderr.
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        wp.init()
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


@contextmanager
def stream_of_torch(device: torch.device) -> Iterator[None]:
    """Run kernels on torch's current stream, in order with torch's own work."""
    if device.type == "cpu":
        yield
    else:
        with wp.ScopedStream(wp.stream_from_torch(torch.cuda.current_stream(device))):
            yield
