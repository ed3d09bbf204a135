from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn import functional as F

from isocortex.errors import UserError
from isocortex.models.convnet import PRESETS, ConvBlock, ConvNet, ConvNetConfig
from isocortex.training.batches import BatchSource, batches
from isocortex.training.fit import Training, accuracy, evaluate, fit
from isocortex.training.objectives import Objective
from isocortex.training.optimisers import OPTIMISERS, OptimiserConfig
from isocortex.training.state import columns

TINY = ConvNetConfig(
    blocks=(ConvBlock(channels=(4, 4)),),
    normalisation="batch",
    hidden=(16,),
    n_classes=4,
    in_channels=1,
    input_size=10,
    init="he_normal",
)
N = 40


def bars(n: int = N, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Bright quadrants in noise: four classes that a small network soon tells apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 4
    images = 0.3 * torch.rand(n, 1, 10, 10, generator=generator)
    for image, label in zip(images, labels.tolist(), strict=True):
        y, x = divmod(label, 2)
        image[0, 5 * y : 5 * y + 5, 5 * x : 5 * x + 5] += 0.6
    return images, labels


def train(steps: int = 12, *, seed: int = 0, config: ConvNetConfig = TINY, **options) -> Training:
    images, labels = options.pop("data", None) or bars()
    settings = {
        "optimiser": OptimiserConfig(name="sgd", learning_rate=0.05, halve_every=5),
        "batch_size": 8,
        "device": "cpu",
    } | options
    return fit(ConvNet(config, seed=seed), images, labels, steps=steps, seed=seed, **settings)


def assert_same(a: Training, b: Training) -> None:
    x, y = a.network.state_dict(), b.network.state_dict()
    assert all(torch.equal(x[k], y[k]) for k in x)
    pd.testing.assert_frame_equal(a.history, b.history, check_exact=True)


def differ(a: Training, b: Training) -> bool:
    x, y = a.network.state_dict(), b.network.state_dict()
    return any(not torch.equal(x[k], y[k]) for k in x)


def test_one_step_is_the_gradient_step():
    images, labels = bars()
    config = TINY.model_copy(update={"dropout": 0.0, "normalisation": "none"})
    network = ConvNet(config)
    ((_, rows),) = batches(N, 8, seed=0, start=0, stop=1)
    loss = F.cross_entropy(network(images[rows]), labels[rows])
    loss.backward()
    expected = {k: p.detach() - 0.05 * p.grad for k, p in network.named_parameters()}
    training = train(1, config=config)
    for name, weight in training.network.named_parameters():
        torch.testing.assert_close(weight, expected[name], rtol=1e-4, atol=1e-6)
    assert training.history.loss[0] == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_learns(name):
    training = train(
        60, optimiser=OptimiserConfig(name=name, learning_rate=0.01), validation=bars(seed=1)
    )
    assert training.validation_accuracy > 0.9
    assert training.history.loss[:5].mean() > 2 * training.history.loss[-5:].mean()
    assert training.history.step.tolist() == list(range(1, 61))
    assert list(training.history) == list(columns("accuracy"))
    assert not training.network.training


def test_training_repeats_bit_by_bit_and_another_seed_differs():
    first, again = train(), train()
    torch.manual_seed(99)
    assert_same(first, again)
    assert_same(first, train())
    assert differ(first, train(seed=1))


def test_the_callers_random_numbers_go_on_undisturbed():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(3)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("cut", [1, 5, 11, 12])
def test_a_resumed_training_is_an_uninterrupted_one(tmp_path, name, cut):
    options = {
        "optimiser": OptimiserConfig(name=name, learning_rate=0.01, halve_every=4),
        "validation": bars(seed=1),
        "validate_every": 3,
    }
    whole = train(12, **options)
    path = tmp_path / "run" / "checkpoint.pt"
    train(cut, checkpoint=path, **options)
    assert_same(train(12, checkpoint=path, **options), whole)
    assert os.listdir(path.parent) == ["checkpoint.pt"]


def test_an_error_between_checkpoints_loses_the_steps_since_the_last(tmp_path):
    path = tmp_path / "checkpoint.pt"

    def stop(done: int, total: int, loss: float) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(30, checkpoint=path, checkpoint_every=4, progress=stop)
    assert torch.load(path)["step"] == 8
    assert_same(train(30, checkpoint=path, checkpoint_every=4), train(30))


def test_a_checkpoint_is_read_without_running_code_and_holds_all(tmp_path):
    path = tmp_path / "checkpoint.pt"
    training = train(7, checkpoint=path, optimiser=OptimiserConfig(name="adam"))
    content = torch.load(path, weights_only=True)
    assert content["step"] == 7
    assert content["history"].shape == (7, 4)
    assert set(content["network"]) == set(training.network.state_dict())
    assert content["optimiser"]["state"][0]["exp_avg"].shape == (4, 1, 3, 3)


def test_contrasts_share_weights_batches_and_dropout():
    seen: dict[str, list[np.ndarray]] = {"few": [], "many": []}
    masks: dict[str, list[torch.Tensor]] = {"few": [], "many": []}
    images, labels = bars()
    networks = {
        name: ConvNet(TINY.model_copy(update={"n_classes": k}), seed=2)
        for name, k in (("few", 4), ("many", 8))
    }
    few, many = (networks[n].state_dict() for n in ("few", "many"))
    assert all(torch.equal(few[k], many[k]) for k in few if not k.startswith("head.fc2"))
    for name, network in networks.items():

        def draw(rows: np.ndarray, name: str = name) -> tuple[torch.Tensor, torch.Tensor]:
            seen[name].append(rows)
            return images[rows], labels[rows]

        network.head.dropout1 = _Mask(0.5, masks[name])
        fit(
            network,
            BatchSource(N, draw),
            optimiser=OptimiserConfig(),
            steps=6,
            batch_size=8,
            seed=2,
            device="cpu",
        )
    assert all(np.array_equal(a, b) for a, b in zip(seen["few"], seen["many"], strict=True))
    assert len(masks["few"]) == 6
    assert all(torch.equal(a, b) for a, b in zip(masks["few"], masks["many"], strict=True))
    assert not torch.equal(masks["few"][0], masks["few"][1])


class _Mask(nn.Module):
    def __init__(self, p: float, kept: list[torch.Tensor]) -> None:
        super().__init__()
        self.p = p
        self.kept = kept

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = F.dropout(torch.ones_like(x), self.p, self.training)
        self.kept.append(mask)
        return x * mask


def test_a_source_gives_the_same_training_as_its_tensors():
    images, labels = bars()
    source = BatchSource(N, lambda rows: (images[rows], labels[rows]))
    assert_same(train(), train(data=(source, None)))
    assert_same(train(), train(data=(images.numpy(), labels.numpy())))


def test_random_numbers_in_a_source_are_seeded_per_step(tmp_path):
    images, labels = bars()

    def noisy(rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = images[rows]
        return chosen + 0.1 * torch.rand_like(chosen), labels[rows]

    # The key of a checkpoint needs images that depend on the rows alone; without one, noise is
    # the same in every run.
    assert_same(
        train(data=(BatchSource(N, noisy), None)), train(data=(BatchSource(N, noisy), None))
    )


def test_progress_is_told_steps_total_and_loss():
    told: list[tuple[int, int, float]] = []
    training = train(25, progress=lambda *figures: told.append(figures))
    assert [(done, total) for done, total, _ in told] == [(10, 25), (20, 25), (25, 25)]
    assert told[-1][2] == training.history.loss.iloc[-1]


def test_validation_is_measured_when_asked_for():
    validation = bars(seed=1)
    measured = train(7, validation=validation, validate_every=3).history.validation_accuracy
    assert measured.notna().tolist() == [False, False, True, False, False, True, True]
    training = train(7, validation=validation)
    assert training.history.validation_accuracy.notna().sum() == 1
    assert training.validation_accuracy == accuracy(training.network, *validation)
    assert math.isnan(train(2).validation_accuracy)


def test_a_small_set_is_shown_whole():
    assert len(train(3, batch_size=1000).history) == 3


def test_accuracy_counts_and_leaves_the_mode():
    network = ConvNet(TINY)
    images, labels = bars(13)
    named = network.eval()(images).argmax(1)
    expected = (named == labels).float().mean().item()
    network.train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    for batch_size in (1, 5, 13, 100):
        assert accuracy(network, images, labels, batch_size=batch_size) == pytest.approx(expected)
    assert network.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_a_loss_that_is_not_finite_stops_the_training_and_spares_the_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(UserError, match=r"loss is (nan|inf) at step \d+; lower the learning rate"):
        train(
            40,
            optimiser=OptimiserConfig(name="sgd", learning_rate=1e12),
            checkpoint=path,
            checkpoint_every=1,
        )
    if path.exists():
        assert torch.load(path)["history"].isfinite()[:, :2].all()
    images, labels = bars()
    images[3] = torch.nan
    with pytest.raises(UserError, match="look for NaN in the images"):
        train(5, data=(images, labels))
    with pytest.raises(UserError, match="a weight is not finite after the last step"):
        train(1, optimiser=OptimiserConfig(name="sgd", learning_rate=1e38, weight_decay=1e38))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, but it is 0"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"checkpoint_every": 0}, "checkpoint_every must be"),
        ({"validate_every": 0}, "validate_every must be"),
        ({"device": "gpu"}, "no device 'gpu'; there are: auto, cpu"),
        ({"device": "cuda:99"}, "no device 'cuda:99'"),
        ({"device": "cpu:x"}, "no device 'cpu:x'"),
        ({"data": (torch.rand(8, 1, 10, 10), torch.arange(8))}, "give it n_classes=8"),
    ],
)
def test_mistakes_get_one_line(options, message):
    with pytest.raises(UserError, match=message) as caught:
        train(**({"steps": 3} | options))
    assert "\n" not in str(caught.value)


