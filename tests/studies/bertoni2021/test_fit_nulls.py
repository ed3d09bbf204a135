"""Nulls of fits of one network; what the paper is known to report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocortex.execution import Execution
from isocortex.measures.receptive_fields import fit_log, log_null, p_values
from isocortex.studies.bertoni2021.claims import CLAIMS, paper, paper_values
from isocortex.studies.bertoni2021.fit_nulls import FitNulls
from isocortex.studies.bertoni2021.networks import Train

FIELDS: dict[str, Any] = {
    "arm": "all", "source": "glyphs", "seed": 0, "size": 32, "train_images": 40,
    "test_images": 20, "shift": 2, "flips": True, "filters": 4, "filter_size": 7,
    "channels": [4, 4], "lgn_size": 5, "kernel_side": 5, "iterations": 1, "dropout": 0.2,
    "epochs": 1, "batch_size": 20, "learning_rate": 0.05, "weight_decay": 1e-3, "snapshots": 2,
}  # fmt: skip


def test_fits_stand_beside_every_null(tmp_path: Path) -> None:
    execution = Execution(cache=tmp_path)
    network = execution.step(Train, **FIELDS)
    found = execution.step(FitNulls, network=network, draws=60, copies=3).compute()
    table = found["fit_nulls"].set_index(["statistic", "null"])
    assert sorted(table.index) == sorted(
        (s, n) for s in ("log_r", "log_q", "gabor_r") for n in ("white", "smooth", "phase")
    )
    last = network.result()["filters"]
    front = last[max(last)]["lgn"][None].astype(np.float64)
    drawn = log_null(5, "smooth", 60)
    row = table.loc[("log_q", "smooth")]
    assert row["p"] == pytest.approx(p_values(fit_log(front).q, drawn.q)[0])
    assert row["null_95"] == pytest.approx(np.quantile(drawn.q, 0.95))
    gabors = table.loc["gabor_r"]
    assert gabors["share_small_p"].between(0, 1).all()
    assert gabors["p"].isna().all()
    assert gabors.loc["white", "null_mean"] < gabors.loc["smooth", "null_mean"]
    assert found["shapes"]["what"].tolist() == ["filters", "copies with random phases"]


def test_no_number_of_the_paper_is_made_up() -> None:
    known = paper_values()
    assert set(known) <= {claim.id for claim in CLAIMS}
    for claim in CLAIMS:
        assert claim.paper == paper(claim.id)
        assert bool(claim.paper) == (claim.id in known)
    assert all(set(v) == {"said", "value"} and v["value"] == "" for v in known.values())
