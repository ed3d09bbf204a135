from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isocortex.errors import UserError
from isocortex.models.filters import READOUTS, FilterNetwork, symmetrise_filters
from isocortex.models.layers import trace_layers
from isocortex.stimuli.transforms import TRANSFORMS


def readouts(network: FilterNetwork, images: torch.Tensor) -> dict[str, torch.Tensor]:
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        network.get_submodule(path).register_forward_hook(
            lambda m, i, o, name=name: seen.update({name: o})
        )
        for name, path in READOUTS.items()
    ]
    with torch.inference_mode():
        network(images)
    for hook in hooks:
        hook.remove()
    return seen


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("options", [{}, {"stride": 2, "size": 49}, {"kernel_size": 5, "size": 36}])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-12)])
def test_symmetric_filters_are_equivariant_and_pooling_them_is_invariant(
    name, options, dtype, tolerance
):
    transform = TRANSFORMS[name]
    network = FilterNetwork(transform, transform, **options).to(dtype)
    images = torch.rand(3, *network.input_shape, dtype=dtype)
    here, there = readouts(network, images), readouts(network, transform(images))
    assert here["map"].shape[-1] > 1
    torch.testing.assert_close(there["map"], transform(here["map"]), atol=tolerance, rtol=0)
    for readout in ("gap", "symmetric fc"):
        assert here[readout].std() > 0.01
        torch.testing.assert_close(there[readout], here[readout], atol=tolerance, rtol=0)
    assert (there["random fc"] - here["random fc"]).abs().max() > 0.05


def test_random_filters_are_neither():
    flip = TRANSFORMS["hflip"]
    network = FilterNetwork()
    images = torch.rand(3, *network.input_shape)
    here, there = readouts(network, images), readouts(network, flip(images))
    assert correlation(there["map"], flip(here["map"])) < 0.98
    for readout in ("random fc", "symmetric fc", "gap"):
        assert (there[readout] - here[readout]).abs().max() > 1e-3


def test_filters_symmetric_in_one_way_are_not_in_another():
    network = FilterNetwork(TRANSFORMS["hflip"])
    images = torch.rand(3, *network.input_shape)
    turn = TRANSFORMS["rot90"]
    here, there = readouts(network, images), readouts(network, turn(images))
    assert (there["map"] - turn(here["map"])).abs().max() > 1e-2


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 6)),
    name=st.sampled_from(sorted(TRANSFORMS)),
    seed=st.integers(0, 2**31),
)
def test_symmetrising_is_the_orthogonal_projection(shape, name, seed):
    outputs, size = shape
    transform = TRANSFORMS[name]
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(outputs, 2, size, size, dtype=torch.float64, generator=generator)
    symmetric = symmetrise_filters(weight, transform)
    torch.testing.assert_close(transform(symmetric), symmetric)
    torch.testing.assert_close(symmetrise_filters(symmetric, transform), symmetric)
    other = symmetrise_filters(torch.randn_like(weight), transform)
    assert ((weight - symmetric) * other).sum().abs() < 1e-10


def test_symmetrising_by_hand():
    weight = torch.tensor([[1.0, 2.0, 5.0], [3.0, 4.0, 7.0]])
    flipped = symmetrise_filters(weight, TRANSFORMS["hflip"])
    assert flipped.tolist() == [[3, 2, 3], [5, 4, 5]]
    turned = symmetrise_filters(torch.tensor([[1.0, 2.0], [4.0, 9.0]]), TRANSFORMS["rot90"])
    assert turned.tolist() == [[4, 4], [4, 4]]
    half = symmetrise_filters(weight, TRANSFORMS["rot180"])
    assert half.tolist() == [[4, 3, 4], [4, 3, 4]]
    assert weight.tolist() == [[1, 2, 5], [3, 4, 7]]


def test_the_seed_decides_and_symmetric_filters_keep_the_norms():
    before = torch.get_rng_state()
    random, again, other = FilterNetwork(seed=1), FilterNetwork(seed=1), FilterNetwork(seed=2)
    symmetric = FilterNetwork(TRANSFORMS["hflip"], seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    a, b, c, d = (n.state_dict() for n in (random, again, other, symmetric))
    assert all(torch.equal(a[k], b[k]) for k in a)
    for key in a:
        if not key.endswith("weight"):
            assert not a[key].any()
            continue
        assert not torch.equal(a[key], c[key])
        norms = a[key].flatten(1).norm(dim=1)
        torch.testing.assert_close(d[key].flatten(1).norm(dim=1), norms)
        assert torch.equal(a[key], d[key]) == key.startswith(("random_fc", "symmetric_fc"))
    fc = (a["random_fc.1.weight"], a["symmetric_fc.1.weight"])
    assert abs(correlation(*fc)) < 0.01
    assert fc[0].var() * fc[0].shape[1] == pytest.approx(2, rel=0.02)


def test_readouts_are_layers():
    network = FilterNetwork()
    layers = trace_layers(network, network.input_shape)
    assert network.readouts == READOUTS
    assert [layers[p].shape for p in READOUTS.values()] == [
        (64, 10, 10),
        (64, 1, 1),
        (128,),
        (128,),
    ]


def test_a_grid_that_is_not_symmetric_and_a_move_that_is_no_symmetry_are_refused():
    with pytest.raises(UserError, match="pool1 does not sample images of 33 px symmetrically"):
        FilterNetwork(size=33)
    for move in (lambda x: x.roll(1, -1), TRANSFORMS["rot90"]):
        with pytest.raises(UserError, match="no symmetry of a grid of 9 x 10"):
            symmetrise_filters(torch.rand(9, 10), move)
