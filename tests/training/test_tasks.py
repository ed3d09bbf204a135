from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.training.tasks import POLICIES, diet

K = 7


def pictures(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(n, 2, 5, 6, generator=generator)
    return images, torch.randint(0, K, (n,), generator=generator)


def all_diets(n: int, seed: int):
    images, labels = pictures(n)
    return images, labels, {p: diet(images, labels, p, seed=seed, n_classes=K) for p in POLICIES}


@given(n=st.integers(1, 40), seed=st.integers(0, 2**32))
def test_policies_that_mirror_show_identical_pixels(n, seed):
    images, labels, diets = all_diets(n, seed)
    for policy in ("asym", "sym20"):
        assert torch.equal(diets[policy].images, diets["sym"].images)
        assert np.array_equal(diets[policy].flipped, diets["sym"].flipped)
    assert torch.equal(diets["orig"].images, images)
    assert not diets["orig"].flipped.any()
    assert torch.equal(diets["orig"].labels, labels)


@given(n=st.integers(1, 40), seed=st.integers(0, 2**32))
def test_each_image_is_mirrored_at_most_once(n, seed):
    images, _, diets = all_diets(n, seed)
    for image, shown, flipped in zip(
        images, diets["sym"].images, diets["sym"].flipped, strict=True
    ):
        expected = np.flip(image.numpy(), -1) if flipped else image.numpy()
        assert np.array_equal(shown.numpy(), expected)


@given(n=st.integers(1, 40), seed=st.integers(0, 2**32))
def test_labels_follow_their_policy(n, seed):
    _, labels, diets = all_diets(n, seed)
    assert torch.equal(diets["sym"].labels, labels)
    expected = labels.numpy() + K * diets["asym"].flipped
    assert np.array_equal(diets["asym"].labels.numpy(), expected)
    assert torch.equal(diets["sym20"].labels % K, labels)
    assert [diets[p].n_classes for p in ("orig", "sym", "asym", "sym20")] == [K, K, 2 * K, 2 * K]


def test_half_of_the_images_are_mirrored_and_random_labels_do_not_know_which():
    _, labels, diets = all_diets(20_000, seed=3)
    flipped = diets["sym20"].flipped
    second = diets["sym20"].labels.numpy() >= K
    deviation = 4 * 0.5 / np.sqrt(20_000)
    assert abs(flipped.mean() - 0.5) < deviation
    assert abs(second.mean() - 0.5) < deviation
    assert abs(np.corrcoef(flipped, second)[0, 1]) < 4 / np.sqrt(20_000)
    for k in range(K):
        members = labels.numpy() == k
        assert abs(np.corrcoef(flipped[members], second[members])[0, 1]) < 4 / np.sqrt(
            members.sum()
        )
    counts = np.bincount(diets["sym20"].labels, minlength=2 * K)
    assert counts.min() > 20_000 / (2 * K) * 0.85


def test_another_seed_mirrors_other_images_and_what_was_given_stays():
    images, labels = pictures(50)
    before = images.clone()
    a, b = (diet(images.numpy(), labels.numpy(), "asym", seed=s, n_classes=K) for s in (0, 1))
    assert not np.array_equal(a.flipped, b.flipped)
    assert torch.equal(images, before)
    assert a.images.dtype == torch.float32
    assert a.labels.dtype == torch.int64


@pytest.mark.parametrize(
    ("policy", "images", "labels", "message"),
    [
        ("asymm", torch.rand(2, 1, 4, 4), [0, 1], "did you mean asym"),
        ("sym", torch.rand(2, 1, 4, 4), [0, 1, 1], r"\(2, 1, 4, 4\) and \(3,\)"),
        ("sym", torch.rand(2, 4, 4), [0, 1], r"images \(n, c, h, w\)"),
        ("sym", torch.rand(2, 1, 4, 4), [0, K], "from 0 to 7"),
        ("sym", torch.rand(2, 1, 4, 4), [-1, 0], "from -1 to 0"),
    ],
)
def test_mistakes_get_one_line(policy, images, labels, message):
    with pytest.raises(UserError, match=message):
        diet(images, torch.tensor(labels), policy, seed=0, n_classes=K)
