"""Stimulus sets by name, each kind, and what a mistake is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from isocortex.analyses.stimulus_sets import BUILT_IN, shown_set
from isocortex.brains import Assembly, Card
from isocortex.errors import UserError
from isocortex.stimuli import StimulusSet
from isocortex.stimuli.image_files import write_png


def images(n: int, side: int = 6) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(n).integers(0, 256, (n, 3, side, side)) / 255.0)


@pytest.mark.parametrize("name", [n for n, s in BUILT_IN.items() if not s.files])
def test_sets_that_need_no_data(name: str) -> None:
    shown = shown_set(name, size=16, count=5, seed=1)
    stimuli = shown.stimuli()
    assert len(stimuli) == 5
    assert stimuli.shape[1:] == (16, 16)
    again = shown_set(name, size=16, count=5, seed=1).stimuli()
    assert stimuli.checksum() == again.checksum()
    other = shown_set(name, size=16, count=5, seed=2).stimuli()
    assert list(other.table["stimulus_id"]) != list(stimuli.table["stimulus_id"])


@pytest.mark.data
@pytest.mark.parametrize("name", [n for n, s in BUILT_IN.items() if s.files])
def test_sets_of_the_data_folder(name: str, data_folder: Path) -> None:
    shown = shown_set(name, data=data_folder, size=16, count=4)
    assert shown.checksum
    assert shown.stimuli().images().shape == (4, 3, 16, 16)


@pytest.mark.data
def test_images_of_a_recording(data_folder: Path) -> None:
    shown = shown_set("objects92", data=data_folder)
    assert len(shown.stimuli()) == 92
    with pytest.raises(UserError, match="it-7objects comes without its images"):
        shown_set("it-7objects", data=data_folder).stimuli()


def test_folders_of_images_saved_sets_and_recordings(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    for k, image in enumerate(images(3)):
        write_png(image, tmp_path / "plain" / f"{k}.png")
    StimulusSet.from_tensor(images(4)).save(tmp_path / "saved")
    Assembly(
        np.zeros((5, 2)), stimuli=StimulusSet.from_tensor(images(5)), card=Card("a", "b", "c")
    ).save(tmp_path / "brain")
    for name, n in (("plain", 3), ("saved", 4), ("brain", 5)):
        shown = shown_set(str(tmp_path / name))
        assert shown.checksum
        assert torch.equal(shown.stimuli().images(), images(n).float())
    before = shown_set(str(tmp_path / "plain")).checksum
    write_png(images(9)[8], tmp_path / "plain" / "1.png")
    assert shown_set(str(tmp_path / "plain")).checksum != before
    (tmp_path / "plain" / ".hidden").write_text("not an image")
    assert len(shown_set(str(tmp_path / "plain"), size=4).stimuli()) == 3


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown stimulus set 'photographies'.*photographs"):
        shown_set("photographies")
    with pytest.raises(UserError, match="no data folder is named"):
        shown_set("photographs")
    StimulusSet.from_tensor(images(4)).save(tmp_path / "saved")
    for count in (0, 5):
        with pytest.raises(UserError, match=f"holds 4 stimuli, not {count}"):
            shown_set(str(tmp_path / "saved"), count=count).stimuli()
    (tmp_path / "mixed").mkdir()
    write_png(images(1)[0], tmp_path / "mixed" / "a.png")
    write_png(images(1, side=8)[0], tmp_path / "mixed" / "b.png")
    with pytest.raises(UserError, match="give size=PIXELS"):
        shown_set(str(tmp_path / "mixed")).stimuli()
