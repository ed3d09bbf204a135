from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from isocortex.errors import UserError
from isocortex.report.summary import summary, table
from isocortex.studies import StudyResult
from isocortex.studies.results import write_tables


def test_numbers_are_short_and_bars_are_escaped() -> None:
    frame = pd.DataFrame({"a": [1.0, 0.12345, None], "b": ["x|y", "", "z"]})
    assert table(frame).splitlines() == [
        "| a | b |",
        "|---|---|",
        "| 1 | x\\|y |",
        "| 0.123 |  |",
        "|  | z |",
    ]


def test_the_page_names_command_versions_seeds_and_every_claim(
    result: StudyResult, tmp_path: Path
) -> None:
    result.tables["claim_parts"] = pd.DataFrame(
        [{"id": "X1", "text": "a part", "verdict": "shown", "value": 0.5}]
    )
    result.provenance.update(
        started="2026-01-01T00:00:00+00:00", data="found", claims_checksum="abc"
    )
    write_tables(result, tmp_path)
    page = summary(tmp_path)
    assert "isocortex study" in page
    assert "training.seeds = 2" in page
    assert "torch 2.6.0" in page
    for claim in result.board["id"]:
        assert f"| {claim} |" in page
    assert "| train | 1 | 3.200 |" in page


def test_a_folder_without_results_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a whole result folder") as caught:
        summary(tmp_path)
    assert "\n" not in str(caught.value)