def test_networks_that_give_no_logits_are_refused():
    images, labels = bars()
    with pytest.raises(UserError, match=r"not logits \(n, classes\)"):
        fit(
            nn.Conv2d(1, 4, 3), images, labels,
            optimiser=OptimiserConfig(), steps=1, batch_size=8, seed=0, device="cpu",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"batch_size": 4}, "batch size"),
        ({"optimiser": OptimiserConfig(name="adam")}, "optimiser"),
        ({"seed": 1}, "seed, initial weights"),
        ({"data": bars(seed=5)}, "data"),
        ({"data": (bars()[0], bars()[1].flip(0))}, "data"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, change, what):
    path = tmp_path / "checkpoint.pt"
    train(2, checkpoint=path)
    with pytest.raises(UserError, match=f"a training with other {what}; delete it"):
        train(4, checkpoint=path, **change)


def test_broken_and_longer_checkpoints_are_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    train(4, checkpoint=path)
    with pytest.raises(UserError, match="has 4 steps, more than the 2 asked for"):
        train(2, checkpoint=path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="cut short or broken"):
        train(4, checkpoint=path)
    torch.save({"step": 3}, path)
    with pytest.raises(UserError, match="no checkpoint of a training"):
        train(4, checkpoint=path)


_CHILD = """
import sys, torch
sys.path.insert(0, {folder!r})
torch.set_num_threads(1)
import {module} as tests
def told(done, total, loss):
    sys.stdout.write(str(done) + chr(10))
    sys.stdout.flush()
tests.train({steps}, checkpoint={path!r}, checkpoint_every=1, progress=told)
"""


