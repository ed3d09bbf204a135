from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from sklearn.metrics import r2_score
from torch.nn import functional as F

from isocortex.errors import UserError
from isocortex.training.latent_metrics import learned, task_metrics
from isocortex.training.latent_tasks import (
    TARGETS,
    TASK_SETS,
    TASKS,
    Head,
    Scale,
    constant_loss,
    euler_matrix,
    latent_targets,
    objective,
    tasks_of,
)

HEAD = Head(categories=4, identities=12, extras=("rotation_6d", "box"))


def scenes(n: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    left, top = rng.uniform(0, 0.5, (2, n))
    return pd.DataFrame(
        {
            "category_index": rng.integers(4, size=n),
            "identity_index": rng.integers(12, size=n),
            "x": rng.normal(0, 0.5, n),
            "y": rng.normal(0, 0.5, n),
            "z": rng.uniform(0.9, 4.2, n),
            "pitch": rng.uniform(-45, 45, n),
            "yaw": rng.uniform(-45, 45, n),
            "roll": rng.uniform(-45, 45, n),
            "box_left": left,
            "box_top": top,
            "box_right": left + rng.uniform(0.1, 0.5, n),
            "box_bottom": top + rng.uniform(0.1, 0.5, n),
        }
    )


def perfect(targets: torch.Tensor) -> torch.Tensor:
    outputs = torch.zeros(len(targets), HEAD.units)
    for name, units in HEAD.slices.items():
        aim = targets[:, TASKS[name].columns]
        if name in ("category", "identity"):
            width = units.stop - units.start
            aim = 100.0 * F.one_hot(aim[:, 0].long(), width)
        outputs[:, units] = aim
    return outputs


def test_the_published_head_has_674_units():
    head = Head(117, 548)
    assert head.units == 674
    assert head.slices["distance"] == slice(665, 666)
    assert head.slices["rotation"] == slice(668, 674)
    widths = {
        name: sum(head.slices[t].stop - head.slices[t].start for t in tasks)
        for name, tasks in TASK_SETS.items()
    }
    assert widths == {
        "distance": 1, "translation": 2, "rotation": 6, "distance+translation": 3,
        "distance+rotation": 7, "translation+rotation": 8, "spatial": 9, "category": 117,
        "identity": 548, "everything": 674,
    }  # fmt: skip


def test_constants_lose_what_the_specification_says():
    rng = np.random.default_rng(0)
    n = 200_000
    table = scenes(n)
    for name in ("pitch", "yaw", "roll"):
        table[name] = rng.uniform(-45, 45, n)
    targets = latent_targets(table, Scale.of(table))
    assert float(constant_loss("distance", targets)) == pytest.approx(1.0, abs=1e-4)
    assert float(constant_loss("translation", targets)) == pytest.approx(1.0, abs=1e-4)
    a = math.pi / 4
    expected = (1 - (math.sin(a) / a) ** 2) / 2
    assert expected == pytest.approx(0.09472, abs=1e-5)
    assert float(constant_loss("rotation", targets)) == pytest.approx(expected, abs=5e-4)
    zero = TASKS["rotation"].loss(torch.zeros(n, 6), targets[:, TASKS["rotation"].columns])
    assert float(zero) == pytest.approx(0.5, abs=1e-5)
    assert float(constant_loss("category", targets)) == pytest.approx(math.log(4), abs=1e-3)


@given(st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=3))
def test_the_rotation_is_that_of_scipy(angles):
    pitch, yaw, roll = angles
    ours = euler_matrix(torch.tensor([angles], dtype=torch.float64))[0].numpy()
    theirs = Rotation.from_euler("YXZ", [yaw, pitch, roll]).as_matrix()
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    assert -math.asin(ours[1, 2]) == pytest.approx(pitch, abs=1e-6)
    assert math.atan2(ours[0, 2], ours[2, 2]) == pytest.approx(yaw, abs=1e-6)
    assert math.atan2(ours[1, 0], ours[1, 1]) == pytest.approx(roll, abs=1e-6)


def test_a_perfect_network_is_perfect_in_every_metric():
    table = scenes()
    scale = Scale.of(table)
    targets = latent_targets(table, scale)
    metrics = task_metrics(perfect(targets), targets, tuple(HEAD.slices), HEAD, scale)
    value = metrics.set_index(["task", "metric"])["value"]
    assert value["category", "accuracy"] == 1
    assert value["translation", "r2_x"] == pytest.approx(1)
    assert value["distance", "rmse_z"] == pytest.approx(0, abs=1e-6)
    assert value["rotation", "mae_yaw"] == pytest.approx(0, abs=1e-3)
    assert value["rotation_6d", "geodesic_deg"] == pytest.approx(0, abs=0.05)
    assert value["box", "iou"] == pytest.approx(1, abs=1e-5)
    assert learned(metrics)


