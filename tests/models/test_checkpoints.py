from __future__ import annotations

import os
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from isocortex.errors import UserError
from isocortex.models.checkpoints import load_weights, save_weights, write_atomically


def network(seed: int = 0, width: int = 4) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.Conv2d(width, 2, 3))


def same(a: nn.Module, b: nn.Module) -> bool:
    x, y = a.state_dict(), b.state_dict()
    return x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x)


def refusal(net: nn.Module, path: Path) -> str:
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(UserError) as caught:
        load_weights(net, path)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


def test_what_is_saved_comes_back(tmp_path):
    saved = network(1)
    path = save_weights(saved, tmp_path / "new" / "weights.safetensors")
    assert os.listdir(path.parent) == ["weights.safetensors"]
    assert same(load_weights(network(2), path), saved)


@pytest.mark.parametrize("nest", ["", "state_dict", "model_state_dict", "model", "network"])
@pytest.mark.parametrize("legacy", [True, False])
def test_files_of_torch_save_are_read(tmp_path, nest, legacy):
    saved = network(1)
    content = saved.state_dict()
    path = tmp_path / "w.pt"
    torch.save(
        {nest: content, "epoch": 3} if nest else content,
        path,
        _use_new_zipfile_serialization=not legacy,
    )
    assert same(load_weights(network(2), path), saved)


def test_nests_within_nests_and_any_name_are_read(tmp_path):
    saved = network(1)
    torch.save({"model": {"state_dict": saved.state_dict()}}, tmp_path / "w.safetensors")
    assert same(load_weights(network(2), tmp_path / "w.safetensors"), saved)
    safetensors.torch.save_file(saved.state_dict(), tmp_path / "w.pt")
    assert same(load_weights(network(2), tmp_path / "w.pt"), saved)


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."]
)
def test_wrappers_are_tolerated_in_the_file(tmp_path, prefix):
    saved = network(1)
    torch.save({prefix + k: v for k, v in saved.state_dict().items()}, tmp_path / "w.pt")
    assert same(load_weights(network(2), tmp_path / "w.pt"), saved)


def test_wrappers_are_tolerated_in_the_network_and_left_out_when_saving(tmp_path):
    saved = network(1)
    path = save_weights(nn.DataParallel(saved), tmp_path / "w.safetensors")
    assert same(load_weights(network(2), path), saved)
    wrapped = network(2)
    load_weights(nn.DataParallel(wrapped), path)
    assert same(wrapped, saved)
    compiled = network(3)
    load_weights(torch.compile(compiled), path)
    assert same(compiled, saved)
    inner = nn.Sequential(nn.DataParallel(saved), nn.ReLU())
    plain = nn.Sequential(network(4), nn.ReLU())
    torch.save(inner.state_dict(), tmp_path / "inner.pt")
    assert same(load_weights(plain, tmp_path / "inner.pt")[0], saved)


def test_a_network_with_a_child_called_module_is_its_own(tmp_path):
    class Holder(nn.Module):
        def __init__(self, seed: int) -> None:
            super().__init__()
            self.module = network(seed)
            self.other = network(seed + 10)

    saved = Holder(1)
    torch.save(saved.state_dict(), tmp_path / "w.pt")
    assert same(load_weights(Holder(2), tmp_path / "w.pt"), saved)


def test_half_precision_and_missing_counters_are_tolerated(tmp_path):
    saved = network(1)
    content = {k: v.half() for k, v in saved.state_dict().items() if "num_batches" not in k}
    torch.save(content, tmp_path / "w.pt")
    loaded = load_weights(network(2), tmp_path / "w.pt")
    assert loaded[0].weight.dtype == torch.float32
    torch.testing.assert_close(loaded[0].weight, saved[0].weight, atol=1e-3, rtol=1e-3)


def test_mismatches_are_named_key_by_key_in_one_line(tmp_path):
    content = network(1, width=5).state_dict()
    del content["2.bias"]
    content |= {f"extra.{k}": torch.zeros(1) for k in "abcde"}
    torch.save(content, tmp_path / "w.pt")
    message = refusal(network(), tmp_path / "w.pt")
    assert "1 missing: 2.bias" in message
    assert "5 unexpected: extra.a, extra.b, extra.c and 2 more" in message
    assert "0.weight is 5x1x3x3 and should be 4x1x3x3" in message
    assert "7 of another shape" in message


def test_pickled_objects_are_refused_unrun(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    torch.save({"state_dict": network().state_dict(), "x": Bomb()}, tmp_path / "w.pt")
    assert "pickled objects" in refusal(network(), tmp_path / "w.pt")
    torch.save(network(), tmp_path / "whole.pt")
    assert "pickled objects" in refusal(network(), tmp_path / "whole.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_files_cut_short_are_refused(tmp_path, kind, share):
    path = tmp_path / "w"
    content = network().state_dict()
    if kind == "safetensors":
        safetensors.torch.save_file(content, path)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert "broken" in refusal(network(), path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"just some text, nothing else", "broken"),
        (b"\x80\x04K\x01.", "broken|pickled"),
        (torch.zeros(3), "holds a Tensor"),
        ({"weights": {"a": torch.zeros(1)}}, "it holds weights"),
        ({"state_dict": {}}, "it is empty"),
    ],
)
def test_other_content_is_refused(tmp_path, content, message):
    path = tmp_path / "w.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(UserError, match=message):
        load_weights(network(), path)


def test_missing_files_folders_and_weights_that_are_not_finite_are_refused(tmp_path):
    assert "No such file" in refusal(network(), tmp_path / "none.pt")
    assert "directory" in refusal(network(), tmp_path)
    diverged = network()
    with torch.no_grad():
        diverged[2].bias[0] = torch.nan
    save_weights(diverged, tmp_path / "w.safetensors")
    assert "not finite (2.bias)" in refusal(network(), tmp_path / "w.safetensors")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def half(partial: Path) -> None:
        partial.write_text("ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="No space left"):
        write_atomically(path, half)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*weights"):
        save_weights(network(), tmp_path / "file" / "weights")
