"""Volumes as other programs read them: every format, the right way round, and measured by PoreSpy."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest
import silx.io
import tifffile
from silx.io import nxdata

from pyfai_grf.core.backend import get_backend
from pyfai_grf.core.errors import InputError
from pyfai_grf.io import volumes
from pyfai_grf.io.volumes import find_format, write_volume
from pyfai_grf.library.generate import compute_chords
from pyfai_grf.simulation.kernels import count_boundaries
from pyfai_grf.simulation.structure import LAYER, PORE, SOLID, make_structure

VOXEL_NM = 0.3
METADATA = {"a_nm": 4.0, "porosity": 0.7, "seed": 2**63, "spectrum": "roding2022", "command": 'pyfai-grf <Å> "x"'}
SUFFIXES = (".tif", ".h5", ".vti")


@pytest.fixture
def labels() -> np.ndarray:
    """Phases that look different along every axis and in every mirror, (5, 7, 11)."""
    return np.random.default_rng(1).integers(0, 3, (5, 7, 11)).astype(np.uint8)


def _import_or_skip(name: str) -> ModuleType:
    """Import a library that warns while it is imported, which is not this project's to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def _check_metadata(text: str) -> None:
    found = json.loads(text)
    assert METADATA.items() <= found.items()
    assert found["voxel_size_nm"] == VOXEL_NM
    assert found["phases"] == "0 pore, 1 layer, 2 solid"
    assert "pyfai-grf" in found["versions"]


# --- formats, read by others ----------------------------------------------------------------------------------------


def test_tiff_is_an_imagej_stack(tmp_path: Path, labels: np.ndarray) -> None:
    write_volume(tmp_path / "a.tif", labels, VOXEL_NM, METADATA)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.is_imagej
        assert (tiff.series[0].axes, len(tiff.pages)) == ("ZYX", 5)
        np.testing.assert_array_equal(tiff.asarray(), labels)
        assert (tiff.imagej_metadata["spacing"], tiff.imagej_metadata["unit"]) == (VOXEL_NM, "nm")
        # pixels per nm, as a fraction of two 32-bit integers
        assert tiff.pages[0].resolution == pytest.approx((1 / VOXEL_NM, 1 / VOXEL_NM), rel=1e-8)
        _check_metadata(tiff.imagej_metadata["Info"])


def test_tiff_is_a_plain_stack_too(tmp_path: Path, labels: np.ndarray) -> None:
    """For readers that know nothing of ImageJ, page by page; and mapped into memory, which needs no compression."""
    from PIL import Image

    write_volume(tmp_path / "a.tiff", labels, VOXEL_NM, METADATA)
    with Image.open(tmp_path / "a.tiff") as stack:
        assert getattr(stack, "n_frames", 1) == len(labels)  # of the images that have several
        for number, page in enumerate(labels):
            stack.seek(number)
            np.testing.assert_array_equal(np.asarray(stack), page)
    np.testing.assert_array_equal(tifffile.memmap(tmp_path / "a.tiff", mode="r"), labels)


def test_large_tiff_is_an_ome_bigtiff(tmp_path: Path, labels: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "_TIFF_LIMIT", labels.nbytes - 1)
    write_volume(tmp_path / "a.tif", labels, VOXEL_NM, METADATA)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.is_bigtiff
        assert tiff.is_ome
        assert tiff.series[0].axes == "ZYX"
        np.testing.assert_array_equal(tiff.asarray(), labels)
        found = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]
    for axis in "XYZ":
        assert (found["Pixels"][f"PhysicalSize{axis}"], found["Pixels"][f"PhysicalSize{axis}Unit"]) == (VOXEL_NM, "nm")
    _check_metadata(found["Description"])


def test_hdf5_opens_as_nexus(tmp_path: Path, labels: np.ndarray) -> None:
    write_volume(tmp_path / "a.h5", labels, VOXEL_NM, METADATA)
    with silx.io.open(str(tmp_path / "a.h5")) as h5:
        data = nxdata.get_default(h5)  # what silx view shows first
        assert (data.is_valid, data.issues) == (True, [])
        assert (data.signal_name.split()[0], data.interpretation) == ("phase", "image")
        assert data.axes_names == ["z (nm)", "y (nm)", "x (nm)"]
        np.testing.assert_array_equal(data.signal, labels)
        for axis, size in zip(data.axes, labels.shape, strict=True):
            np.testing.assert_allclose(axis, VOXEL_NM * (np.arange(size) + 0.5))
        assert data.title == "phase labels: 0 pore, 1 layer, 2 solid"
    with h5py.File(tmp_path / "a.h5") as h5:
        assert h5["entry/data/labels"].compression == "gzip"  # which every HDF5 library reads
        assert {h5[f"entry/data/{name}"].attrs["units"] for name in "zyx"} == {"nm"}
        parameters = h5["entry/process/parameters"]
        assert (parameters["a_nm"][()], parameters["a_nm"].attrs["units"]) == (4.0, "nm")
        assert parameters["seed"][()] == METADATA["seed"]
        assert parameters["command"].asstr()[()] == METADATA["command"]
        _check_metadata(h5["entry/process/metadata"].asstr()[()])


