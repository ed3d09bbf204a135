"""Networks for the weights that Xie et al. (2025) give away."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from torchvision.models import resnet18, resnet50

from isocortex.errors import UserError
from isocortex.models.latents import UNITS
from isocortex.models.zoo import load_model
from isocortex.training.latent_tasks import Head


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    """A file as they are given away: the state of a compiled torchvision network."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        theirs = resnet18(weights=None, num_classes=674)
    path = tmp_path_factory.mktemp("released") / "yudixie_resnet18_category_class_0_240719.pth"
    torch.save({f"_orig_mod.{k}": v for k, v in theirs.state_dict().items()}, path)
    return path, theirs.eval()


def test_released_weights_give_the_outputs_of_the_network_that_they_are_of(written) -> None:
    path, theirs = written
    model = load_model("isocortex:latents-resnet18", path)
    images = torch.rand(2, 3, 40, 60)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    sd = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    squashed = F.interpolate(
        images, (224, 224), mode="bilinear", antialias=True, align_corners=False
    )
    with torch.inference_mode():
        ours = model.network(model.preprocess(images))
        torch.testing.assert_close(ours, theirs((squashed - mean) / sd), rtol=1e-4, atol=1e-4)
    assert ours.shape == (2, 674)
    assert {"relu", "layer4.1.relu:2", "avgpool", "fc"} <= set(model.layers)
    assert model.input_shape == (3, 224, 224)


def test_the_units_of_the_head_are_those_of_the_published_slices() -> None:
    head = Head(117, 548)
    assert head.units == UNITS == 674
    assert {k: (v.start, v.stop) for k, v in head.slices.items()} == {
        "category": (0, 117), "identity": (117, 665), "distance": (665, 666),
        "translation": (666, 668), "rotation": (668, 674),
    }  # fmt: skip


def test_both_depths_have_the_layout_of_torchvision() -> None:
    for name, factory in (("resnet18", resnet18), ("resnet50", resnet50)):
        with torch.device("meta"):
            wanted = factory(weights=None, num_classes=674).state_dict()
        ours = load_model(f"isocortex:latents-{name}").network.state_dict()
        assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in wanted.items()}


def test_weights_of_other_networks_are_refused_in_one_line(written, tmp_path: Path) -> None:
    path, theirs = written
    with pytest.raises(UserError, match=r"does not fit ResNet: .* missing") as caught:
        load_model("isocortex:latents-resnet50", path)
    assert "\n" not in str(caught.value)
    other = tmp_path / "imagenet.pth"
    torch.save(resnet18(weights=None).state_dict(), other)
    with pytest.raises(UserError, match=r"fc\.weight is 1000x512 and should be 674x512"):
        load_model("isocortex:latents-resnet18", other)
    torch.save(theirs, other)
    with pytest.raises(UserError, match="pickled objects"):
        load_model("isocortex:latents-resnet18", other)
