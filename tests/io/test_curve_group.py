"""Which datasets make a curve is read from attributes, else from names, and what is no curve is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import pytest

from pyfai_grf.io.curve_group import CurveGroup, describe_group

Q = np.linspace(0.05, 3.0, 40)
I = 1e4 / (1 + (2 * Q) ** 4)  # noqa: E741


@pytest.fixture
def group() -> Iterator[h5py.Group]:
    """An empty group in memory."""
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as file:
        yield file.create_group("data")


def fill(group: h5py.Group, attributes: dict[str, Any], unit: str | None = "1/nm", **datasets: Any) -> h5py.Group:
    """Write attributes, datasets, and the unit of whatever is called Q or q."""
    group.attrs.update(attributes)
    group.update(datasets)
    for name in {"Q", "q"} & set(datasets):
        if unit is not None:
            group[name].attrs["units"] = unit
    return group


def name_parts(parts: CurveGroup | None) -> dict[str, str | None]:
    """Return what the datasets of a curve are called."""
    assert parts is not None
    found = {name: getattr(parts, name) for name in ("q", "intensity", "sigma", "weight")}
    return {name: item and item.name.rpartition("/")[2] for name, item in found.items()}


# --- who is who --------------------------------------------------------------------------------------------------


def test_nxcansas_says_everything_by_attributes(group: h5py.Group) -> None:
    fill(group, {"signal": "counts", "I_axes": "Q"}, Q=Q, counts=I, dev=I, I=2 * I, Idev=I, sum_normalization=I)
    group["counts"].attrs["uncertainties"] = "dev"
    parts = describe_group(group)
    assert name_parts(parts) == {"q": "Q", "intensity": "counts", "sigma": "dev", "weight": "sum_normalization"}
    assert (parts.axis, parts.others, parts.unit, parts.axis_name) == (0, (), "1/nm", "Q")
    assert parts.is_on_q
    assert not parts.is_on_angle


@pytest.mark.parametrize(
    ("attributes", "sigma"),
    [
        ({"uncertainties": "dev"}, "dev"),
        ({"uncertainty": "dev"}, "dev"),  # Mantid
        ({"uncertainties": "gone"}, "intensity_errors"),
        ({}, "intensity_errors"),
    ],
)
def test_error_by_its_attribute_else_by_its_name(attributes: dict, sigma: str, group: h5py.Group) -> None:
    fill(group, {"signal": "intensity", "axes": ["q"]}, q=Q, intensity=I, dev=I, intensity_errors=I, errors=I)
    group["intensity"].attrs.update(attributes)
    assert name_parts(describe_group(group))["sigma"] == sigma


def test_error_named_by_the_group(group: h5py.Group) -> None:
    fill(group, {"signal": "I", "axes": ["q"], "I_uncertainties": "dev"}, q=Q, I=I, dev=I)
    assert name_parts(describe_group(group))["sigma"] == "dev"


@pytest.mark.parametrize(
    "sigma", [I[:39], np.float64(0.1), np.tile(I, (2, 1)), np.array([b"a"] * 40), h5py.Empty("f8")]
)
def test_error_that_does_not_fit_is_none(sigma: Any, group: h5py.Group) -> None:
    fill(group, {"signal": "I", "axes": ["q"]}, q=Q, I=I, errors=sigma, weight=sigma)
    assert name_parts(describe_group(group)) == {"q": "q", "intensity": "I", "sigma": None, "weight": None}


def test_names_alone_are_enough_where_somebody_points(group: h5py.Group) -> None:
    fill(group, {}, None, q=Q, I=I, sigma=I)
    parts = describe_group(group)
    assert name_parts(parts) == {"q": "q", "intensity": "I", "sigma": "sigma", "weight": None}
    assert parts.unit == ""
    assert parts.is_on_q


def test_old_nexus_marks_the_signal_itself(group: h5py.Group) -> None:
    fill(group, {}, x=Q, y=I)
    group["x"].attrs["units"] = "1/A"
    group["y"].attrs.update({"signal": 1, "axes": "x"})
    assert name_parts(describe_group(group)) == {"q": "x", "intensity": "y", "sigma": None, "weight": None}


@pytest.mark.parametrize("key", ["units", "unit"])
@pytest.mark.parametrize("value", ["nm^-1", np.bytes_("nm^-1"), ["nm^-1"]])
def test_unit_under_either_name(key: str, value: Any, group: h5py.Group) -> None:
    fill(group, {"signal": "I", "axes": "q"}, None, q=Q, I=I)
    group["q"].attrs[key] = value
    assert describe_group(group).unit == "nm^-1"


@pytest.mark.parametrize(
    ("unit", "long_name", "on_q", "on_angle"),
    [
        ("1/nm", "", True, False),
        ("nm^-1", "2-theta", True, True),  # pyFAI's NXmonopd
        ("2th_deg", "", False, True),
        ("deg", "", False, True),
        ("", "Scattering angle 2-theta (degree)", False, True),
        ("s", "time", False, False),
    ],
)
def test_q_or_an_angle(unit: str, long_name: str, on_q: bool, on_angle: bool, group: h5py.Group) -> None:
    fill(group, {"signal": "I", "axes": ["x"]}, x=Q, I=I)
    group["x"].attrs.update({"units": unit, "long_name": long_name})
    parts = describe_group(group)
    assert (parts.is_on_q, parts.is_on_angle) == (on_q, on_angle)
    assert parts.axis_name == (long_name or "x")


# --- stacks, maps and images -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "axes", "axis", "others"),
    [
        ((5, 40), [".", "q"], 1, (".",)),
        ((5, 40), ["frame", "q"], 1, ("frame",)),
        ((5, 40), "q", 1, ()),
        ((2, 3, 40), ["slow", "fast", "q"], 2, ("slow", "fast")),
        ((40, 2, 3), ["q", "slow", "fast"], 0, ("slow", "fast")),
        ((40, 40), ["frame", "q"], 1, ("frame",)),
        ((40, 40), ["q", "frame"], 0, ("frame",)),
    ],
)
def test_where_q_lies_in_a_stack(
    shape: tuple[int, ...], axes: Any, axis: int, others: tuple[str, ...], group: h5py.Group
) -> None:
    fill(group, {"signal": "intensity", "axes": axes}, q=Q, intensity=np.ones(shape), slow=np.arange(2.0))
    parts = describe_group(group)
    assert (parts.axis, parts.others) == (axis, others)


def test_weight_of_a_stack_is_one_for_all_or_one_each(group: h5py.Group) -> None:
    fill(group, {"signal": "I", "axes": [".", "q"]}, q=Q, I=np.ones((5, 40)), norm=np.ones(40))
    assert describe_group(group).weight.shape == (40,)
    group["sum_normalization"] = np.ones((5, 40))
    assert describe_group(group).weight.shape == (5, 40)


def test_a_map_that_is_there_both_ways_is_read_with_q_last(group: h5py.Group) -> None:
    """As pyFAI-diffmap writes it: q first in what is shown, q last in what was computed, with its errors."""
    cube = np.ones((2, 3, 40))
    fill(group, {"signal": "map", "axes": ["q", "slow", "fast"]}, q=Q, intensity=cube, errors=cube, map=cube.T)
    assert name_parts(describe_group(group))["intensity"] == "intensity"
    del group["intensity"]
    parts = describe_group(group)
    assert (name_parts(parts)["intensity"], parts.axis) == ("map", 0)


def test_q_of_its_own_for_every_frame(group: h5py.Group) -> None:
    fill(group, {"signal": "I", "axes": [".", "q"]}, q=np.tile(Q, (5, 1)), I=np.ones((5, 40)))
    parts = describe_group(group)
    assert (parts.q.shape, parts.axis) == ((5, 40), 1)


@pytest.mark.parametrize("axes", [["azimuthal", "Q"], ["chi", "Q"], ["Azimuth", "Q"]])
def test_cake_is_no_stack_of_curves(axes: list[str], group: h5py.Group) -> None:
    fill(group, {"signal": "I", "axes": axes}, Q=Q, I=np.tile(I, (36, 1)))
    assert describe_group(group) is None


def test_image_is_no_stack_of_curves(group: h5py.Group) -> None:
    fill(group, {"signal": "I", "axes": [".", "Q"], "interpretation": "image"}, Q=Q, I=np.tile(I, (36, 1)))
    assert describe_group(group) is None


@pytest.mark.parametrize("axes", ["Q,Q", "Q Q", ["Q", "Q"]])
def test_image_over_q_is_no_stack_of_curves(axes: Any, group: h5py.Group) -> None:
    fill(group, {"signal": "I", "I_axes": axes}, Q=np.tile(Q, (36, 1)), I=np.tile(I, (36, 1)))
    assert describe_group(group) is None


# --- what is no curve --------------------------------------------------------------------------------------------

ODD = {
    "text": np.array([b"a"] * 40),
    "compound": np.zeros(40, [("a", "f8")]),
    "complex": np.zeros(40, "c16"),
    "flags": np.ones(40, bool),
    "scalar": 1.0,
    "empty": h5py.Empty("f8"),
    "no points": np.zeros(0),
    "no frames": np.zeros((0, 40)),
}


@pytest.mark.parametrize("kind", ODD)
def test_datasets_of_other_kinds_are_no_intensity_and_no_q(kind: str, group: h5py.Group) -> None:
    fill(group, {"signal": "I", "axes": ["Q"]}, Q=Q, I=ODD[kind])
    assert describe_group(group) is None
    del group["I"], group["Q"]
    fill(group, {}, Q=ODD[kind], I=I)
    assert describe_group(group) is None


def test_references_are_no_numbers(group: h5py.Group) -> None:
    fill(group, {"signal": "I", "axes": ["Q"]}, Q=Q, I=np.array([group.ref] * 40, h5py.ref_dtype))
    assert describe_group(group) is None


@pytest.mark.parametrize(
    ("attributes", "datasets"),
    [
        ({}, {}),
        ({"signal": "gone", "axes": ["Q"]}, {"Q": Q}),
        ({"signal": "I", "axes": ["gone"]}, {"I": I, "Q": Q}),  # what the file names is what it means
        ({"signal": "I"}, {"I": I}),
        ({"signal": "I", "axes": ["Q"]}, {"I": I, "Q": Q[:39]}),
        ({"signal": ["I", "J"], "axes": ["Q"]}, {"J": I, "Q": Q}),
        ({"signal": "temperature", "axes": ["time", "x"]}, {"temperature": np.ones((20, 30)), "time": np.arange(20.0)}),
    ],
)
def test_groups_without_a_curve(attributes: dict, datasets: dict, group: h5py.Group) -> None:
    assert describe_group(fill(group, attributes, **datasets)) is None


def test_links_and_groups_in_the_place_of_datasets(group: h5py.Group) -> None:
    fill(group, {"signal": "I", "axes": ["Q"]}, Q=Q)
    group.create_group("I")
    group["Idev"] = h5py.SoftLink("/data/Idev")
    assert describe_group(group) is None
    del group["I"]
    group["I"] = h5py.ExternalLink("/etc/passwd", "/I")
    assert describe_group(group) is None
    del group["I"]
    group["I"] = I
    assert name_parts(describe_group(group))["sigma"] is None


def test_residuals_are_no_curve(group: h5py.Group) -> None:
    fill(group, {"signal": "residual", "axes": ["q"]}, q=Q, residual=I)
    assert describe_group(group) is None
