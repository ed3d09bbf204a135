"""Relative direction of odd filters: from their pixels to the kernel."""

from __future__ import annotations

import numpy as np
import pytest

from isocortex.analyses.lateral import Units
from isocortex.analyses.polarity import COLUMNS, directions, polarity_table
from isocortex.errors import UserError
from isocortex.measures.receptive_fields import fit_gabor, gabor

N, SIDE = 12, 7
TURN = np.arange(N) * 30.0


def odd_bank(turn: np.ndarray, side: int = 11) -> np.ndarray:
    """Odd filters with the bright side on the right of their direction."""
    ones = np.ones(len(turn))
    return gabor(
        side, orientation_deg=turn, frequency=0.15 * ones, phase_deg=-90 * ones,
        sigma_u=2.0 * ones, sigma_v=2.5 * ones, x=0 * ones, y=0 * ones, amplitude=ones,
    )  # fmt: skip


def test_directions_have_the_bright_side_on_the_right() -> None:
    bank = odd_bank(TURN)
    axis = np.arange(11) - 5.0
    right = np.sin(np.deg2rad(TURN)), -np.cos(np.deg2rad(TURN))
    place = right[0][:, None, None] * axis + right[1][:, None, None] * -axis[:, None]
    assert ((bank * place).sum(axis=(1, 2)) > 0).all()
    fit = fit_gabor(bank)
    found = directions(fit.orientation_deg, fit.phase_deg)
    np.testing.assert_allclose((found - TURN + 180) % 360 - 180, 0, atol=1)
    assert np.isnan(directions(np.array([20.0, 20.0]), np.array([0.0, 170.0]))).all()


def test_connections_of_one_polarity_are_told_from_those_of_the_other() -> None:
    bank = odd_bank(TURN)
    relative = (TURN[None] - TURN[:, None]) % 360
    kernel = np.where(relative == 180, 2.0, 1.0)[..., None, None] * np.ones((N, N, SIDE, SIDE))
    fit = fit_gabor(bank)
    units = Units(np.arange(N), fit.orientation_deg, fit.phase_deg)
    table = polarity_table(kernel, bank, units, references={"flat": np.ones_like(kernel)})
    assert table.columns.tolist() == COLUMNS
    learned = table.query("what == 'learned'").set_index("direction")["strength"]
    assert learned.idxmax() == 180
    assert learned[180] > 1.1 * learned[90]  # smoothed over 45 degrees
    assert learned.mean() == pytest.approx(1)
    flat = table.query("what == 'flat'")
    np.testing.assert_allclose(flat[["strength", "along", "across"]], 1, atol=0.02)
    # Filters overlap with those of their own polarity, and not with those of the other.
    overlap = table.query("what == 'overlap'").set_index("direction")["strength"]
    assert overlap.idxmax() in (0, 22.5, 337.5)
    assert overlap[0] > overlap[180]
    assert (table["n_units"] == N).all()


def test_even_filters_have_no_polarity() -> None:
    units = Units(np.arange(N), TURN % 180, np.zeros(N))
    table = polarity_table(np.ones((N, N, SIDE, SIDE)), odd_bank(TURN), units)
    assert table.empty
    assert table.columns.tolist() == COLUMNS
    with pytest.raises(UserError, match="phases"):
        polarity_table(np.ones((N, N, SIDE, SIDE)), odd_bank(TURN), Units(np.arange(N), TURN))
