"""Which structures a library holds: a space-filling design, seeds and splits, all from (library seed, index)."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from scipy.stats import qmc

from pyfai_grf.core.parameters import PARAMETERS

#: shares of the structures for training, for the calibration of the intervals, and for tests
SPLITS = {"train": 0.7, "calibration": 0.15, "test": 0.15}


def get_point(library_seed: int, index: int) -> dict[str, float]:
    """Return the parameters of structure ``index``: a scrambled Sobol sequence over the design ranges.

    For every n the first n points fill the space evenly, so a library can be stopped and grown at any count.
    """
    block = _draw_points(library_seed, max(10, index.bit_length()))
    return {
        p.name: float(p.design_low + u * (p.design_high - p.design_low))
        for p, u in zip(PARAMETERS.values(), block[index], strict=True)
    }


@lru_cache(maxsize=2)
def _draw_points(library_seed: int, bits: int) -> np.ndarray:
    return qmc.Sobol(len(PARAMETERS), rng=np.random.default_rng(library_seed)).random_base2(bits)


def get_seed(library_seed: int, index: int) -> int:
    """Return the seed of structure ``index``; it does not depend on who makes it or when."""
    return int(np.random.SeedSequence([library_seed, index]).generate_state(1, np.uint64)[0])


def get_split(library_seed: int, index: int) -> str:
    """Return "train", "calibration" or "test", by a hash of (library seed, index)."""
    digest = hashlib.sha256(f"{library_seed}:{index}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    for name, share in SPLITS.items():
        position -= share
        if position < 0:
            return name
    return "test"
