"""Which datasets of an HDF5 group make a curve: NXcanSAS, and the NXdata of pyFAI and ewoksxrpd."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import h5py

from pyfai_grf.io.columns import find_factor, is_angle
from pyfai_grf.io.hdf5_walk import decode_name, get_item, get_name, read_attribute, read_names, read_text

#: names that programs give to abscissa, intensity and error where no attribute says which is which
_Q_NAMES = ("Q", "q", "radial", "radial_axis", "polar_angle", "q_nm1", "q_nm^-1", "q_A^-1")
_I_NAMES = ("I", "intensity", "data", "Iq", "i")
_SIGMA_NAMES = ("Idev", "I_errors", "errors", "sigma", "error", "Ierr", "I_err")
#: what an average over bins weights with: pyFAI's NXcanSAS, then its NXazint1d (pixels per bin)
_WEIGHT_NAMES = ("sum_normalization", "norm", "weight")
#: what is left of curves is none, though it runs over q
_RESIDUAL_NAMES = ("residual", "residuals")
#: axes of a cake: its rows are sectors, not curves of their own
_AZIMUTH_NAMES = ("azimuthal", "azimuthal_axis", "azimuth", "chi")


@dataclass(frozen=True)
class CurveGroup:
    """The datasets of a group that make one curve, or one per frame.

    Attributes
    ----------
    q : (Q,), or the shape of ``intensity``.
    intensity : (..., Q, ...); ``axis`` is the position of Q in its shape.
    sigma, weight : the shape of ``intensity``; ``weight`` perhaps (Q,). None where there is none.
    others : names of the axes before and after Q, () where the file does not name them.
    """

    q: h5py.Dataset
    intensity: h5py.Dataset
    sigma: h5py.Dataset | None
    weight: h5py.Dataset | None
    axis: int
    others: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The q unit as the file says it: pyFAI writes ``unit``, NeXus asks for ``units``."""
        return _get_unit(self.q)

    @property
    def axis_name(self) -> str:
        """What the file calls the abscissa."""
        said = (read_text(read_attribute(self.q, name)) for name in ("name", "long_name"))
        return " ".join(filter(None, said)) or get_name(self.q)

    @property
    def is_on_q(self) -> bool:
        """Whether the abscissa is known to be q, by its unit or by its name."""
        return not is_angle(self.unit) and (find_factor(self.unit) is not None or get_name(self.q) in _Q_NAMES)

    @property
    def is_on_angle(self) -> bool:
        """Whether the abscissa is a scattering angle, by its unit or by its name."""
        return is_angle(f"{self.unit} {self.axis_name}")


def describe_group(group: h5py.Group) -> CurveGroup | None:
    """Return the datasets of ``group`` that make a curve, or None if it holds none."""
    signal = read_text(read_attribute(group, "signal"))
    if signal in _RESIDUAL_NAMES:
        return None
    names = [
        signal,
        *_I_NAMES,
        *(n for n in map(decode_name, group) if _is_signal(group, n)),
    ]
    found = [parts for name in dict.fromkeys(names) if (parts := _describe_signal(group, name)) is not None]
    # pyFAI-diffmap shows its map with q first, and keeps beside it what it computed, with q last and errors
    return next((parts for parts in found if parts.axis == parts.intensity.ndim - 1), found[0] if found else None)


def _describe_signal(group: h5py.Group, signal: str) -> CurveGroup | None:
    intensity = _pick(group, [signal])
    if intensity is None or intensity.ndim == 0 or 0 in intensity.shape or not _is_numeric(intensity):
        return None
    axes = read_names(read_attribute(group, "axes")) or read_names(read_attribute(group, f"{signal}_axes"))
    axes = axes or read_names(read_attribute(group, "I_axes")) or read_names(read_attribute(intensity, "axes"))
    if len(axes) > 1 and len(set(axes)) < len(axes) and "." not in axes:
        return None  # NXcanSAS in two dimensions: I_axes "Q,Q"
    if intensity.ndim > 1 and (read_text(read_attribute(group, "interpretation")) == "image" or _has_azimuth(axes)):
        return None  # azimuthal sectors or a detector image
    found = _find_q(group, intensity, axes)
    if found is None:
        return None
    q, axis = found
    said = [read_text(read_attribute(intensity, n)) for n in ("uncertainties", "uncertainty")]
    said += [read_text(read_attribute(group, f"{signal}_{n}")) for n in ("uncertainties", "uncertainty")]
    sigma = _pick(group, [*said, f"{signal}_errors", *_SIGMA_NAMES], intensity.shape)
    weight = _pick(group, _WEIGHT_NAMES, intensity.shape)
    if weight is None:
        weight = _pick(group, _WEIGHT_NAMES, intensity.shape[axis : axis + 1])
    others = [name for name in axes if name != get_name(q)] if len(axes) == intensity.ndim else []
    return CurveGroup(q, intensity, sigma, weight, axis, tuple(others))


def _find_q(group: h5py.Group, intensity: h5py.Dataset, axes: Sequence[str]) -> tuple[h5py.Dataset, int] | None:
    """Return the abscissa and its position in the shape of ``intensity``; None if there is none."""
    last = intensity.ndim - 1
    if len(axes) == intensity.ndim:
        for position, name in reversed(list(enumerate(axes))):
            q = _pick(group, [name], intensity.shape[position : position + 1])
            if q is not None and _is_numeric(q) and _is_radial(q):
                return q, position
    # the last axis; the axes of another dataset of the group; without the attribute the usual names
    wanted = [axes[-1]] if axes and axes[-1] != "." else []
    for name in [*wanted, *(name for name in axes if name != "."), *(() if wanted else _Q_NAMES)]:
        q = _pick(group, [name])
        if q is None or not _is_numeric(q) or q.shape not in (intensity.shape[-1:], intensity.shape):
            continue
        if name in wanted or _is_radial(q):
            return q, last
    return None


def _is_radial(q: h5py.Dataset) -> bool:
    unit = _get_unit(q)
    return find_factor(unit) is not None or is_angle(f"{unit} {get_name(q)}") or get_name(q) in _Q_NAMES


def _has_azimuth(axes: Iterable[str]) -> bool:
    return any(name.lower() in _AZIMUTH_NAMES for name in axes)


def _is_numeric(item: h5py.Dataset) -> bool:
    return item.dtype.kind in "fiu"


def _is_signal(group: h5py.Group, name: str) -> bool:
    item = get_item(group, name)
    return isinstance(item, h5py.Dataset) and read_text(read_attribute(item, "signal")) == "1"


def _pick(group: h5py.Group, names: Iterable[str], shape: tuple[int, ...] | None = None) -> h5py.Dataset | None:
    """Return the first dataset of ``group`` called one of ``names``, numeric and of the given shape if one is given."""
    for name in names:
        item = get_item(group, name) if name else None
        if isinstance(item, h5py.Dataset) and (shape is None or (item.shape == shape and _is_numeric(item))):
            return item
    return None


def _get_unit(item: h5py.Dataset) -> str:
    return read_text(read_attribute(item, "units")) or read_text(read_attribute(item, "unit"))