def test_a_killed_training_leaves_a_whole_checkpoint_and_goes_on(tmp_path):
    path = tmp_path / "checkpoint.pt"
    here = Path(__file__)
    program = _CHILD.format(folder=str(here.parent), module=here.stem, steps=10**6, path=str(path))
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        while int(child.stdout.readline()) < 10:
            pass
        # It saves after every step, so it dies in the middle of saving more often than not.
        time.sleep(0.0123)
        child.send_signal(signal.SIGKILL)
    reached = torch.load(path, weights_only=True)["step"]
    assert reached >= 9  # step 10 is told of before it is saved
    assert_same(train(reached + 3, checkpoint=path), train(reached + 3))


def test_a_save_that_is_cut_short_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    train(2, checkpoint=path)
    whole = path.read_bytes()
    real = torch.save

    def half(content: object, file: Path) -> None:
        real(content, file)
        file.write_bytes(file.read_bytes()[:500])
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(KeyboardInterrupt):
        train(4, checkpoint=path)
    assert path.read_bytes() == whole
    assert os.listdir(tmp_path) == ["checkpoint.pt"]


_DISTRIBUTED = """
import sys, warnings
warnings.simplefilter("error")
sys.path.insert(0, {folder!r})
import torch
from lightning_fabric import Fabric
import {module} as tests
def job(fabric):
    torch.set_num_threads(1)
    config = tests.TINY.model_copy(update={{"dropout": 0.0, "normalisation": "none"}})
    path = {path!r} + str(fabric.world_size)
    tests.train(4, config=config, device=fabric, checkpoint=path)
if __name__ == "__main__":
    job(Fabric(accelerator="cpu", devices=1))
    Fabric(accelerator="cpu", devices=2, strategy="ddp_fork").launch(job)
"""


