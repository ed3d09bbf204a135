"""Areas of recordings that users fetch: who is trained on, who is tested, and what is claimed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.brains.own_copy_files import cadena, photographs, tvsd

from isocortex.brains import OWN_COPIES
from isocortex.execution import Execution
from isocortex.studies.data_files import DataFiles
from isocortex.studies.farahat2025.areas import Recorded
from isocortex.studies.farahat2025.config import CONFIGURATIONS
from isocortex.studies.farahat2025.contrasts import SMOOTH, random, twin
from isocortex.studies.farahat2025.encoding import Encode, explained_share
from isocortex.studies.farahat2025.full_claims import FULL_CLAIMS, MONKEYS, PEOPLE
from isocortex.studies.farahat2025.judging import judge_all
from isocortex.studies.farahat2025.networks import Network
from isocortex.studies.farahat2025.own_areas import REGIONS, own_names, parts_of
from isocortex.studies.farahat2025.plan import Plan

IMAGES = [f"concept{k}/concept{k}_01b.jpg" for k in range(24)]


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    """Twenty training images and four test images of one monkey."""
    rng = np.random.default_rng(0)
    repeated = rng.standard_normal((4, 1024)) + rng.standard_normal((30, 4, 1024))
    tvsd(
        tmp_path, names=(IMAGES[:20], IMAGES[20:]),
        train_MUA=rng.standard_normal((20, 1024)), test_MUA_reps=repeated,
    )  # fmt: skip
    photographs(tmp_path, IMAGES)
    return tmp_path


def recorded(name: str, data: Path) -> Recorded:
    return Recorded(name=name, size=24, presentations=30_000, folds=5, data=data, data_checksum="")


def test_the_published_test_images_are_tested_and_have_the_trials(stream: Path) -> None:
    shown = recorded("tvsd-monkeyF:IT", stream).shown()
    assert shown.images.shape == (24, 3, 24, 24)
    assert shown.responses.shape == (24, 320)
    ((train, validation, test),) = shown.parts
    assert sorted([*train, *validation]) == list(range(20))
    assert list(test) == [20, 21, 22, 23]
    assert shown.trials is not None
    assert shown.trials.shape == (30, 4, 320)
    assert shown.repeated is not None
    np.testing.assert_array_equal(shown.repeated, test)
    np.testing.assert_allclose(shown.responses[test], shown.trials.mean(axis=0), atol=1e-5)
    assert recorded("tvsd-monkeyF:V4", stream).shown().responses.shape == (24, 192)


def test_explained_share_is_that_of_the_repeated_rows(stream: Path) -> None:
    shown = recorded("tvsd-monkeyF:V1", stream).shown()
    test = shown.parts[0][2]
    predicted = np.full(shown.responses.shape, np.nan)
    predicted[test] = shown.responses[test].mean(axis=0)
    share = explained_share(shown, predicted)
    assert share.shape == (512,)
    known = share[np.isfinite(share)]
    assert len(known)
    np.testing.assert_array_less(known, 0.2)  # a mean explains nothing


def test_networks_are_fitted_to_such_an_area(stream: Path) -> None:
    network = Network(activation="relu", pooling="avg", norm="bn", channels=(6, 8, 10))
    found = Encode(
        network=network, recorded=recorded("tvsd-monkeyF:V4", stream), n_pred=50, folds_run=5,
        batch_size=7,
    ).compute()["encoding"]  # fmt: skip
    assert set(found["area"]) == {"tvsd-monkeyF:V4"}
    assert len(found) == 192


def test_images_made_from_a_tested_photograph_are_not_trained_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(20), 2)
    ids[4] = 19  # of the last photograph, which is tested
    cadena(
        tmp_path, image_ids=ids, image_types=np.array(["original", "conv1"] * 20),
        images=rng.integers(0, 256, (40, 24, 24)).astype(np.uint8),
        responses=rng.poisson(3.0, (4, 40, 3)).astype(float),
    )  # fmt: skip
    shown = recorded("v1-cadena:V1", tmp_path).shown()
    assert len(shown.images) == 39
    ((train, validation, test),) = shown.parts
    assert len(test) == 8
    assert not set(train) & set(validation)
    assert shown.trials is not None
    assert shown.trials.shape == (4, 39, 3)


def test_full_asks_for_every_recording_and_takes_those_that_are_there(stream: Path) -> None:
    chosen = CONFIGURATIONS["full"]
    assert set(chosen.areas.own) == set(REGIONS)
    assert {part for recording in REGIONS for part in parts_of(recording)} == set(OWN_COPIES)
    plan = Plan(chosen, DataFiles(stream), Execution())
    assert plan.recorded_names() == own_names("tvsd-monkeyF")
    large = {(n.arm, n.configuration) for n in plan.large()}
    assert len(large) == 2 * len(chosen.grid.large_parts)
    assert {arm for arm, _ in large} == {"alexnet", "vgg16"}
    trained_on = {(s.area.name, s.loss) for s in plan.neural() if s.recorded}
    assert trained_on == {(name, "mse") for name in own_names("tvsd-monkeyF")}


def planted(levels: dict[tuple[str, ...], tuple[float, float]]) -> pd.DataFrame:
    """FEV of networks (configuration, arm, norm) in V1 and the late area of each recording."""
    rng = np.random.default_rng(1)
    late = {**dict.fromkeys(MONKEYS, "IT"), **dict.fromkeys(PEOPLE, "VO")}
    return pd.DataFrame(
        [
            {"area": f"{recording}:{area}", "configuration": name, "arm": arm, "norm": norm,
             "seed": seed, "control_seed": 0, "neuroid": n, "kind": "", "r": level,
             "fev": level + 0.005 * rng.standard_normal()}
            for recording, area_late in {**late, "v1-cadena": ""}.items()
            for (name, arm, norm), both in levels.items()
            for area, level in zip(("V1", area_late), both, strict=True)
            if area
            for seed in range(10)
            for n in range(12)
        ]
    )  # fmt: skip


def test_claims_of_the_full_scale_have_their_signs() -> None:
    keys = {
        "random": tuple(twin().values()), "trained": tuple(twin(arm="trained").values()),
        **{kind: tuple(twin(arm=kind).values()) for kind in ("S2", "S3")},
        "pixels": ("pixels", "pixels", ""),
    }  # fmt: skip
    smooth = {tuple(random(f"{a}-avg").values()): (0.2, 0.1) for a in SMOOTH}
    rest = {
        tuple(random("relu-avg").values()): (0.4, 0.1),
        **{tuple(random(f"{a}-max").values()): (0.4, 0.1) for a in SMOOTH},
        keys["pixels"]: (0.1, 0.05),
    }
    helped = {keys["random"]: (0.4, 0.1), keys["trained"]: (0.42, 0.4),
              keys["S2"]: (0.41, 0.1), keys["S3"]: (0.41, 0.1)}  # fmt: skip
    sources = {name for claim in FULL_CLAIMS for name in (*MONKEYS, *PEOPLE, "v1-cadena")}
    found = ("recordings", "bsds500", "cifar10", *sources)
    names = ("R1 TVSD", "R1 THINGS", "R3 V1 full", "R4 V1 full", "R7 TVSD")

    def verdicts(levels: dict, seen: tuple[str, ...] = found) -> dict[str, str]:
        judged = judge_all({"encoding": planted({**smooth, **rest, **levels})}, 200, seen, False)
        return {j.claim.id: str(j.verdict) for j in judged}

    shown = verdicts(helped)
    assert {shown[name] for name in names} == {"shown"}
    turned = {keys["random"]: (0.1, 0.4), keys["trained"]: (0.4, 0.42),
              keys["S2"]: (0.1, 0.41), keys["S3"]: (0.1, 0.41)}  # fmt: skip
    against = verdicts(turned)
    assert {against[n] for n in ("R1 TVSD", "R1 THINGS", "R7 TVSD")} == {"contradicted"}
    missing = verdicts(helped, tuple(name for name in found if name != MONKEYS[1]))
    assert missing["R1 TVSD"] == "not tested"
    assert missing["R1 THINGS"] == "shown"
