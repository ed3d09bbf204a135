"""Simulated populations: their cells are what they say, and measures find the known ceilings."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from isocortex.brains import Assembly
from isocortex.brains.simulated import Simulation, it_population, v1_population
from isocortex.errors import UserError
from isocortex.stimuli import StimulusSet

SIZE = 48


def gratings(orientation: float, cycles: float, phases: int = 24) -> StimulusSet:
    """Full-field gratings; at 0 degrees the contours are horizontal, at 45 they rise rightwards."""
    y, x = np.meshgrid(*[(np.arange(SIZE) + 0.5) / SIZE - 0.5] * 2, indexing="ij")
    a = np.deg2rad(orientation)
    across = x * np.sin(a) + y * np.cos(a)
    phase = np.linspace(0, 2 * np.pi, phases, endpoint=False)[:, None, None]
    images = 0.5 + 0.5 * np.cos(2 * np.pi * cycles * across - phase)
    return StimulusSet.from_tensor(torch.from_numpy(images[:, None]).clamp(0, 1))


def noise(n: int = 300, seed: int = 0) -> StimulusSet:
    images = torch.rand((n, 1, 24, 24), generator=torch.Generator().manual_seed(seed))
    return StimulusSet.from_tensor(images)


@pytest.fixture(scope="module")
def v1() -> Simulation:
    return v1_population(noise(), simple=12, complex_=12, repetitions=20)


def test_contours_turn_counter_clockwise() -> None:
    images = gratings(45, 3).images(slice(1)).numpy()[0, 0]
    np.testing.assert_allclose(images[10, 20], images[5, 25], atol=1e-6)  # up and to the right
    assert abs(images[10, 20] - images[15, 25]) > 0.1


def test_simple_cells_follow_the_phase_and_complex_cells_do_not() -> None:
    made = v1_population(gratings(0, 4), simple=8, complex_=8, cycles=(4, 4), seed=3)
    best = np.abs(np.cos(np.deg2rad(made.assembly.units["orientation"]))) > 0.85
    assert best[:8].any()
    assert best[8:].any()
    spectrum = np.abs(np.fft.rfft(made.expected, axis=0)) / len(made.expected)
    modulation = 2 * spectrum[1] / spectrum[0]  # F1 / F0; pi / 2 for a half-wave rectified sine
    np.testing.assert_allclose(modulation[:8], np.pi / 2, rtol=0.02)
    assert modulation[8:][best[8:]].max() < 0.1
    complex_ = made.expected[:, 8:][:, best[8:]]
    assert (np.ptp(complex_, axis=0) < 0.2 * complex_.mean(axis=0)).all()


def test_cells_prefer_their_orientation_and_frequency() -> None:
    angles = np.arange(0, 180, 7.5)
    frequencies = np.array([2.0, 3.0, 4.0, 6.0, 8.0])
    sets = [gratings(a, f, phases=8) for a in angles for f in frequencies]
    images = torch.cat([s.images() for s in sets])
    made = v1_population(StimulusSet.from_tensor(images), simple=4, complex_=8, cycles=(3, 6))
    units = made.assembly.units
    peak = made.expected.reshape(len(angles), len(frequencies), 8, 12).mean(axis=2)
    for i in range(12):
        a, f = np.unravel_index(peak[..., i].argmax(), peak.shape[:2])
        turned = abs((angles[a] - units["orientation"][i] + 90) % 180 - 90)
        assert turned <= 8
        assert abs(np.log2(frequencies[f] / units["cycles"][i])) < 0.5


def test_uniform_images_drive_no_cell() -> None:
    with pytest.raises(UserError, match="answers none of the stimuli"):
        v1_population(StimulusSet.from_tensor(torch.full((3, 1, 24, 24), 0.7)))


def test_spikes_are_poisson(v1: Simulation) -> None:
    trials = v1.assembly.trials
    assert trials is not None
    np.testing.assert_allclose(v1.expected.mean(axis=0), 5)
    np.testing.assert_array_equal(trials.values, np.round(trials.values))
    np.testing.assert_allclose(trials.mean(("repetition", "presentation")), 5, rtol=0.05)
    fano = trials.var("repetition", ddof=1).mean("presentation") / 5
    np.testing.assert_allclose(fano, 1, atol=0.1)


def test_colours_become_luminance() -> None:
    grey = noise(20)
    colour = StimulusSet.from_tensor(grey.images().expand(-1, 3, -1, -1))
    expected = v1_population(grey, simple=3, complex_=3).expected
    np.testing.assert_allclose(
        v1_population(colour, simple=3, complex_=3).expected, expected, rtol=1e-4
    )


@pytest.fixture(scope="module")
def it() -> Simulation:
    features = np.random.default_rng(5).normal(size=(400, 60))
    return it_population(features, neuroids=30, repetitions=8, explainable=0.3)


def test_signal_and_noise_of_readouts(it: Simulation) -> None:
    np.testing.assert_allclose(it.expected.std(axis=0, ddof=1), 1)
    np.testing.assert_allclose(it.explainable_variance(), 0.3)
    np.testing.assert_allclose(it.explainable_variance(8), 0.3 / (0.3 + 0.7 / 8))
    trials = it.assembly.trials
    assert trials is not None
    np.testing.assert_allclose((trials.values - it.expected).var(axis=(0, 1)), 0.7 / 0.3, rtol=0.1)


@pytest.mark.parametrize("population", ["v1", "it"])
def test_measures_find_the_known_reliability(
    population: str, request: pytest.FixtureRequest
) -> None:
    made: Simulation = request.getfixturevalue(population)
    assert made.assembly.trials is not None
    k = len(made.assembly.trials)
    known = made.explainable_variance(k)
    halves = made.assembly.reliability(n_splits=30)
    np.testing.assert_allclose(halves.values, known, atol=0.06)
    assert np.mean(halves.values - known) == pytest.approx(0, abs=0.015)
    single = made.assembly.reliability("explainable_variance", n_draws=50)
    np.testing.assert_allclose(single.values, made.explainable_variance(), atol=0.09)
    assert np.mean(single.values - made.explainable_variance()) == pytest.approx(0, abs=0.02)
    # A trial against the mean of the k - 1 others: both are noisy.
    oracle = made.assembly.reliability("oracle", n_draws=50)
    both = made.ceiling(1) * made.ceiling(k - 1)
    np.testing.assert_allclose(oracle.values, both, atol=0.09)
    assert np.mean(oracle.values - both) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("population", ["v1", "it"])
def test_a_perfect_model_reaches_the_ceiling(
    population: str, request: pytest.FixtureRequest
) -> None:
    made: Simulation = request.getfixturevalue(population)
    assert made.assembly.trials is not None
    n = made.expected.shape[1]
    r = np.diag(np.corrcoef(made.expected.T, made.assembly.responses.values.T)[:n, n:])
    np.testing.assert_allclose(r, made.ceiling(len(made.assembly.trials)), atol=0.05)


def test_pure_noise_has_no_reliability() -> None:
    features = np.random.default_rng(5).normal(size=(400, 10))
    made = it_population(features, repetitions=4, explainable=0)
    assert (made.expected == 0).all()
    for method in ("split_half", "explainable_variance", "oracle"):
        values = made.assembly.reliability(method).values
        assert abs(np.mean(values)) < 0.05
    assert (made.explainable_variance() == 0).all()


def test_without_noise_all_is_explained() -> None:
    features = np.random.default_rng(5).normal(size=(20, 10))
    made = it_population(features, repetitions=3, explainable=1, share=0.01)
    np.testing.assert_allclose(made.assembly.reliability().values, 1)
    # One feature each: every neuroid is a feature, or its negative.
    r = np.abs(np.corrcoef(made.expected.T, features.T)[:50, 50:])
    np.testing.assert_allclose(r.max(axis=1), 1)


def test_the_seed_decides() -> None:
    features = np.random.default_rng(0).normal(size=(5, 4))
    a, b, c = (it_population(features, seed=s).assembly.responses.values for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    v, w = (v1_population(noise(5), seed=s).assembly.responses.values for s in (1, 1))
    np.testing.assert_array_equal(v, w)


def test_ceilings_name_their_formula(it: Simulation) -> None:
    table = it.assembly.ceilings("split_half", n_splits=10)
    assert list(table["formula"].unique()) == ["split_half"]
    assert list(table["neuroid_id"]) == list(it.assembly.units["neuroid_id"])
    values = it.assembly.reliability(n_splits=10)
    np.testing.assert_array_equal(table["ceiling"], values.values)
    np.testing.assert_array_equal(table["high"], values.high)
    assert (table["low"] <= table["high"]).all()
    assert set(table["n_presentations"]) == {400}
    assert set(table["max_repetitions"]) == {8}
    other = it.assembly.ceilings("explainable_variance", of="mean", n_draws=10)
    assert set(other["formula"]) == {"explainable_variance of mean"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: v1_population(noise(3), simple=0, complex_=0), "0 neuroids"),
        (lambda: v1_population(noise(3), repetitions=0), "0 repetitions"),
        (lambda: v1_population(noise(3)[:1]), "1 stimuli"),
        (lambda: v1_population(noise(3), spikes=0), "spikes > 0"),
        (lambda: v1_population(noise(3), cycles=(4, 2)), "in order"),
        (lambda: it_population(np.ones(3)), r"\(presentations, features\)"),
        (lambda: it_population(np.full((3, 2), np.nan)), "finite"),
        (lambda: it_population(np.ones((3, 2))), "no feature varies"),
        (lambda: it_population(np.eye(3), explainable=1.2), "between 0 and 1"),
        (lambda: it_population(np.eye(3), share=0), "between 0 and 1"),
        (lambda: it_population(np.eye(3), neuroids=0), "0 neuroids"),
    ],
)
def test_what_cannot_be_is_refused(make: object, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        make()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_a_simulation_is_saved_like_a_recording(v1: Simulation, tmp_path: object) -> None:
    folder = v1.assembly.save(f"{tmp_path}/v1")
    again = Assembly.load(folder)
    assert again.responses.identical(v1.assembly.responses)
    assert again.stimuli is not None


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = Path(__file__).parents[2] / "docs" / "recorded_brains.md"
    (code,) = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.M | re.S)
    exec(compile(code, page.name, "exec"), {})
    printed = capsys.readouterr().out
    assert "truth" in printed
    assert "v1/9" in printed
