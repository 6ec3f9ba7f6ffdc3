"""The exact periodic Euclidean distance transform, and which solid voxel is the nearest.

Separable lower envelopes of parabolas (Felzenszwalb and Huttenlocher 2012, doi:10.4086/toc.2012.v008a019), compiled on
the CPU where numba is installed. Elsewhere SciPy's (or CuPy's) transform of the box, padded with its periodic images.
"""

from __future__ import annotations

from typing import Any

from pyfai_grf.core.backend import Backend
from pyfai_grf.simulation.cuda import load_twin

_LOOPS = "pyfai_grf.simulation.distance_compiled"


def measure_distance(backend: Backend, solid: Any, reach: int) -> Any:
    """Return the squared distance (voxels) to the nearest ``solid`` voxel, periodic, capped at ``reach`` squared.

    ``solid`` is (N0, N1, N2), true or not 0 in the solid; the result float32.
    """
    if backend.use_compiled and backend.device != "cpu":
        return load_twin(backend.xp).measure_distance(solid, reach)
    if (twin := backend.load_loops(_LOOPS)) and twin.can_measure(solid.shape, reach):
        return twin.measure_distance(backend, solid, reach)
    return _transform(backend, solid, reach, False)[0]


def find_nearest(backend: Backend, solid: Any, reach: int) -> tuple[Any, Any]:
    """Return ``measure_distance`` and the flat index of the nearest solid voxel, int32.

    Of several voxels at the same distance it may be any. From ``reach`` on the index has no meaning.
    """
    if (twin := backend.load_loops(_LOOPS)) and twin.can_measure(solid.shape, reach):
        return twin.find_nearest(backend, solid, reach)
    return _transform(backend, solid, reach, True)


def _transform(backend: Backend, solid: Any, reach: int, has_index: bool) -> tuple[Any, Any]:
    xp = backend.xp
    solid = xp.asarray(solid) != 0
    far = xp.float32(min(reach**2, 2**31))
    if not bool(solid.any()):
        return xp.full(solid.shape, far), xp.full(solid.shape, -1, dtype=xp.int32)
    pads = [min(reach, n // 2 + 1) for n in solid.shape]
    padded = xp.pad(solid, [(p, p) for p in pads], mode="wrap")
    distance, nearest = backend.ndimage.distance_transform_edt(~padded, return_distances=True, return_indices=True)
    inner = tuple(slice(p, p + n) for p, n in zip(pads, solid.shape, strict=True))
    squared = xp.rint(distance[inner] ** 2).astype(xp.float32)
    squared = xp.minimum(squared, far)
    if not has_index:
        return squared, None
    flat = xp.zeros(solid.shape, dtype=xp.int64)
    for axis, (p, n) in enumerate(zip(pads, solid.shape, strict=True)):
        flat = flat * n + (nearest[(axis, *inner)] - p) % n
    return squared, flat.astype(xp.int32)
