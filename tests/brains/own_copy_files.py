"""Miniatures of recordings that users fetch, in the layout in which they are published."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from PIL import Image

N_ELECTRODES = 1024


def cadena(folder: Path, drop: str = "", **changes: Any) -> Path:
    """A dictionary as published: 20 images of 8 px, 4 trials, 3 neurons of which one is partial."""
    rng = np.random.default_rng(0)
    responses = rng.poisson(3.0, (4, 20, 3)).astype(float)
    responses[2:, :, 1] = np.nan  # two repetitions
    responses[:, 15:, 2] = np.nan  # never saw the last images
    content = {
        "images": rng.integers(0, 256, (20, 8, 8)).astype(np.uint8),
        "responses": responses,
        "image_ids": np.repeat(np.arange(10), 2)[:, None],
        "image_types": np.array([["original"], ["conv1"]] * 10, dtype=object),
        "repetitions": np.array([4, 2, 4]),
        "subject_id": np.array([31, 31, 42]),
        "session_id": np.arange(3),
        "unit_id": np.arange(3),
    } | changes
    content.pop(drop, None)
    path = folder / "cadena2019" / "cadena_ploscb_data.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content))
    return path


def photographs(folder: Path, names: list[str]) -> Path:
    images = folder / "things" / "object_images"
    for k, name in enumerate(names):
        path = images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 10), (10 * k, 50, 200)).save(path, quality=95)
    return images


TRAIN, TEST = (
    ["dog/dog_01b.jpg", "cat/cat_02s.jpg", "ice_cream/ice_cream_03s.jpg"],
    ["cup/cup_01b.jpg"],
)


def tvsd(
    folder: Path,
    drop: str = "",
    names: tuple[list[str], list[str]] = (TRAIN, TEST),
    **changes: np.ndarray,
) -> Path:
    """The two files of one animal; HDF5 has MATLAB's axes in reverse order."""
    rng = np.random.default_rng(1)
    there = folder / "tvsd" / "monkeyF"
    (there / "_logs").mkdir(parents=True, exist_ok=True)
    arrays = {
        "train_MUA": rng.standard_normal((3, N_ELECTRODES)),
        "test_MUA": rng.standard_normal((1, N_ELECTRODES)),
        "test_MUA_reps": rng.standard_normal((30, 1, N_ELECTRODES)),
        "reliab": rng.random((435, N_ELECTRODES)),
    } | changes
    arrays.pop(drop, None)
    with h5py.File(there / "THINGS_normMUA.mat", "w") as file:
        for name, array in arrays.items():
            file[name] = array
    with h5py.File(there / "_logs" / "things_imgs.mat", "w") as file:
        for part, those in zip(("train_imgs", "test_imgs"), names, strict=True):
            if drop == part:
                continue
            texts = []
            for k, name in enumerate(those):
                codes = np.frombuffer(name.replace("/", "\\").encode("utf-16-le"), dtype="<u2")
                texts.append(file.create_dataset(f"#refs#/{part}{k}", data=codes[:, None]).ref)
            file.create_dataset(
                f"{part}/things_path", data=np.array(texts, dtype=h5py.ref_dtype)[:, None]
            )
    return there


def fmri(folder: Path, drop: str = "", values: np.ndarray | None = None) -> Path:
    """The three tables of one person: two images once, one image three times; four voxels."""
    there = folder / "things_fmri" / "betas_csv"
    there.mkdir(parents=True, exist_ok=True)
    stimuli = pd.DataFrame(
        {
            "trial_type": ["train", "test", "train", "test", "test"],
            "session": [1, 1, 2, 2, 3],
            "stimulus": ["dog_01b.jpg", "cup_01b.jpg", "cat_02s.jpg", "cup_01b.jpg", "cup_01b.jpg"],
        }
    )
    voxels = pd.DataFrame(
        {
            "voxel_id": [5, 6, 7, 9],
            "V1": [0, 1, 0, 0],
            "V2": [0, 1, 0, 0],
            "V3": 0,
            "hV4": 0,
            "VO1": [0, 0, 0, 1],
            "VO2": [0, 0, 1, 0],
        }
    )
    stimuli.drop(columns=drop, errors="ignore").to_csv(
        there / "sub-01_StimulusMetadata.csv", index=False
    )
    voxels.drop(columns=drop, errors="ignore").to_csv(
        there / "sub-01_VoxelMetadata.csv", index=False
    )
    betas = np.arange(20.0).reshape(4, 5) if values is None else values
    with h5py.File(there / "sub-01_ResponseData.h5", "w") as file:
        for name, array in (
            ("block0_values", betas), ("block1_values", voxels["voxel_id"].to_numpy()[:, None])
        ):  # fmt: skip
            if name != drop:
                file[f"ResponseData/{name}"] = array
    return there
