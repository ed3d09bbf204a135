"""Philox4x32-10 against its published vectors, and its numbers as random ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocortex.stimuli.scenes.philox import philox4x32, uniforms, words


@pytest.mark.parametrize(
    ("counter", "key", "want"),
    [
        ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([2**32 - 1] * 4, [2**32 - 1] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_published_vectors(counter: list[int], key: list[int], want: str) -> None:
    assert " ".join(f"{w:08x}" for w in philox4x32(counter, key)) == want


def test_a_slow_loop_gives_the_same_words() -> None:
    """One counter at a time in Python's own integers."""

    def slow(c: list[int], k: list[int]) -> list[int]:
        for _ in range(10):
            a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [(b >> 32) ^ c[1] ^ k[0], b % 2**32, (a >> 32) ^ c[3] ^ k[1], a % 2**32]
            k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
        return c

    rng = np.random.default_rng(0)
    counters, keys = rng.integers(0, 2**32, (20, 4)), rng.integers(0, 2**32, (20, 2))
    fast = philox4x32(counters, keys)
    for counter, key, got in zip(counters.tolist(), keys.tolist(), fast.tolist(), strict=True):
        assert slow(counter, key) == got


@given(
    st.lists(st.integers(0, 2**62), min_size=1, max_size=20),
    st.integers(0, 2**32 - 1),
    st.integers(0, 14),
)
def test_a_number_depends_on_its_image_alone(images: list[int], seed: int, attempt: int) -> None:
    names = ["range", "yaw"]
    together = words(seed, names, images, attempt)
    for k, image in enumerate(images):
        assert (words(seed, names, [image], [attempt])[:, 0] == together[:, k]).all()
    assert (words(seed, names[::-1], images, attempt)[::-1] == together).all()


def test_images_latents_attempts_and_seeds_differ() -> None:
    n = np.arange(2000)
    base = uniforms(0, ["a"], n)[0]
    others = [uniforms(1, ["a"], n), uniforms(0, ["b"], n), uniforms(0, ["a"], n, 1)]
    others.append(uniforms(0, ["a"], n + 2**32))
    for other in others:
        assert abs(np.corrcoef(base, other[0])[0, 1]) < 0.08
    assert abs(np.corrcoef(base[1:], base[:-1])[0, 1]) < 0.08


def test_uniforms_are_uniform_and_never_0_or_1() -> None:
    u = uniforms(3, ["a"], np.arange(100_000))[0]
    assert u.min() > 0
    assert u.max() < 1
    assert np.abs(np.histogram(u, 20, (0, 1))[0] / 5000 - 1).max() < 0.06
    assert u.mean() == pytest.approx(0.5, abs=0.003)
