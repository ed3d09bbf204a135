from __future__ import annotations

import numpy as np
import pytest
import torch

from isocortex.errors import UserError
from isocortex.stimuli.gratings import (
    GRATINGS,
    ORIENTATIONS,
    gratings,
    marques_gratings,
    small_gratings,
)


def test_the_small_set_is_that_of_the_specification():
    stimuli = small_gratings(blank=False)
    assert len(stimuli) == 384
    assert stimuli.shape == (1, 64, 64)
    table = stimuli.table
    assert sorted(table["frequency"].unique()) == [0.06, 0.09, 0.13, 0.20]
    assert tuple(table["orientation"].unique()) == ORIENTATIONS
    assert list(table["phase"].unique()) == [0, 45, 90, 135, 180, 225, 270, 315]
    assert table["frequency_cpd"].isna().all()
    assert np.isinf(table["diameter"]).all()
    shape = (4, 12, 8)
    for column, axis in (("condition", 0), ("orientation", 1), ("phase", 2)):
        values = np.moveaxis(table[column].to_numpy().reshape(shape), axis, -1)
        assert (values == values[0, 0]).all()
        assert len(np.unique(values)) == shape[axis]


def test_the_marques_set_is_that_of_brain_score():
    stimuli = marques_gratings(size=224, blank=False)
    assert len(stimuli) == 1152
    assert stimuli.degrees == 12
    table = stimuli.table
    np.testing.assert_allclose(sorted(table["frequency_cpd"].unique()), [0.77, 1.54, 3.08, 6.17])
    cycles = table["diameter"] * table["frequency"]
    np.testing.assert_allclose(sorted(cycles.round(9).unique()), [2, 3, 4])
    assert len(table["condition"].unique()) == 12
    np.testing.assert_allclose(table["frequency"] * 224 / 12, table["frequency_cpd"])


@pytest.mark.parametrize("name", GRATINGS)
def test_the_last_image_of_a_named_set_is_grey(name):
    stimuli = GRATINGS[name]()
    assert stimuli.table["blank"].sum() == 1
    assert stimuli.table["stimulus_id"].iloc[-1] == "blank"
    assert (stimuli.images([len(stimuli) - 1]) == 0.5).all()
    assert stimuli.table["condition"].iloc[-1] == -1


def test_pixels_against_the_formula_one_by_one():
    stimuli = gratings(
        [0.1, 0.17], orientations=[0, 40, 90], phases=3, contrasts=[0.3, 1], diameters=[9], size=12
    )
    images, table = stimuli.images(), stimuli.table
    for i, row in table.iterrows():
        for v in range(12):
            for u in range(12):
                x, y = u - 5.5, v - 5.5
                angle = np.deg2rad(row.orientation)
                across = x * np.sin(angle) + y * np.cos(angle)
                wave = np.cos(2 * np.pi * row.frequency * across - np.deg2rad(row.phase))
                inside = np.clip(row.diameter / 2 + 0.5 - np.hypot(x, y), 0, 1)
                expected = 0.5 + row.contrast / 2 * wave * inside
                assert images[i, 0, v, u].item() == pytest.approx(expected, abs=1e-6)


def test_orientation_is_that_of_the_contour_anticlockwise():
    stimuli = gratings([0.125], orientations=[0, 30, 90], phases=1, size=64)
    level, tilted, upright = stimuli.images()[:, 0]
    assert level.std(dim=1).max() < 1e-6  # horizontal stripes: rows are uniform
    assert upright.std(dim=0).max() < 1e-6
    # One step along a contour at 30 degrees is 8 px to the right and 4.6 px up.
    step = (round(-8 * np.tan(np.deg2rad(30))), 8)
    along = tilted.roll((-step[0], -step[1]), (0, 1))[16:48, 16:48]
    assert (
        torch.corrcoef(torch.stack([tilted[16:48, 16:48].flatten(), along.flatten()]))[0, 1] > 0.9
    )
    mirrored = gratings([0.125], orientations=[150], phases=1).images()[0, 0]
    torch.testing.assert_close(tilted.flip(-1), mirrored, atol=1e-5, rtol=0)


def test_phases_are_the_frames_of_a_drift():
    stimuli = gratings([0.125], orientations=[90], phases=8, size=64)
    frames = stimuli.images()[:, 0]
    for k in range(1, 8):
        # A phase of 360 / 8 degrees is a shift by an eighth of the period of 8 px, to the right.
        torch.testing.assert_close(frames[k][:, k:], frames[0][:, :-k], atol=1e-5, rtol=0)
    torch.testing.assert_close(frames.mean(0), torch.full((64, 64), 0.5), atol=1e-6, rtol=0)


def test_discs_and_contrast():
    stimuli = gratings([0.1], contrasts=[0.5], cycles=[2], size=64)
    images = stimuli.images()[:, 0]
    place = torch.arange(64) - 31.5
    radius = torch.hypot(place[:, None], place[None])
    assert (images[:, radius > 10.5] == 0.5).all()
    assert images.amax().item() == pytest.approx(0.75, abs=0.01)
    assert images.amin().item() == pytest.approx(0.25, abs=0.01)
    wide = gratings([1.0], diameters=[3.0], degrees=4.0, size=64).table
    np.testing.assert_allclose(wide["diameter"], 48)
    np.testing.assert_allclose(wide["frequency"], 1 / 16)


def test_an_image_depends_on_its_row_alone():
    stimuli = small_gratings()
    picked = stimuli[[300, 7]]
    assert torch.equal(picked.images([1]), stimuli.images()[7:8])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frequencies": [0.5]}, "cycles per pixel above 0 and below 0.5"),
        ({"frequencies": []}, "one or more, none twice"),
        ({"frequencies": [0.1, 0.1]}, "one or more, none twice"),
        ({"frequencies": [3.0], "degrees": 12.0}, "cycles per degree above 0 and below 2.66667"),
        ({"orientations": [180]}, "from 0 to below 180"),
        ({"orientations": [-1]}, "from 0 to below 180"),
        ({"contrasts": [1.1]}, "above 0 and at most 1"),
        ({"contrasts": [0]}, "above 0 and at most 1"),
        ({"diameters": [0]}, "diameters above 0"),
        ({"diameters": [3], "cycles": [2]}, "not both"),
        ({"phases": 0}, "at least 2 pixels and 1 phase"),
        ({"degrees": 0}, "a width above 0"),
    ],
)
def test_mistakes_get_one_line(change, message):
    with pytest.raises(UserError, match=message):
        gratings(**{"frequencies": [0.1], "size": 64, **change})
