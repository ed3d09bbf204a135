"""Shared fixtures: data that may be there, one torch thread a worker, no GPU taken for granted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

settings.register_profile(
    "isocortex",
    deadline=None,
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("isocortex")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Workers share the cores; one torch thread each is faster and repeatable."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Return the folder of real data; the test is skipped where ISOCORTEX_DATA is not set."""
    folder = os.environ.get("ISOCORTEX_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ISOCORTEX_DATA is not set to a folder")
    return Path(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="no CUDA device")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(skip)
