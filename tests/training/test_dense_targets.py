"""Mask and depth on a coarse grid: exact cases and slow oracles."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isocortex.stimuli.render import families
from isocortex.stimuli.scenes import LatentScenes, SceneSpec
from isocortex.stimuli.scenes.backgrounds import procedural
from isocortex.training.dense_targets import (
    GRID,
    constant_coverage_loss,
    constant_depth_loss,
    coverage_loss,
    coverage_overlap,
    dense_targets,
    depth_loss,
)
from isocortex.training.latent_metrics import task_metrics
from isocortex.training.latent_tasks import TASKS, Head, Scale, latent_targets, objective

CELLS = GRID * GRID
SCALE = Scale((2.0, 0.0, 0.0), (0.5, 1.0, 1.0))


def maps(n: int = 6, size: int = 24, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    mask = torch.from_numpy(rng.choice([0, 0.5, 1], (n, 1, size, size), p=[0.7, 0.1, 0.2]))
    mask[:, :, :6, :6] = 0
    depth = torch.from_numpy(rng.uniform(1, 4, mask.shape))
    depth[mask == 0] = torch.inf
    return mask.float(), depth.float()


def test_cells_are_means_over_the_pixels_that_show_the_object() -> None:
    mask, depth = maps()
    found = dense_targets(mask, depth, SCALE)
    side = 24 // GRID
    for image in range(6):
        for i in range(GRID):
            for j in range(GRID):
                where = (image, 0, slice(i * side, (i + 1) * side), slice(j * side, (j + 1) * side))
                m, d = mask[where].double().numpy(), depth[where].double().numpy()
                cell = i * GRID + j
                assert float(found[image, cell]) == pytest.approx(m.mean(), abs=1e-6)
                value = float(found[image, CELLS + cell])
                if m.sum() == 0:
                    assert math.isnan(value)
                else:
                    mean = (m[m > 0] * d[m > 0]).sum() / m.sum()
                    assert value == pytest.approx((mean - 2) / 0.5, abs=1e-4)


def test_the_truth_loses_nothing_and_constants_lose_most_of_all_constants() -> None:
    mask, depth = maps(40)
    targets = dense_targets(mask, depth, SCALE)
    shares, depths = targets[:, :CELLS], targets[:, CELLS:]
    truth = torch.logit(shares.double(), eps=1e-12)
    assert float(coverage_loss(truth, shares.double())) == pytest.approx(0, abs=1e-6)
    assert float(depth_loss(depths.nan_to_num(9), depths)) == 0
    best = float(constant_coverage_loss(shares))
    mean = torch.logit(shares.mean(0).clamp(1e-6, 1 - 1e-6)).expand_as(shares)
    assert float(coverage_loss(mean, shares)) == pytest.approx(best, abs=1e-4)
    assert float(coverage_loss(mean + 0.3, shares)) > best
    level = depths.nanmean(0).nan_to_num().expand_as(depths)
    assert float(depth_loss(level, depths)) == pytest.approx(float(constant_depth_loss(depths)))
    assert float(depth_loss(level + 0.1, depths)) > float(constant_depth_loss(depths))


@given(st.integers(0, 50))
def test_the_coverage_loss_is_a_divergence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shares = torch.from_numpy(rng.uniform(0, 1, (3, CELLS)))
    logits = torch.from_numpy(rng.normal(0, 3, (3, CELLS)))
    p = logits.sigmoid()
    by_hand = shares * (shares / p).log() + (1 - shares) * ((1 - shares) / (1 - p)).log()
    assert float(coverage_loss(logits, shares)) == pytest.approx(float(by_hand.mean()), rel=1e-6)
    assert float(coverage_loss(logits, shares)) >= 0
    overlap = coverage_overlap(logits, shares)
    assert ((overlap > 0) & (overlap <= 1)).all()
    assert torch.allclose(coverage_overlap(torch.logit(shares), shares), torch.ones(3).double())


def test_nothing_to_see_is_not_a_number_or_nothing_to_lose() -> None:
    empty = torch.zeros(2, 1, 16, 16)
    targets = dense_targets(empty, torch.full_like(empty, torch.inf), SCALE)
    assert (targets[:, :CELLS] == 0).all()
    assert targets[:, CELLS:].isnan().all()
    assert float(depth_loss(torch.ones(2, CELLS), targets[:, CELLS:])) == 0
    assert float(constant_depth_loss(targets[:, CELLS:])) == 0
    off = torch.full((2, CELLS), -torch.inf)
    assert coverage_overlap(off, targets[:, :CELLS]).isnan().all()


def test_rendered_scenes_can_be_learned_by_mask_and_depth() -> None:
    spec = SceneSpec(n_images=12, seed=3)
    scenes = LatentScenes(spec, [families.build("blob", 0)], procedural(("environment",), 2))
    batch = scenes.render(np.arange(12), 32, 1)
    table = scenes.latents().assign(category_index=0, identity_index=0)
    scale = Scale.of(table)
    assert batch.depth is not None
    targets = torch.cat(
        [latent_targets(table, scale), dense_targets(batch.mask, batch.depth, scale)], dim=1
    )
    area = targets[:, TASKS["mask"].columns].mean(1)
    np.testing.assert_allclose(area, batch.mask.mean(dim=(1, 2, 3)), atol=1e-6)
    head = Head(1, 1, ("mask", "depth"))
    outputs = torch.zeros(12, head.units, requires_grad=True)
    goal = objective(("mask", "depth"), head)
    descent = torch.optim.Adam([outputs], lr=0.2)
    for _ in range(150):
        descent.zero_grad()
        goal.loss(outputs, targets).backward()
        descent.step()
    assert outputs.isfinite().all()
    outputs = outputs.detach()
    assert float(goal.measure(outputs, targets)) < 0.1
    value = task_metrics(outputs, targets, ("mask", "depth"), head, scale).set_index(
        ["task", "metric"]
    )["value"]
    assert value["mask", "iou"] > 0.85
    there = targets[:, TASKS["depth"].columns].isfinite()
    error = (outputs[:, head.slices["depth"]] - targets[:, TASKS["depth"].columns])[there]
    expected = float(error.square().mean().sqrt()) * scale.sd[0]
    assert value["depth", "rmse_depth"] == pytest.approx(expected, rel=1e-4)
