"""What the tests of studies share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def library_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one cache for all workers: measuring the mesh library takes most of a minute."""
    folder = tmp_path_factory.getbasetemp().parent / "library-cache"
    folder.mkdir(exist_ok=True)
    return folder
