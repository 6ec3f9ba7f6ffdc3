"""The counter-based generator: published answers, normal numbers, independence of who draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pyfai_grf.core.errors import InputError
from pyfai_grf.simulation import kernels
from pyfai_grf.simulation.white_noise import draw_noise, encrypt, make_key

#: known answers of Philox4x32-10 (Random123's kat_vectors): counter, key, result
ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.mark.parametrize(("counter", "key", "answer"), ANSWERS)
def test_known_answers(xp, counter, key, answer):
    words = [xp.asarray([int(word, 16)], dtype=xp.uint64) for word in counter.split()]
    result = encrypt(xp, words, np.array([int(word, 16) for word in key.split()], dtype=np.uint32))
    assert [f"{int(word[0]):08x}" for word in result] == answer.split()


def draw(engine, seed, numbers, half, shape=64):
    """Return the modes with amplitude 1 everywhere, as the simulator draws them, on the host."""
    xp = engine.xp
    modes = xp.empty((numbers.size, numbers.size, half), dtype=xp.complex64)
    ones = xp.ones(int(3 * max(np.abs(numbers).max(), half) ** 2 + 1), dtype=xp.float32)
    axis = xp.asarray(numbers)
    kernels.draw_modes(engine, make_key(seed), (axis, axis, xp.arange(half)), shape, ones, modes)
    return engine.to_host(modes)


@pytest.mark.parametrize("half", [1, 8, 9])
def test_every_engine_draws_the_same(engine, half):
    numbers = np.array([0, 1, 2, 5, -5, -2, -1])
    expected = draw_noise(np, make_key(7), numbers, numbers, half, 16)
    # one unit in the last place of float32 logarithm, sine and cosine
    np.testing.assert_allclose(draw(engine, 7, numbers, half, 16), expected, rtol=2e-6, atol=2e-6)


def test_values_are_standard_normal(engine):
    numbers = np.arange(-20, 20)
    noise = draw(engine, 3, numbers, 31)
    values = np.concatenate([noise[:, :, 1:].real.ravel(), noise[:, :, 1:].imag.ravel()]).astype(float)
    assert stats.kstest(values, "norm").pvalue > 1e-3  # a fixed seed: it passes once, it passes always
    # beyond 4 standard deviations: binomial, 6.3e-5 of 96,000
    expected = 2 * stats.norm.sf(4) * values.size
    assert abs(np.sum(np.abs(values) > 4) - expected) < 5 * np.sqrt(expected)
    # on the plane that is its own conjugate the variance is 2, with a relative error of sqrt(2/m)
    plane = np.concatenate([noise[:, :, 0].real.ravel(), noise[:, :, 0].imag.ravel()])
    assert plane.var() / 2 == pytest.approx(1, abs=5 * np.sqrt(2 / plane.size))


def test_modes_are_independent(engine):
    """No correlation between neighbours along any axis, real and imaginary part, or two seeds."""
    noise = draw(engine, 3, np.arange(-16, 16), 33)[:, :, 1:]
    others = [np.roll(noise, 1, axis) for axis in range(3)] + [draw(engine, 4, np.arange(-16, 16), 33)[:, :, 1:]]
    pairs = [(noise.real, noise.imag)]
    pairs += [pair for other in others for pair in ((noise.real, other.real), (noise.real, other.imag))]
    for one, two in pairs:
        assert abs(np.mean(one * two)) < 5 / np.sqrt(noise.size)


def test_a_mode_does_not_depend_on_who_else_is_drawn(engine):
    numbers = np.arange(-9, 10)
    few = draw(engine, 5, numbers[4:8], 6)
    np.testing.assert_array_equal(few, draw(engine, 5, numbers, 17)[4:8, 4:8, :6])


def test_seeds():
    assert make_key(5).tolist() == make_key([5]).tolist() != make_key([5, 0, 1]).tolist()
    assert len({tuple(make_key(seed)) for seed in range(1000)}) == 1000


@pytest.mark.parametrize("seed", [-1, "one", 1.5, None])
def test_bad_seeds(seed):
    with pytest.raises(InputError, match="the seed is"):
        make_key(seed)
