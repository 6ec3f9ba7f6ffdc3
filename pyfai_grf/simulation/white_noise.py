"""Gaussian white noise that depends only on seed and wave number: the same on every device, thread and grid.

A counter-based generator, Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405), takes the wave number as its
counter and the seed as its key. So a mode has the same amplitude whoever draws it and in whatever order, on CPU and
GPU, and a finer grid over the same box continues the same field. (CuPy's own generators keep 32 bits of a seed: among
three million structures, more than a thousand pairs would share their noise.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyfai_grf.core.errors import InputError

#: the constants of Philox4x32-10
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
INCREMENTS = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
_LOW = 0xFFFFFFFF
#: factor of the planes that are their own conjugates: there, a real field keeps half of the variance that is drawn
SELF_CONJUGATE = np.float32(np.sqrt(2))


def make_key(seed: Any) -> np.ndarray:
    """Return the generator's key, (2,) uint32, for ``seed`` (an int or a sequence of ints, 0 or more).

    Raises
    ------
    InputError
        If the seed is anything else.
    """
    try:
        if seed is None:
            raise ValueError("none was given")
        return np.random.SeedSequence(seed).generate_state(2, np.uint32)
    except (TypeError, ValueError) as problem:
        raise InputError(f"the seed is {seed!r}: give a whole number, 0 or more ({problem})") from None


def encrypt(xp: Any, counter: Any, key: np.ndarray) -> Any:
    """Return the four words of Philox4x32-10 for the four of ``counter``; all are arrays of uint64 below 2^32."""
    words, keys = list(counter), [int(k) for k in key]
    for _ in range(ROUNDS):
        first, second = words[0] * xp.uint64(MULTIPLIERS[0]), words[2] * xp.uint64(MULTIPLIERS[1])
        words = [
            (second >> xp.uint64(32)) ^ words[1] ^ xp.uint64(keys[0]),
            second & xp.uint64(_LOW),
            (first >> xp.uint64(32)) ^ words[3] ^ xp.uint64(keys[1]),
            first & xp.uint64(_LOW),
        ]
        keys = [(k + increment) & _LOW for k, increment in zip(keys, INCREMENTS, strict=True)]
    return words


def draw_noise(xp: Any, key: np.ndarray, numbers0: Any, numbers1: Any, half: int, shape: int) -> Any:
    """Return the white noise of modes (i, j, k), complex64 (I, J, half), of a real field on a grid of ``shape``^3.

    i and j are the signed wave numbers ``numbers0`` and ``numbers1``, k runs from 0 to half - 1. Real and imaginary
    part have variance 1, and 2 on the planes k = 0 and k = shape/2, of which a real field keeps the Hermitian half.
    Two neighbouring k share one call of the generator; the normal numbers are Box and Muller's, up to 6.7.
    """
    pairs = xp.arange((half + 1) // 2, dtype=xp.uint64)
    i, j = (numbers.astype(xp.uint64) & xp.uint64(_LOW) for numbers in (numbers0, numbers1))
    words = encrypt(xp, [*xp.broadcast_arrays(pairs, j[:, None], i[:, None, None]), xp.uint64(0)], key)
    noise = xp.empty((i.size, j.size, pairs.size, 2), dtype=xp.complex64)
    for parity in (0, 1):
        uniform, turn = (((word + 0.5) * 2.0**-32).astype(xp.float32) for word in words[2 * parity : 2 * parity + 2])
        # the largest uniform rounds to 1 in float32: radius 0, not an error
        radius = xp.sqrt(-2 * xp.log(uniform))
        noise[..., parity] = radius * xp.exp(xp.complex64(2j * np.pi) * turn)
    noise = noise.reshape(i.size, j.size, -1)[:, :, :half]
    noise[:, :, 0] *= SELF_CONJUGATE
    if half - 1 == shape / 2:
        noise[:, :, -1] *= SELF_CONJUGATE
    return noise
