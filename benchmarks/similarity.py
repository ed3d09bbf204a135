"""CKA of 16 x 16 layers, and the bootstrap of RSA over stimuli and subjects, against peers.

CKA: debiased, 500 presentations of 2,048 float32 units a layer, from features to the matrix of all
pairs. Peers: a loop over pairs that makes both Grams and their HSIC from row sums; and the
published algorithm of torch-cka (all presentations in one batch), which makes one Gram a pair and
takes traces of matrix products. RSA: 92 conditions, 15 subjects, one model, 1,000 draws of stimuli
and subjects with both noise ceilings; rsatoolbox `eval_bootstrap` is timed over fewer draws and
given for 1,000. Seconds are of the process on one thread, whatever else the machine does. Random
numbers; the difference is that of CKA, and of the mean over draws in units of the peer's standard
error.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from isocortex.measures.similarity import bootstrap_rsa, cka_matrix, condensed, gram, square

LAYERS, PRESENTATIONS, UNITS = 16, 500, 2048
CONDITIONS, SUBJECTS = 92, 15
DRAWS = 1000
PEERS = {
    "pearson": ("corr", 40),
    "cosine": ("cosine", 40),
    "spearman": ("spearman", 20),
    "tau_a": ("tau-a", 20),
}
"""Name of each comparison in rsatoolbox, and the draws that it is timed over."""


def ours(a: list[Tensor], b: list[Tensor]) -> Tensor:
    return cka_matrix([gram(x) for x in a], [gram(y) for y in b])


def loop_over_pairs(a: list[Tensor], b: list[Tensor]) -> Tensor:
    def hsic(k: Tensor, l_: Tensor) -> Tensor:
        n = len(k)
        rows_k, rows_l = k.sum(dim=0), l_.sum(dim=0)
        total = (k * l_).sum() + rows_k.sum() * rows_l.sum() / ((n - 1) * (n - 2))
        return total - 2 / (n - 2) * (rows_k @ rows_l)

    def similarity(x: Tensor, y: Tensor) -> Tensor:
        k, l_ = ((z @ z.T).fill_diagonal_(0.0) for z in (x, y))
        return hsic(k, l_) / (hsic(k, k) * hsic(l_, l_)).sqrt()

    return torch.stack([torch.stack([similarity(x, y) for y in b]) for x in a])


def traces_of_products(a: list[Tensor], b: list[Tensor]) -> Tensor:
    """The published algorithm of torch-cka: HSIC(K, K) a layer, the other two for every pair."""

    def hsic(k: Tensor, l_: Tensor) -> float:
        n = len(k)
        ones = torch.ones(n, 1)
        total = torch.trace(k @ l_)
        total += (ones.T @ k @ ones @ ones.T @ l_ @ ones).item() / ((n - 1) * (n - 2))
        total -= (ones.T @ k @ l_ @ ones).item() * 2 / (n - 2)
        return float(total) / (n * (n - 3))

    out = torch.zeros(len(a), len(b))
    for i, x in enumerate(a):
        k = (x @ x.T).fill_diagonal_(0.0)
        own = hsic(k, k)
        for j, y in enumerate(b):
            l_ = (y @ y.T).fill_diagonal_(0.0)
            out[i, j] = hsic(k, l_) / np.sqrt(own * hsic(l_, l_))
    return out


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def cka_rows() -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(PRESENTATIONS, 64, generator=generator)
    a, b = (
        [
            shared @ torch.randn(64, UNITS, generator=generator)
            + 8 * torch.randn(PRESENTATIONS, UNITS, generator=generator)
            for _ in range(LAYERS)
        ]
        for _ in range(2)
    )
    ours(a[:1], b[:1])
    seconds, result = timed(lambda: ours(a, b))
    rows = []
    for name, peer in (("loop over pairs", loop_over_pairs), ("torch-cka", traces_of_products)):
        slow, expected = timed(lambda peer=peer: peer(a, b))
        difference = float((result - expected).abs().max())
        rows.append(row(f"CKA {LAYERS} x {LAYERS}", name, seconds, slow, f"{difference:.1e}"))
    return rows


def rsa_rows() -> list[dict[str, Any]]:
    # Imported here: it comes with the extra `bench` alone, and warns as it is imported.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import rsatoolbox

    rng = np.random.default_rng(0)
    pairs = CONDITIONS * (CONDITIONS - 1) // 2
    truth = rng.random(pairs)
    model = square(truth + rng.random(pairs))
    subjects = square(truth + 2 * rng.random((SUBJECTS, pairs)))
    data = rsatoolbox.rdm.RDMs(condensed(subjects))
    fixed = rsatoolbox.model.ModelFixed("model", rsatoolbox.rdm.RDMs(condensed(model)[None]))
    rows = []
    for method, (name, draws) in PEERS.items():
        seconds, result = timed(lambda m=method: bootstrap_rsa(model, subjects, m, n_draws=DRAWS))
        np.random.seed(0)  # noqa: NPY002 - the peer draws from the global generator
        with redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            slow, peer = timed(
                lambda m=name, n=draws: rsatoolbox.inference.eval_bootstrap(
                    fixed, data, method=m, N=n
                )
            )
        seen = peer.evaluations[:, 0]
        error = (result.draws.mean() - seen.mean()) / (seen.std() / np.sqrt(draws))
        rows.append(
            row(
                f"RSA {method}",
                "rsatoolbox",
                seconds,
                slow * DRAWS / draws,
                f"{error:+.1f} s.e.",
            )
        )
    return rows


def row(work: str, peer: str, seconds: float, slow: float, difference: str) -> dict[str, Any]:
    return {
        "work": work,
        "peer": peer,
        "isocortex (s)": seconds,
        "peer (s)": slow,
        "ratio": slow / seconds,
        "difference": difference,
    }


def main() -> list[dict[str, Any]]:
    return cka_rows() + rsa_rows()


if __name__ == "__main__":
    print(pd.DataFrame(main()).to_string(index=False))
