"""Counter-based random numbers: each depends on what it is for, never on what was drawn before.

Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3"
(SC 2011). A number of (image, latent, attempt) has the key (seed, crc32 of the latent's name) and
the counter (image, low and high word, attempt, block). Order, batch, device and workers cannot
change it, and leaving one latent out leaves all others as they are.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
WordArray = npt.NDArray[np.uint32]

ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)


def philox4x32(counter: npt.ArrayLike, key: npt.ArrayLike, rounds: int = ROUNDS) -> WordArray:
    """Scramble counters under keys.

    Parameters
    ----------
    counter : uint32 array (..., 4)
    key : uint32 array (..., 2)
        Broadcast against the counters.
    rounds : int
        10 is the published strength.

    Returns
    -------
    uint32 array (..., 4)
        Four independent words for each counter.

    Notes
    -----
    A round turns (c0, c1, c2, c3) into (hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1,
    lo(M0 c0)); after each the key grows by the Weyl constants.
    """
    counters = np.asarray(counter, dtype=np.uint64)
    keys = np.asarray(key, dtype=np.uint64)
    c0, c1, c2, c3 = (counters[..., i] for i in range(4))
    k0, k1 = keys[..., 0], keys[..., 1]
    for _ in range(rounds):
        p0, p1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (p1 >> _SHIFT) ^ c1 ^ k0, p1 & _LOW, (p0 >> _SHIFT) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return np.stack(np.broadcast_arrays(c0, c1, c2, c3), axis=-1).astype(np.uint32)


def words(
    seed: int, names: Sequence[str], index: npt.ArrayLike, attempt: npt.ArrayLike = 0
) -> WordArray:
    """Draw one 32-bit word for each name and index.

    Parameters
    ----------
    seed : int
        Of the data set; its lowest 32 bits count.
    names : sequence of str
        What the numbers are for (p of them).
    index : int array (n,)
        Image, or whatever else is counted; 64 bits.
    attempt : int or int array (n,)
        How often the image was drawn before.

    Returns
    -------
    uint32 array (p, n)
    """
    where = np.asarray(index, dtype=np.int64).astype(np.uint64)
    counter = np.empty((*where.shape, 4), dtype=np.uint64)
    counter[..., 0], counter[..., 1] = where & _LOW, where >> _SHIFT
    counter[..., 2] = np.asarray(attempt, dtype=np.uint64)
    counter[..., 3] = 0
    key = [[seed & 0xFFFFFFFF, zlib.crc32(name.encode())] for name in names]
    return philox4x32(counter, np.array(key, dtype=np.uint64).reshape(-1, 1, 2))[..., 0]


def uniforms(
    seed: int, names: Sequence[str], index: npt.ArrayLike, attempt: npt.ArrayLike = 0
) -> FloatArray:
    """Draw uniform numbers, strictly between 0 and 1 and symmetric about a half; see `words`.

    Returns
    -------
    array (p, n)
    """
    return (words(seed, names, index, attempt).astype(np.float64) + 0.5) / 2.0**32
