"""The array operations that the simulator is made of, for any backend.

The operations here are plain NumPy/CuPy on slices of the box. They hand over to twins of the same names: to the loops
in ``phase_loops`` for each slice, on the CPU where numba is installed, and to the kernels in ``cuda`` for the whole box
on a GPU. All are tested against each other.
"""

from __future__ import annotations

from typing import Any

from pyfai_grf.core.backend import Backend
from pyfai_grf.core.published import PAPER_SHAPE
from pyfai_grf.simulation.cuda import load_twin
from pyfai_grf.simulation.white_noise import draw_noise

#: planes of the box handled at once: enough to feed a core, few enough that temporaries stay near it
PLANES = 16
#: values of a flat array handled at once: as many as in the planes of the published box
VALUES = PLANES * PAPER_SHAPE**2
_LOOPS = "pyfai_grf.simulation.phase_loops"


def _get_gpu_twin(backend: Backend) -> Any:
    """Return the GPU's kernels, which work on the whole box, or None where they are not to be used."""
    return load_twin(backend.xp) if backend.use_compiled and backend.device != "cpu" else None


def draw_modes(
    backend: Backend, key: Any, numbers: tuple[Any, Any, Any], shape: int, amplitudes: Any, modes: Any
) -> None:
    """Set ``modes`` (I, J, K) to the white noise of their wave ``numbers`` times the amplitude of their n^2.

    Modes beyond the ``amplitudes`` (of n^2 = 0, 1, 2 ...) become 0. ``modes`` is one slice of a grid of ``shape``^3.
    """
    squares = numbers[2] ** 2
    if gpu := _get_gpu_twin(backend):
        gpu.draw_modes(key, numbers, shape, amplitudes, modes)
        return
    if twin := backend.load_loops(_LOOPS):
        twin.draw_modes(key, numbers[0], numbers[1], squares, shape, amplitudes, modes)
        return
    xp = backend.xp
    table = xp.append(amplitudes, xp.zeros(1, amplitudes.dtype))
    n2 = (numbers[0] ** 2)[:, None, None] + (numbers[1] ** 2)[:, None] + squares
    modes[:] = draw_noise(xp, key, numbers[0], numbers[1], squares.size, shape)
    modes *= table[xp.minimum(n2, amplitudes.size)]


def collect_between(backend: Backend, values: Any, low: float, high: float) -> tuple[int, Any]:
    """Return the number of ``values`` (flat) below ``low`` and the indices of those in [low, high]."""
    if gpu := _get_gpu_twin(backend):
        return gpu.collect_between(values, low, high)
    xp, twin = backend.xp, backend.load_loops(_LOOPS)
    low, high = values.dtype.type(low), values.dtype.type(high)

    def collect(part: slice) -> tuple[int, Any]:
        here = values[part]
        if twin:
            below, found = twin.collect_between(here, low, high)
        else:
            below, found = int(xp.count_nonzero(here < low)), xp.flatnonzero((here >= low) & (here <= high))
        found += part.start
        return below, found

    counts, found = zip(*backend.map_slices(collect, values.size, VALUES), strict=True)
    return sum(counts), xp.concatenate(found)


def count_thresholds(backend: Backend, values: Any, thresholds: Any) -> Any:
    """Return how many of the one or two ``thresholds`` each of ``values`` (flat) reaches, as uint8."""
    if gpu := _get_gpu_twin(backend):
        return gpu.count_thresholds(values, thresholds)
    xp, twin = backend.xp, backend.load_loops(_LOOPS)
    labels = xp.empty(values.size, xp.uint8)

    def count(part: slice) -> None:
        if twin:
            twin.count_thresholds(values[part], thresholds, labels[part])
            return
        labels[part] = values[part] >= thresholds[0]
        if thresholds.size > 1:
            labels[part] += values[part] >= thresholds[-1]

    backend.map_slices(count, values.size, VALUES)
    return labels


def smooth_periodic(backend: Backend, binary: Any, taps: Any) -> Any:
    """Return the separable periodic convolution of ``binary`` (N, N, N) with symmetric ``taps`` (R + 1,)."""
    if gpu := _get_gpu_twin(backend):
        return gpu.smooth_periodic(binary, taps)
    xp, twin = backend.xp, backend.load_loops(_LOOPS)
    field = xp.empty(binary.shape, taps.dtype)
    kernel = xp.concatenate((taps[:0:-1], taps))

    def correlate(values: Any, axis: int) -> Any:
        return backend.ndimage.correlate1d(values, kernel, axis=axis, mode="wrap")

    def smooth_planes(part: slice) -> None:
        if twin:
            twin.smooth_planes(binary[part], taps, field[part])
        else:
            field[part] = correlate(correlate(binary[part].astype(taps.dtype), 2), 1)

    def smooth_slabs(part: slice) -> None:
        if twin:
            twin.smooth_slabs(field, taps, part.start, part.stop)
        else:
            field[:, part] = correlate(field[:, part], 0)

    backend.map_slices(smooth_planes, binary.shape[0], PLANES)
    backend.map_slices(smooth_slabs, binary.shape[1], PLANES)
    return field


def sum_shells(backend: Backend, layer: Any, solid: Any, squares: tuple[Any, Any, Any], size: int) -> Any:
    """Return sums over equal n^2 of |layer|^2, Re(layer conj(solid)) and |solid|^2, as (3, size).

    The arrays are one slice of the modes; their last axis holds the half that a real field needs. n^2 is the sum of
    ``squares`` along the axes.
    """
    if gpu := _get_gpu_twin(backend):
        return gpu.sum_shells(layer, solid, squares, size)
    if twin := backend.load_loops(_LOOPS):
        return twin.sum_shells(layer, solid, *squares, size)
    xp = backend.xp
    n2 = squares[0][:, None, None] + squares[1][:, None] + squares[2]
    inside = n2 < size
    bins = n2[inside]
    twice = xp.broadcast_to(xp.where(squares[2] == 0, 1.0, 2.0), n2.shape)[inside]
    v, s = layer[inside], solid[inside]
    products = (v * v.conj(), v * s.conj(), s * s.conj())
    return xp.stack([xp.bincount(bins, weights=product.real * twice, minlength=size) for product in products])


def count_boundaries(backend: Backend, labels: Any) -> Any:
    """Return the periodic face counts (3 axes, 3 pairs): pore|layer, pore|solid, layer|solid."""
    if gpu := _get_gpu_twin(backend):
        return gpu.count_boundaries(labels)
    xp, twin = backend.xp, backend.load_loops(_LOOPS)

    def count(part: slice) -> Any:
        here, following = labels[part], labels[part.stop % labels.shape[0]]
        if twin:
            return twin.count_boundaries(here, following)
        behind = xp.concatenate((here[1:], following[None]))
        neighbours = (behind, xp.roll(here, -1, 1), xp.roll(here, -1, 2))
        return xp.stack(
            [xp.stack([xp.count_nonzero((here ^ other) == pair) for pair in (1, 2, 3)]) for other in neighbours]
        )

    return sum(backend.map_slices(count, labels.shape[0], PLANES))
