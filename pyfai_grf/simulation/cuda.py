"""CUDA twins of the array operations in ``kernels``: one pass over the box where plain CuPy needs many.

The functions do what those of the same names in ``kernels`` do, on whole arrays of a GPU. Every thread strides through
the elements, and threads share nothing but integer sums, whose order does not matter: results repeat exactly.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, log2
from typing import Any

from pyfai_grf.simulation.white_noise import INCREMENTS, MULTIPLIERS, ROUNDS, SELF_CONJUGATE

_THREADS = 256
_BLOCKS = 132 * 16
#: neighbours along a line that one thread makes
_OUTPUTS = 8

_DEFINITIONS = f"""
#define OUTPUTS {_OUTPUTS}
#define MULTIPLIER0 {MULTIPLIERS[0]:#x}u
#define MULTIPLIER1 {MULTIPLIERS[1]:#x}u
#define INCREMENT0 {INCREMENTS[0]:#x}u
#define INCREMENT1 {INCREMENTS[1]:#x}u
#define ROUNDS {ROUNDS}
#define SELF_CONJUGATE {SELF_CONJUGATE:.9g}f
"""
_SOURCE = r"""
typedef long long int64;
typedef unsigned long long uint64;
typedef unsigned int uint32;
#define FOR_EACH(i, size) \
    for (int64 i = (int64) blockIdx.x * blockDim.x + threadIdx.x; i < (size); i += (int64) gridDim.x * blockDim.x)

__device__ void add_count(uint64 *target, uint32 count) {
    for (int step = 16; step > 0; step /= 2) count += __shfl_down_sync(0xffffffffu, count, step);
    if ((threadIdx.x & 31) == 0) atomicAdd(target, (uint64) count);
}

__device__ int wrap(int64 index, int size) {
    int place = (int) (index % size);
    return place < 0 ? place + size : place;
}

