from __future__ import annotations

import pytest
import torch
from torch import nn

from isocortex.errors import UserError
from isocortex.models import reestimate_batchnorm, set_gain


class Twice(nn.Module):
    """A network that uses one convolution and one normalisation twice, and a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.first(x)).relu()
        return y + self.norm(self.conv(self.conv(y)))


def images(n: int = 10, seed: int = 0) -> torch.Tensor:
    return 2 + 3 * torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def plain() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.Tanh(), nn.Conv2d(5, 6, 3), nn.ReLU(inplace=True), nn.Flatten()
    )


def test_each_layer_has_the_sd_asked_for_and_filters_keep_their_proportions():
    network, before = plain().train(), plain()
    factors = set_gain(network, images(), sd=1.5)
    assert list(factors) == ["0", "2"]
    flow = images()
    for i, module in enumerate(network):
        flow = module(flow)
        if isinstance(module, nn.Conv2d):
            assert flow.double().std(correction=0).item() == pytest.approx(1.5, abs=1e-3)
            torch.testing.assert_close(module.weight, before[i].weight * factors[str(i)])
            torch.testing.assert_close(module.bias, before[i].bias * factors[str(i)])
    assert network.training


def test_biases_are_drawn_after_the_gain_and_before_the_layers_above():
    network = plain()
    set_gain(network, images(), bias_sd=1.0, seed=5)
    flow = images()
    for module in network:
        if isinstance(module, nn.Conv2d):
            spread = (module(flow) - module.bias[:, None, None]).double().std(correction=0)
            assert spread.item() == pytest.approx(1, abs=1e-3)
        flow = module(flow)
    assert network[0].bias.abs().max() > 0.1
    again = plain()
    set_gain(again, images(), bias_sd=1.0, seed=5)
    assert torch.equal(again[2].bias, network[2].bias)


def test_what_has_no_gain_is_refused():
    with pytest.raises(UserError, match="batch normalisation, which undoes a gain"):
        set_gain(Twice(), images())
    with pytest.raises(UserError, match="has no convolution"):
        set_gain(nn.Sequential(nn.Flatten()), images())
    with pytest.raises(UserError, match="pre-activations of 0 do not vary"):
        set_gain(nn.Sequential(nn.Conv2d(1, 2, 3, bias=False)), torch.zeros(2, 1, 5, 5))
    with pytest.raises(UserError, match="sd is 0"):
        set_gain(plain(), images(), sd=0)
    with pytest.raises(UserError, match="has no bias"):
        set_gain(nn.Sequential(nn.Conv2d(1, 2, 3, bias=False)), images(), bias_sd=1)


@pytest.mark.parametrize("batch_size", [1, 3, 10, 64])
def test_statistics_are_those_of_all_images_whatever_the_batches(batch_size):
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
    ).train()
    nn.init.normal_(network[1].weight, 1, 0.2)
    weights = {k: v.clone() for k, v in network.named_parameters()}
    assert reestimate_batchnorm(network, images(), batch_size=batch_size) == 2
    assert network.training
    assert all(torch.equal(v, weights[k]) for k, v in network.named_parameters())
    with torch.inference_mode():
        network.eval()
        flow = network[0](images())
        for norm, above in ((1, network[2:4]), (4, nn.Identity())):
            values = flow.transpose(0, 1).flatten(1).double()
            torch.testing.assert_close(network[norm].running_mean.double(), values.mean(1))
            expected = values.var(1, correction=0)
            torch.testing.assert_close(network[norm].running_var.double(), expected)
            out = network[norm](flow).transpose(0, 1).flatten(1)
            torch.testing.assert_close(out.mean(1), network[norm].bias, atol=1e-5, rtol=0)
            flow = above(network[norm](flow))


def test_a_normalisation_that_is_used_twice_sees_both_uses():
    torch.manual_seed(0)
    network = Twice()
    inputs: list[torch.Tensor] = []
    hook = network.norm.register_forward_pre_hook(lambda _, x: inputs.append(x[0]))
    before = network.norm.running_mean.clone()
    network.eval()(images())
    hook.remove()
    assert reestimate_batchnorm(network, images(), batch_size=4) == 1
    both = torch.cat(inputs).transpose(0, 1).flatten(1)
    assert not torch.equal(before, network.norm.running_mean)
    torch.testing.assert_close(network.norm.running_mean, both.mean(1))


def test_networks_without_statistics_are_left_alone():
    assert reestimate_batchnorm(plain(), images()) == 0
    loose = nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False))
    assert reestimate_batchnorm(loose, images()) == 0
    with pytest.raises(UserError, match="needs images"):
        reestimate_batchnorm(plain(), images(0))