def test_two_processes_train_as_one(tmp_path):
    here = Path(__file__)
    program = _DISTRIBUTED.format(
        folder=str(here.parent), module=here.stem, path=str(tmp_path / "run")
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    one, two = (torch.load(tmp_path / f"run{k}") for k in (1, 2))
    for key in one["network"]:
        torch.testing.assert_close(one["network"][key], two["network"][key], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(one["history"], two["history"], rtol=1e-4, atol=0, equal_nan=True)


def test_a_batch_must_be_shared_evenly(monkeypatch):
    monkeypatch.setattr(Fabric, "world_size", 3)
    with pytest.raises(UserError, match="8 images cannot be shared by 3 devices"):
        train(1)


SUM = Objective(
    name="mean squared error of the sum",
    loss=lambda output, target: F.mse_loss(output[:, 0], target),
    measure=lambda output, target: (output[:, 0] - target).abs().mean(),
    measured="error",
)


def sums() -> BatchSource:
    images, _ = bars()
    targets = images.mean(dim=(1, 2, 3))
    return BatchSource(N, lambda rows: (images[rows], targets[rows]))


def test_any_objective_can_be_lowered(tmp_path):
    config = TINY.model_copy(update={"dropout": 0.0, "normalisation": "none", "n_classes": 1})

    def run(steps: int, objective: Objective = SUM, **options) -> Training:
        return fit(
            ConvNet(config),
            sums(),
            objective=objective,
            optimiser=OptimiserConfig(name="adam", learning_rate=1e-2),
            steps=steps,
            batch_size=8,
            seed=0,
            device="cpu",
            validation=(sums(),),
            **options,
        )

    training = run(60)
    assert list(training.history) == ["step", "loss", "error", "validation_error"]
    assert training.history["loss"].iloc[-5:].mean() < 0.1 * training.history["loss"].iloc[0]
    with torch.inference_mode():
        images, targets = sums().draw(np.arange(N))
        by_hand = (training.network(images)[:, 0] - targets).abs().mean()
    assert training.validation("error") == pytest.approx(float(by_hand), rel=1e-5)
    batchwise = evaluate(training.network, sums(), objective=SUM, batch_size=7)
    assert batchwise == pytest.approx(float(by_hand), rel=1e-5)
    run(2, checkpoint=tmp_path / "run")
    another = Objective("another", SUM.loss, SUM.measure, "error")
    with pytest.raises(UserError, match="other objective"):
        run(4, another, checkpoint=tmp_path / "run")


def test_the_network_is_watched_at_the_steps_asked_for(tmp_path):
    seen: dict[int, torch.Tensor] = {}

    def look(step: int, network: nn.Module) -> None:
        assert not network.training
        seen[step] = network.features.conv1_1.weight.detach().clone()

    options = {"observe": look, "observe_at": (0, 3, 7), "checkpoint": tmp_path / "run"}
    train(5, **options)
    assert sorted(seen) == [0, 3]
    assert torch.equal(seen[0], ConvNet(TINY, seed=0).features.conv1_1.weight)
    del seen[0], seen[3]
    resumed = train(8, **options)
    assert sorted(seen) == [7]
    assert torch.equal(seen[7], train(7).network.features.conv1_1.weight)
    assert_same(resumed, train(8))


@pytest.mark.gpu
def test_a_gpu_trains_as_the_cpu_does_and_repeats_itself():
    config = TINY.model_copy(update={"dropout": 0.0})
    first, again = (train(20, config=config, device="cuda") for _ in range(2))
    assert_same(first, again)
    torch.testing.assert_close(
        torch.tensor(first.history.loss[:5]),
        torch.tensor(train(5, config=config).history.loss),
        rtol=1e-2,
        atol=1e-3,
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_the_presets_train(preset):
    config = PRESETS[preset]
    images = torch.rand(4, config.in_channels, 32, 32)
    training = train(1, config=config, data=(images, torch.arange(4)))
    assert np.isfinite(training.history.loss[0])
