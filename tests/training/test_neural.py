"""Training on responses: the readout's formula, what frozen means, and when training ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from isocortex.errors import UserError
from isocortex.models.rnet import rnet
from isocortex.training.neural import FactorisedReadout, fit_responses
from isocortex.training.recipes import recipe


def body(seed: int = 0) -> nn.Module:
    return rnet(
        "relu", "max", norm="bn", in_channels=1, input_size=8, blocks=1, channels=(6,),
        kernels=(3,), seed=seed,
    ).features  # fmt: skip


@pytest.fixture(scope="module")
def recorded() -> tuple[torch.Tensor, torch.Tensor, tuple[np.ndarray, np.ndarray]]:
    """Two neurons that read the maps of a body of this kind, with other weights, and noise."""
    images = torch.randn(600, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    teacher = body(seed=5)
    with torch.no_grad():
        maps = teacher(images)
    responses = torch.stack([maps[:, 0, 1, 1], maps[:, 3, 2, 2] + maps[:, 4, 2, 2]], dim=1)
    noise = torch.randn(600, 2, generator=torch.Generator().manual_seed(1))
    return images, 3.0 * responses + 0.1 * noise, (np.arange(400), np.arange(400, 500))


def test_the_readout_is_the_sum_over_channels_and_places() -> None:
    readout = FactorisedReadout((3, 2, 4), 5, seed=1).eval()
    with torch.no_grad():
        readout.place.normal_()
        readout.bias.normal_()
        readout.normalise.running_mean.fill_(0.3)
        readout.normalise.running_var.fill_(2.0)
    maps = torch.randn(7, 3, 2, 4)
    f = ((maps - 0.3) / np.sqrt(2.0 + 1e-5)).numpy()
    v, s = (p.detach().numpy() for p in (readout.channel, readout.place))
    found = readout(maps).detach().numpy()
    for i in range(7):
        for n in range(5):
            total = readout.bias[n].item()
            for c in range(3):
                for y in range(2):
                    for x in range(4):
                        total += v[n, c] * s[n, 4 * y + x] * f[i, c, y, x]
            assert found[i, n] == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize("loss", ["mse", "poisson"])
def test_a_trained_body_predicts_what_a_frozen_one_cannot(recorded: tuple, loss: str) -> None:
    images, responses, parts = recorded
    if loss == "poisson":
        responses = responses.clamp_min(0)
    given = body()
    before = {k: v.clone() for k, v in given.state_dict().items()}
    r = {}
    for frozen in (True, False):
        found = fit_responses(
            given, images, responses, parts, frozen=frozen, loss=loss, epochs=15,
            learning_rate=1e-2, batch_size=50,
        )  # fmt: skip
        unseen = [torch.stack([found.predictions[500:, n], responses[500:, n]]) for n in range(2)]
        r[frozen] = float(np.mean([np.corrcoef(u)[0, 1] for u in unseen]))
        kept = torch.equal(found.body.state_dict()["conv1_1.weight"], before["conv1_1.weight"])
        assert kept == frozen
        assert found.validation_loss == found.history["validation_loss"].min()
        assert len(found.history) <= 15
        if loss == "mse":  # predictions are in the unit of the responses
            assert found.predictions.std() == pytest.approx(float(responses.std()), rel=0.6)
    assert r[False] > r[True] > 0.1
    assert r[False] > 0.6
    for name, value in given.state_dict().items():
        torch.testing.assert_close(value, before[name])


def test_both_arms_are_tested_with_exact_batch_statistics(recorded: tuple) -> None:
    images, responses, parts = recorded
    shifted = 2.0 * images + 1.0  # far from the mean 0 and SD 1 that running averages begin with
    frozen, trained = (
        fit_responses(
            body(), shifted, responses, parts, frozen=arm, epochs=2, learning_rate=1e-12,
            batch_size=200,
        ).predictions
        for arm in (True, False)
    )  # fmt: skip
    # Nothing has moved, so the arms are one network; ten steps of averaging would part them.
    torch.testing.assert_close(frozen, trained, rtol=1e-3, atol=1e-3)


def test_training_ends_after_two_cuts_where_nothing_can_be_learned() -> None:
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(80, 1, 8, 8, generator=generator)
    responses = torch.randn(80, 1, generator=generator)
    found = fit_responses(
        body(), images, responses, (np.arange(50), np.arange(50, 80)), frozen=True,
        learning_rate=0.1, patience=2, epochs=60, batch_size=25,
    )  # fmt: skip
    rates = found.history["learning_rate"].unique()
    np.testing.assert_allclose(rates, [0.1, 0.1 / 3, 0.1 / 9])
    assert len(found.history) < 60


def test_the_same_seed_gives_the_same_predictions(recorded: tuple) -> None:
    images, responses, parts = recorded
    one, two = (
        fit_responses(body(), images, responses, parts, frozen=False, epochs=2, seed=4)
        for _ in range(2)
    )
    assert torch.equal(one.predictions, two.predictions)


def test_mistakes_are_told(recorded: tuple) -> None:
    images, responses, parts = recorded

    def fitted(y: torch.Tensor, **options: object) -> None:
        fit_responses(body(), images, y, parts, frozen=True, epochs=1, **options)  # type: ignore[arg-type]

    with pytest.raises(UserError, match="loss"):
        fitted(responses, loss="huber")
    with pytest.raises(UserError, match="negative"):
        fitted(responses - 100, loss="poisson")
    with pytest.raises(UserError, match="NaN"):
        fitted(responses * torch.nan)
    with pytest.raises(UserError, match="does not vary"):
        fitted(torch.cat([responses, torch.ones(600, 1)], dim=1))
    with pytest.raises(UserError, match="not a map"):
        fit_responses(nn.Flatten(), images, responses, parts, frozen=True)
    with pytest.raises(UserError, match=r"images \(n, c, h, w\)"):
        fitted(responses[:10])


def test_the_recipe_for_objects_is_one_cycle_over_four_epochs() -> None:
    optimiser, steps, batch_size = recipe("rnet-cifar10", 25_000)
    assert (steps, batch_size) == (4 * 195, 128)
    assert optimiser.schedule_steps == steps
    rates = [optimiser.rate(k) for k in range(steps)]
    assert max(rates) == pytest.approx(0.08, rel=1e-3)
    assert rates[0] < 0.01
    assert rates[-1] < 1e-4