def test_metrics_agree_with_slow_ones():
    table = scenes()
    scale = Scale.of(table)
    targets = latent_targets(table, scale)
    noise = torch.randn(len(table), HEAD.units, generator=torch.Generator().manual_seed(1))
    outputs = perfect(targets) + 0.3 * noise
    value = task_metrics(outputs, targets, tuple(HEAD.slices), HEAD, scale).set_index(
        ["task", "metric"]
    )["value"]
    z = outputs[:, HEAD.slices["distance"]][:, 0].numpy() * scale.sd[0] + scale.mean[0]
    assert value["distance", "r2_z"] == pytest.approx(r2_score(table["z"], z), rel=1e-4)
    off = float(np.sqrt(np.mean((z - table["z"]) ** 2)))
    assert value["distance", "rmse_z"] == pytest.approx(off, rel=1e-4)
    own = outputs[:, HEAD.slices["rotation"]].numpy()
    yaw = np.degrees(np.arctan2(own[:, 1], own[:, 4]))
    error = np.abs((yaw - table["yaw"] + 180) % 360 - 180).mean()
    assert value["rotation", "mae_yaw"] == pytest.approx(error, rel=1e-4)
    angles = np.degrees(np.arctan2(own[:, :3], own[:, 3:]))
    true = Rotation.from_euler("YXZ", table[["yaw", "pitch", "roll"]], degrees=True)
    guess = Rotation.from_euler("YXZ", angles[:, [1, 0, 2]], degrees=True)
    geodesic = np.degrees((true.inv() * guess).magnitude()).mean()
    assert value["rotation", "geodesic_deg"] == pytest.approx(geodesic, rel=1e-4)


def test_only_the_tasks_named_get_gradients():
    table = scenes(20)
    targets = latent_targets(table, Scale.of(table))
    for tasks in TASK_SETS.values():
        outputs = torch.zeros(20, HEAD.units, requires_grad=True)
        goal = objective(tasks, HEAD)
        goal.loss(outputs, targets).backward()
        trained = torch.zeros(HEAD.units, dtype=torch.bool)
        for name in tasks:
            trained[HEAD.slices[name]] = True
        assert torch.equal(outputs.grad.abs().sum(0) > 0, trained)


def test_the_loss_is_the_plain_mean_and_one_for_a_constant():
    table = scenes()
    targets = latent_targets(table, Scale.of(table))
    outputs = torch.zeros(len(table), HEAD.units)
    outputs[:, HEAD.slices["rotation"]] = targets[:, TASKS["rotation"].columns].mean(0)
    goal = objective(TASK_SETS["spatial"], HEAD)
    by_hand = (
        constant_loss("distance", targets)
        + constant_loss("translation", targets)
        + constant_loss("rotation", targets)
    ) / 3
    assert float(goal.loss(outputs, targets)) == pytest.approx(float(by_hand), rel=1e-5)
    assert float(goal.measure(outputs, targets)) == pytest.approx(1, rel=1e-5)


def test_what_does_not_vary_is_not_a_number():
    table = scenes(50)
    table[["x", "y"]] = 0.0
    scale = Scale.of(table)
    targets = latent_targets(table, scale)
    assert float(targets[:, TARGETS.index("x")].abs().max()) == 0
    value = task_metrics(perfect(targets), targets, ("translation",), HEAD, scale).set_index(
        "metric"
    )["value"]
    assert math.isnan(value["r2_x"])
    assert math.isnan(value["relative_loss"])
    assert value["rmse_x"] == 0


def test_mistakes_are_told_in_one_line():
    with pytest.raises(UserError, match="unknown task"):
        objective(("distence",), HEAD)
    with pytest.raises(UserError, match="no units for box"):
        objective(("box",), Head(2, 4))
    with pytest.raises(UserError, match="at least one task"):
        objective((), HEAD)
    with pytest.raises(UserError, match="the latents lack x, yaw"):
        latent_targets(scenes(4).drop(columns=["x", "yaw"]), Scale((0, 0, 0), (1, 1, 1)))
    with pytest.raises(UserError, match="unknown task 'maks'; nearest: mask"):
        tasks_of("distance+maks")
    with pytest.raises(UserError, match="names a task twice"):
        tasks_of("box+distance+box")
    table = scenes(4)
    targets = latent_targets(table, Scale.of(table))
    with pytest.raises(UserError, match="no columns for mask"):
        objective(("mask",), Head(4, 12, ("mask",))).loss(torch.zeros(4, 89), targets)


def test_any_combination_of_tasks_is_a_set():
    assert tasks_of("spatial") == ("distance", "translation", "rotation")
    assert tasks_of("distance+rotation") == ("distance", "rotation")
    assert tasks_of("category+box+depth") == ("category", "box", "depth")


@pytest.mark.parametrize(
    ("tasks", "good"),
    [
        ({"distance": (0.79, 1.0)}, True),
        ({"distance": (0.81, 1.0)}, False),
        # The loss that training lowers is of all tasks: rotation has a ninth of distance's.
        ({"distance": (0.6, 1.0), "rotation": (0.113, 0.113)}, True),
        ({"distance": (0.95, 1.0), "rotation": (0.05, 0.113)}, False),
        ({"category": (2.7, 2.77, 0.19, 0.0625)}, True),
        ({"category": (2.7, 2.77, 0.18, 0.0625)}, False),
        ({"distance": (0.0, 0.0)}, False),
    ],
)
def test_a_network_learned_by_its_whole_loss_or_its_accuracy(tasks, good):
    names = ("loss", "constant_loss", "accuracy", "chance")
    rows = [
        {"task": task, "metric": metric, "value": value}
        for task, values in tasks.items()
        for metric, value in zip(names, values, strict=False)
    ]
    assert learned(pd.DataFrame(rows)) is good
