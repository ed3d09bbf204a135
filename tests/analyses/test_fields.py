"""First layers of networks and of files, from the command line to the tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from isocortex.analyses.fields import FieldSettings, fields, filters_of
from isocortex.cli import main
from isocortex.errors import UserError

Bank = Callable[..., np.ndarray]
QUICK = ["--surrogates", "2", "--permutations", "20", "--banks", "1"]


@pytest.fixture
def file(tmp_path: Path, gabors: Bank) -> Path:
    """Return a file of coloured Gabors of seven pixels."""
    colours = np.array([0.6, 1.0, 0.8])
    bank = gabors(12, side=7)[:, None] * colours[:, None, None]
    np.savez(tmp_path / "bank.npz", other=np.zeros(3), conv1=bank)
    return tmp_path / "bank.npz"


def test_a_file_of_gabors_is_told_from_noise(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["fields", str(file), "--out", str(out), *QUICK]) == 0
    filters = pd.read_csv(out / "tables" / "filters.csv")
    assert filters["retained"].all()
    assert filters["outside"].max() < 1e-9
    error = (filters["orientation"] - 15 * np.arange(12) + 90) % 180 - 90
    assert error.abs().max() < 0.5
    provenance = json.loads((out / "provenance.json").read_text())
    assert provenance["analysis"] == "fields"
    assert provenance["layer"] == "conv1"
    assert len(provenance["checksums"]) == 64
    for name in ("filters", "connections"):
        assert (out / "figures" / f"{name}.png").stat().st_size > 5000


def test_a_network_with_few_gabors_is_measured_with_a_warning() -> None:
    settings = FieldSettings(surrogates=2, permutations=20, control_banks=1)
    found = fields("isocortex:caffe-alexnet", settings=settings)
    assert found.layer == "conv1"
    assert len(found.tables["filters"]) == 96
    assert "too few" in found.warnings[0]
    assert not found.tables["contrast"]["enough"].any()


def test_arrays_and_layers_are_found_by_name(file: Path, tmp_path: Path) -> None:
    weights = torch.randn(4, 3, 5, 5)
    torch.save({"features.0.weight": weights, "step": 3}, tmp_path / "net.pt")
    name, found, _ = filters_of(str(tmp_path / "net.pt"), "features.0", None)
    assert name == "features.0.weight"
    torch.testing.assert_close(found, weights.double())
    assert filters_of(str(tmp_path / "net.pt"), None, None)[0] == "features.0.weight"
    with pytest.raises(UserError, match="conv1"):
        filters_of(str(file), "conv2", None)
    with pytest.raises(UserError, match="square"):
        filters_of(str(file), "other", None)
    with pytest.raises(UserError, match="cannot read"):
        filters_of(str(tmp_path / "missing.npz"), None, None)


def test_mistakes_are_said_in_a_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert main(["fields", "isocortex:half", *out, *QUICK]) == 2
    assert "5 px or more" in capsys.readouterr().err
    assert main(["fields", "isocortex:half", *out, "--banks", "0"]) == 2
    assert "--banks is 0" in capsys.readouterr().err
    assert main(["fields", "isocortex:rnet-relu-max", *out, *QUICK, "--device", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