def _read_vti(path: Path) -> tuple[dict[str, str], np.ndarray, str]:
    """Return attributes of the image, the cells in the order of the file, and the metadata; by the book of VTK's XML.

    https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html
    """
    head, _, body = path.read_bytes().partition(b'<AppendedData encoding="raw">\n_')
    text = head.decode("ascii")
    attributes = dict(re.findall(r'(\w+)="([^"]*)"', text))
    count, whole, last = np.frombuffer(body, np.uint64, 3).astype(int)
    sizes = np.frombuffer(body, np.uint64, count, offset=24).astype(int)
    ends = 24 + 8 * count + np.cumsum(sizes)
    blocks = [zlib.decompress(body[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
    assert [len(block) for block in blocks[:-1]] == [whole] * (count - 1)
    assert len(blocks[-1]) == (last or whole)
    assert body[ends[-1] :].split() == [b"</AppendedData>", b"</VTKFile>"]
    codes = re.search(r'format="ascii">([\d ]+) 0</Array>', text)
    assert codes
    return attributes, np.frombuffer(b"".join(blocks), np.uint8), bytes(map(int, codes[1].split())).decode()


@pytest.mark.parametrize("block", [2**20, 77, 100])  # one block, whole blocks only, a shorter one at the end
def test_vti_by_the_book(tmp_path: Path, labels: np.ndarray, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(volumes, "_VTK_BLOCK", block)
    write_volume(tmp_path / "a.vti", labels, VOXEL_NM, METADATA)
    attributes, cells, text = _read_vti(tmp_path / "a.vti")
    assert attributes["WholeExtent"] == "0 11 0 7 0 5"
    assert attributes["Spacing"] == "0.3 0.3 0.3"
    np.testing.assert_array_equal(cells.reshape(labels.shape), labels)  # x varies fastest
    _check_metadata(text)


@pytest.mark.parametrize("block", [2**20, 77, 100])
def test_vti_in_vtk(tmp_path: Path, labels: np.ndarray, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    pyvista = _import_or_skip("pyvista")  # 600 MB with VTK
    monkeypatch.setattr(volumes, "_VTK_BLOCK", block)
    write_volume(tmp_path / "a.vti", labels, VOXEL_NM, METADATA)
    grid = pyvista.read(tmp_path / "a.vti")
    assert grid.spacing == (VOXEL_NM,) * 3
    np.testing.assert_allclose(grid.bounds, [0, 11 * VOXEL_NM, 0, 7 * VOXEL_NM, 0, 5 * VOXEL_NM])
    assert grid.cell_data["phase"].dtype == np.uint8
    for z, y, x in np.ndindex(labels.shape):  # where a picture shows each voxel
        cell = grid.find_containing_cell([(x + 0.5) * VOXEL_NM, (y + 0.5) * VOXEL_NM, (z + 0.5) * VOXEL_NM])
        assert grid.cell_data["phase"][cell] == labels[z, y, x]
    _check_metadata(str(grid.field_data["metadata"][0]))


def test_same_labels_in_every_format(tmp_path: Path, labels: np.ndarray) -> None:
    """Labels that are a view (a transposed box) are written as they are indexed, not as they lie in memory."""
    view = labels.transpose(2, 0, 1)
    for suffix in SUFFIXES:
        write_volume(tmp_path / f"a{suffix}", view, VOXEL_NM, {})
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), view)
    with h5py.File(tmp_path / "a.h5") as h5:
        np.testing.assert_array_equal(h5["entry/data/labels"], view)
    np.testing.assert_array_equal(_read_vti(tmp_path / "a.vti")[1].reshape(view.shape), view)


# --- what cannot be written -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "a.png", "a.tif.gz", ".tif", "tif"])
def test_unknown_suffix(tmp_path: Path, labels: np.ndarray, name: str) -> None:
    with pytest.raises(InputError, match=r"end in \.tif .*\.h5 .*\.vti"):
        write_volume(tmp_path / name, labels, VOXEL_NM, {})
    assert not list(tmp_path.iterdir())


def test_suffix_in_capitals() -> None:
    assert [find_format(name) for name in ("A.TIF", "a.nxs", "a.b.VTI")] == ["tiff", "hdf5", "vti"]


@pytest.mark.parametrize(
    ("change", "voxel_size", "said"),
    [
        (lambda v: v[0], VOXEL_NM, r"shape \(7, 11\)"),
        (lambda v: v.astype(float), VOXEL_NM, "float64"),
        (lambda v: v[:0], VOXEL_NM, "not empty"),
        (lambda v: v, 0.0, "voxel size is 0.0 nm"),
        (lambda v: v, float("nan"), "voxel size is nan nm"),
    ],
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_no_volume(
    tmp_path: Path, labels: np.ndarray, suffix: str, change: Callable[[Any], Any], voxel_size: float, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        write_volume(tmp_path / f"a{suffix}", change(labels), voxel_size, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_existing_file_is_replaced_when_asked_only(tmp_path: Path, labels: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text("old")
    with pytest.raises(InputError, match="exists already"):
        write_volume(path, labels, VOXEL_NM, {})
    assert path.read_text() == "old"
    write_volume(path, labels, VOXEL_NM, {}, overwrite=True)
    assert path.stat().st_size > labels.size
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_folder_is_one_line(tmp_path: Path, labels: np.ndarray, suffix: str) -> None:
    with pytest.raises(InputError) as caught:
        write_volume(tmp_path / f"nowhere/a{suffix}", labels, VOXEL_NM, {})
    assert "\n" not in str(caught.value)
    assert "No such file or directory" in str(caught.value)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files as Linux does")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_full_disk_leaves_what_was_there(tmp_path: Path, suffix: str) -> None:
    """A limit on the file size stands for the full disk; HDF5 must not take the interpreter with it."""
    path = tmp_path / f"a{suffix}"
    path.write_text("old")
    code = """
        import resource, sys
        import numpy as np
        from pyfai_grf.core.errors import InputError
        from pyfai_grf.io import volumes
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        labels = np.random.default_rng(1).integers(0, 3, (200, 200, 200)).astype(np.uint8)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
        try:
            volumes.write_volume(sys.argv[1], labels, 0.5, {}, overwrite=True)
        except InputError as problem:
            print(problem)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "File too large" in done.stdout
    assert done.stdout.count("\n") == 1
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


# --- PoreSpy measures what we say -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def structure(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """A three-phase structure as PoreSpy's users load it, (48, 48, 48), voxels of 0.5 nm."""
    path = tmp_path_factory.mktemp("volumes") / "structure.tif"
    made = make_structure(a=2.0, porosity=0.6, layer_fraction=0.3, shape=48, seed=3, device="cpu")
    write_volume(path, made, 0.5, {})
    return tifffile.imread(path)


def test_porespy_finds_the_porosity(structure: np.ndarray) -> None:
    porespy = _import_or_skip("porespy")
    # fractions are exact to one voxel
    assert porespy.metrics.porosity(structure != SOLID) == pytest.approx(0.6, abs=1 / structure.size)
    assert porespy.metrics.porosity(structure == LAYER) == pytest.approx(0.6 * 0.3, abs=2 / structure.size)


def _measure_chords(porespy: ModuleType, phase: np.ndarray) -> tuple[int, int]:
    """Return the number of PoreSpy's chords of ``phase`` (N, N, N) along the axes and their length in voxels, summed.

    PoreSpy draws chords on every second line, so that they do not touch: four shifts of the box take every line once.
    """
    number = length = 0
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        for shift in np.ndindex(2, 2):
            drawn = porespy.filters.apply_chords(np.roll(phase, shift, others), axis=axis, trim_edges=False)
            chords = porespy.metrics.chord_counts(drawn)
            number, length = number + chords.size, length + int(chords.sum())
    return number, length


@pytest.mark.filterwarnings("ignore:`RegionProperties:FutureWarning")  # PoreSpy's use of scikit-image
@pytest.mark.parametrize("phase", [PORE, LAYER, SOLID])
def test_porespy_finds_the_chords(structure: np.ndarray, phase: int) -> None:
    """No tolerance but rounding: the box is periodic and PoreSpy's image is not, so that every chord that crosses a
    face of the box is two chords to PoreSpy; these are counted and joined.
    """
    porespy = _import_or_skip("porespy")
    is_phase = structure == phase
    number, length = _measure_chords(porespy, is_phase)
    cut = sum(np.count_nonzero(is_phase.take(0, axis) & is_phase.take(-1, axis)) for axis in range(3))
    voxels = np.bincount(structure.ravel(), minlength=3)
    boundaries = np.asarray(count_boundaries(get_backend("cpu"), structure))
    assert 0 < cut < number
    assert length == 3 * voxels[phase]
    assert 0.5 * length / (number - cut) == pytest.approx(compute_chords(voxels, boundaries, 0.5)[phase], rel=1e-12)