extern "C" {

// white_noise.draw_noise (Philox4x32-10, Box and Muller) times the amplitudes: one thread for two neighbouring k
__global__ void draw_modes(
    uint32 key0, uint32 key1, const int64 *numbers0, const int64 *numbers1, int count1, int half, int shape,
    const float *amplitudes, int64 reach, float2 *modes, int64 size
) {
    int pairs = (half + 1) / 2;
    FOR_EACH(index, size) {
        int pair = (int) (index % pairs);
        int64 line = index / pairs;
        int64 i = numbers0[line / count1], j = numbers1[line % count1];
        int64 base = i * i + j * j;
        uint32 c[4] = {(uint32) pair, (uint32) j, (uint32) i, 0u};
        uint32 k0 = key0, k1 = key1;
        for (int round = 0; round < ROUNDS; round++) {
            uint64 p0 = (uint64) c[0] * MULTIPLIER0, p1 = (uint64) c[2] * MULTIPLIER1;
            uint32 c1 = c[1], c3 = c[3];
            c[0] = (uint32) (p1 >> 32) ^ c1 ^ k0;
            c[1] = (uint32) p1;
            c[2] = (uint32) (p0 >> 32) ^ c3 ^ k1;
            c[3] = (uint32) p0;
            k0 += INCREMENT0;
            k1 += INCREMENT1;
        }
        for (int parity = 0; parity < 2 && 2 * pair + parity < half; parity++) {
            int64 k = 2 * pair + parity;
            int64 n = base + k * k;
            float2 mode = {0.0f, 0.0f};
            if (n < reach) {
                float uniform = (float) ((c[2 * parity] + 0.5) * 2.3283064365386963e-10);
                float turn = (float) ((c[2 * parity + 1] + 0.5) * 2.3283064365386963e-10);
                float radius = amplitudes[n] * sqrtf(-2.0f * logf(uniform));
                if (k == 0 || 2 * k == shape) radius *= SELF_CONJUGATE;  // planes that are their own conjugates
                mode.x = radius * cosf(6.28318531f * turn);
                mode.y = radius * sinf(6.28318531f * turn);
            }
            modes[line * half + k] = mode;
        }
    }
}

__global__ void collect_between(
    const float *values, int64 size, float low, float high, uint64 *counts, int64 *found, uint64 capacity
) {
    uint32 below = 0;
    FOR_EACH(i, size) {
        float value = values[i];
        below += value < low;
        if (value >= low && value <= high) {
            uint64 place = atomicAdd(&counts[1], 1ull);
            if (place < capacity) found[place] = i;
        }
    }
    add_count(&counts[0], below);
}

__global__ void count_thresholds(const float *values, int64 size, const float *limits, int n, unsigned char *labels) {
    float first = limits[0], last = limits[n - 1];
    FOR_EACH(i, size) labels[i] = (values[i] >= first) + (n > 1 && values[i] >= last);
}

__global__ void smooth_rows(const unsigned char *binary, float *out, const float *taps, int reach, int n, int64 size) {
    FOR_EACH(index, size) {
        int k = (int) (index % n);
        const unsigned char *row = binary + (index - k);
        float sum = taps[0] * row[k];
        for (int r = 1; r <= reach; r++) sum += taps[r] * (row[wrap((int64) k - r, n)] + row[wrap((int64) k + r, n)]);
        out[index] = sum;
    }
}

// a thread makes OUTPUTS neighbours along the middle axis of (outer, n, inner), so that each value is read once for all
__global__ void smooth_lines(
    const float *in, float *out, const float *taps, int reach, int n, int64 inner, int64 size
) {
    int groups = (n + OUTPUTS - 1) / OUTPUTS;
    FOR_EACH(index, size) {
        int64 column = index % inner, line = index / inner;
        int first = (int) (line % groups) * OUTPUTS;
        int64 base = line / groups * n * inner + column;
        float sums[OUTPUTS] = {};
        for (int r = -reach; r < OUTPUTS + reach; r++) {
            float value = in[base + wrap((int64) first + r, n) * inner];
            #pragma unroll
            for (int b = 0; b < OUTPUTS; b++) {
                int distance = r < b ? b - r : r - b;
                if (distance <= reach) sums[b] += taps[distance] * value;
            }
        }
        #pragma unroll
        for (int b = 0; b < OUTPUTS; b++)
            if (first + b < n) out[base + (first + b) * inner] = sums[b];
    }
}

__global__ void lower_rows(const unsigned char *solid, float *out, int reach, int n, int64 size) {
    FOR_EACH(index, size) {
        int k = (int) (index % n);
        const unsigned char *row = solid + (index - k);
        int r = 0;
        while (r < reach && !row[wrap((int64) k - r, n)] && !row[wrap((int64) k + r, n)]) r++;
        out[index] = (float) r * r;
    }
}

__global__ void lower_lines(const float *in, float *out, int reach, int n, int64 inner, int64 size) {
    int groups = (n + OUTPUTS - 1) / OUTPUTS;
    FOR_EACH(index, size) {
        int64 column = index % inner, line = index / inner;
        int first = (int) (line % groups) * OUTPUTS;
        int64 base = line / groups * n * inner + column;
        float lowest[OUTPUTS];
        for (int b = 0; b < OUTPUTS; b++) lowest[b] = (float) reach * reach;
        for (int r = -reach; r < OUTPUTS + reach; r++) {
            float value = in[base + wrap((int64) first + r, n) * inner];
            #pragma unroll
            for (int b = 0; b < OUTPUTS; b++) lowest[b] = fminf(lowest[b], value + (float) (r - b) * (r - b));
        }
        #pragma unroll
        for (int b = 0; b < OUTPUTS; b++)
            if (first + b < n) out[base + (first + b) * inner] = lowest[b];
    }
}

// fixed-point sums, because the order of floating-point ones would change from run to run
__global__ void sum_shells(
    const float2 *layer, const float2 *solid, const int64 *square0, const int64 *square1, const int64 *square2,
    int count1, int count2, int64 bins, double scale, uint64 *sums, int64 size
) {
    FOR_EACH(index, size) {
        int k = (int) (index % count2);
        int64 line = index / count2;
        int64 n = square0[line / count1] + square1[line % count1] + square2[k];
        if (n >= bins) continue;
        double weight = k == 0 ? scale : 2.0 * scale;
        double vx = layer[index].x, vy = layer[index].y, sx = solid[index].x, sy = solid[index].y;
        atomicAdd(&sums[n], (uint64) __double2ll_rn(weight * (vx * vx + vy * vy)));
        atomicAdd(&sums[bins + n], (uint64) __double2ll_rn(weight * (vx * sx + vy * sy)));
        atomicAdd(&sums[2 * bins + n], (uint64) __double2ll_rn(weight * (sx * sx + sy * sy)));
    }
}

__global__ void count_boundaries(const unsigned char *labels, int n, uint64 *counts, int64 size) {
    uint32 found[3][3] = {};
    FOR_EACH(index, size) {
        int k = (int) (index % n), j = (int) (index / n % n);
        int64 i = index / n / n, plane = (int64) n * n;
        unsigned char here = labels[index];
        int other[3] = {
            here ^ labels[i + 1 < n ? index + plane : index - i * plane],
            here ^ labels[j + 1 < n ? index + n : index - (int64) j * n],
            here ^ labels[k + 1 < n ? index + 1 : index - k]
        };
        #pragma unroll
        for (int axis = 0; axis < 3; axis++)
            #pragma unroll
            for (int pair = 0; pair < 3; pair++) found[axis][pair] += other[axis] == pair + 1;
    }
    for (int axis = 0; axis < 3; axis++)
        for (int pair = 0; pair < 3; pair++) add_count(&counts[3 * axis + pair], found[axis][pair]);
}

}
"""


@lru_cache(maxsize=1)
def load_twin(xp: Any) -> CudaTwin:
    """Return the kernels for ``xp``, which is CuPy; they are compiled when first used."""
    return CudaTwin(xp)


class CudaTwin:
    """The functions of ``kernels`` on whole CuPy arrays."""

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        self._module = xp.RawModule(code=_DEFINITIONS + _SOURCE, options=("--std=c++14",))

    def _run(self, name: str, size: int, *arguments: Any) -> None:
        blocks = max(1, min(_BLOCKS, ceil(size / _THREADS)))
        self._module.get_function(name)((blocks,), (_THREADS,), arguments)

    def draw_modes(self, key: Any, numbers: Any, shape: int, amplitudes: Any, modes: Any) -> None:
        """Set ``modes`` to the white noise of their wave ``numbers`` times the amplitudes of their n^2."""
        xp, half = self.xp, modes.shape[2]
        size = modes.shape[0] * modes.shape[1] * ((half + 1) // 2)
        keys = (xp.uint32(key[0]), xp.uint32(key[1]))
        sizes = (xp.int32(modes.shape[1]), xp.int32(half), xp.int32(shape))
        reach = xp.int64(amplitudes.size)
        self._run("draw_modes", size, *keys, *numbers[:2], *sizes, amplitudes, reach, modes, xp.int64(size))

    def collect_between(self, values: Any, low: float, high: float) -> tuple[int, Any]:
        """Return the number of ``values`` (flat, float32) below ``low`` and the indices of those in [low, high]."""
        xp, capacity = self.xp, max(1 << 16, values.size // 64)
        while True:
            counts, found = xp.zeros(2, dtype=xp.uint64), xp.empty(capacity, dtype=xp.int64)
            limits = xp.float32(low), xp.float32(high)
            arguments = (values, xp.int64(values.size), *limits, counts, found, xp.uint64(capacity))
            self._run("collect_between", values.size, *arguments)
            below, inside = (int(count) for count in counts)
            if inside <= capacity:
                return below, xp.sort(found[:inside])
            capacity = inside

    def count_thresholds(self, values: Any, thresholds: Any) -> Any:
        """Return how many of the one or two ``thresholds`` each of ``values`` (flat, float32) reaches, as uint8."""
        xp = self.xp
        labels = xp.empty(values.size, dtype=xp.uint8)
        limits = thresholds.astype(xp.float32), xp.int32(thresholds.size)
        self._run("count_thresholds", values.size, values, xp.int64(values.size), *limits, labels)
        return labels

    def smooth_periodic(self, binary: Any, taps: Any) -> Any:
        """Return the separable periodic convolution of ``binary`` (N, N, N) with symmetric ``taps`` (R + 1,)."""
        field = self.xp.empty(binary.shape, dtype=self.xp.float32)
        common = (taps, self.xp.int32(taps.size - 1))
        self._run("smooth_rows", field.size, binary, field, *common, *self._get_sizes(field.shape[0], field.size))
        return self._pass_lines("smooth_lines", field, *common)

    def measure_distance(self, solid: Any, reach: int) -> Any:
        """Return the squared distance to the nearest ``solid`` voxel, periodic, capped at ``reach`` squared."""
        field = self.xp.empty(solid.shape, dtype=self.xp.float32)
        common = (self.xp.int32(reach),)
        self._run("lower_rows", field.size, solid, field, *common, *self._get_sizes(field.shape[0], field.size))
        return self._pass_lines("lower_lines", field, *common)

    def _get_sizes(self, *sizes: int) -> tuple[Any, ...]:
        return (self.xp.int32(sizes[0]), *(self.xp.int64(size) for size in sizes[1:]))

    def _pass_lines(self, name: str, field: Any, *common: Any) -> Any:
        """Return what the kernel ``name`` makes of ``field`` along the second, then the first axis."""
        n = field.shape[0]
        for inner in (n, n * n):
            size = ceil(n / _OUTPUTS) * inner * (n * n // inner)
            out = self.xp.empty_like(field)
            self._run(name, size, field, out, *common, *self._get_sizes(n, inner, size))
            field = out
        return field

    def sum_shells(self, layer: Any, solid: Any, squares: tuple[Any, Any, Any], size: int) -> Any:
        """Return sums over equal n^2 of |layer|^2, Re(layer conj(solid)) and |solid|^2, as (3, size) float64."""
        xp, n = self.xp, layer.size
        layer, solid = xp.ascontiguousarray(layer), xp.ascontiguousarray(solid)
        sums = xp.zeros((3, size), dtype=xp.uint64)
        # no sum exceeds N^6 (Parseval, densities 0 and 1): this scale uses 62 of the 63 bits, one of them as a margin
        scale = 2.0 ** (62 - ceil(6 * log2(layer.shape[0])) - 1)
        counts = xp.int32(layer.shape[1]), xp.int32(layer.shape[2]), xp.int64(size)
        self._run("sum_shells", n, layer, solid, *squares, *counts, xp.float64(scale), sums, xp.int64(n))
        return sums.view(xp.int64) / scale

    def count_boundaries(self, labels: Any) -> Any:
        """Return the periodic face counts (3 axes, 3 pairs): pore|layer, pore|solid, layer|solid."""
        counts = self.xp.zeros((3, 3), dtype=self.xp.uint64)
        sizes = (self.xp.int32(labels.shape[0]), counts, self.xp.int64(labels.size))
        self._run("count_boundaries", labels.size, labels, *sizes)
        return counts.astype(self.xp.int64)
