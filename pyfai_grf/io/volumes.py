"""Phase labels of a structure as a volume that other programs open: TIFF stack, HDF5/NeXus or VTK image data.

In all three the first axis of the labels is z (the page of the stack), the second y and the last x, so that ImageJ,
silx and ParaView show the same picture.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import h5py
import numpy as np
from numpy.typing import NDArray

from pyfai_grf.core.atomic import replace_file
from pyfai_grf.core.errors import InputError
from pyfai_grf.core.hdf5_image import build_image
from pyfai_grf.core.provenance import collect_versions, format_now
from pyfai_grf.io.hdf5_fields import clean_text, create_group, dump_json, find_unit, write_array
from pyfai_grf.io.reserve import fill_file

#: what the labels mean; files repeat it
PHASES = "0 pore, 1 layer, 2 solid"
AXES = ("z", "y", "x")

#: a TIFF file counts its bytes in 32 bits; what is larger becomes an OME BigTIFF
_TIFF_LIMIT = 2**32 - 2**25
#: chunks of the HDF5 labels: a slice along any axis touches few of them, and they compress as well as larger ones
_CHUNK = 64
#: phases are large smooth regions: the cheapest level makes them many times smaller
_LEVEL = 1
#: bytes by which the HDF5 file grows in memory
_BLOCK = 2**24
#: bytes of labels in one compressed block of a VTK file
_VTK_BLOCK = 2**20


def write_volume(
    path: str | os.PathLike[str],
    labels: NDArray[np.uint8],
    voxel_size_nm: float,
    metadata: Mapping[str, Any],
    overwrite: bool = False,
) -> None:
    """Write phase ``labels`` (Z, Y, X) uint8 in the format that the suffix of ``path`` names.

    ``.tif``, ``.tiff``
        Uncompressed multi-page TIFF as ImageJ writes it, voxel size in nm (resolution, spacing, unit), metadata as
        its Info text; beyond 4 GB an OME BigTIFF.
    ``.h5``, ``.hdf5``, ``.nxs``
        NeXus with an NXdata of the labels over z, y and x in nm (centres of the voxels) that ``silx view`` opens at
        once; an NXprocess holds the metadata.
    ``.vti``
        VTK image data: cell data ``phase``, spacing in nm, metadata as field data.

    ``metadata`` (JSON-ready values; a name ending in ``_nm`` or ``_nm1`` says its unit) is what a reader must know:
    parameters, seed, generator version ... The file appears at one stroke: a failure leaves what was there before.

    Raises
    ------
    InputError
        If the suffix is not one of these, the labels are no uint8 volume, the voxel size is not above 0, or the file
        exists (unless ``overwrite``) or cannot be written.
    """
    target = Path(path)
    write = _WRITERS[find_format(target)]
    labels = np.ascontiguousarray(labels)
    if labels.ndim != 3 or labels.dtype != np.uint8 or not labels.size:
        raise InputError(f"labels are {labels.dtype} of shape {labels.shape}: they must be uint8 (Z, Y, X), not empty")
    if not 0 < voxel_size_nm < np.inf:
        raise InputError(f"the voxel size is {voxel_size_nm} nm: it must be a length above 0")
    if target.exists() and not overwrite:
        raise InputError(f"{target} exists already: choose another name or remove it")
    described = {**metadata, "voxel_size_nm": float(voxel_size_nm), "phases": PHASES, "versions": collect_versions()}
    with replace_file(target) as draft:
        write(draft, labels, float(voxel_size_nm), described)


def find_format(path: str | os.PathLike[str]) -> str:
    """Return "tiff", "hdf5" or "vti": the format that the suffix of ``path`` names; InputError if it names none."""
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise InputError(
            f"{path} does not say in which format to write a volume: let its name end in .tif (TIFF stack), "
            ".h5 (HDF5/NeXus) or .vti (VTK image data)"
        )
    return _FORMATS[suffix]


def _write_tiff(path: Path, labels: NDArray[np.uint8], voxel_size_nm: float, metadata: Mapping[str, Any]) -> None:
    import tifffile

    # NumPy's own words for a full disk would be "134217728 requested and 99104 written"
    with path.open("wb") as file:
        fill_file(file, labels.nbytes)
    pixels_per_cm = 1e7 / voxel_size_nm
    if labels.nbytes > _TIFF_LIMIT:
        sizes = {f"PhysicalSize{axis.upper()}": voxel_size_nm for axis in AXES}
        units = {f"PhysicalSize{axis.upper()}Unit": "nm" for axis in AXES}
        described: dict[str, Any] = {"axes": "ZYX", **sizes, **units, "Description": dump_json(metadata)}
        options: dict[str, Any] = {"bigtiff": True, "ome": True, "metadata": described}
        options |= {"resolution": (pixels_per_cm, pixels_per_cm), "resolutionunit": "CENTIMETER"}
    else:
        # min and max: ImageJ would show the labels 0 to 2 of 255 as black
        described = {"axes": "ZYX", "spacing": voxel_size_nm, "unit": "nm", "Info": dump_json(metadata)}
        described |= {"min": 0.0, "max": 2.0}
        options = {"imagej": True, "resolution": (1 / voxel_size_nm, 1 / voxel_size_nm), "metadata": described}
    tifffile.imwrite(path, labels, photometric="minisblack", software="pyfai-grf", **options)


def _write_hdf5(path: Path, labels: NDArray[np.uint8], voxel_size_nm: float, metadata: Mapping[str, Any]) -> None:
    # in memory it is small: the labels are compressed
    path.write_bytes(build_image(lambda h5: _write_entry(h5, labels, voxel_size_nm, metadata), _BLOCK))


def _write_entry(h5: h5py.File, labels: NDArray[np.uint8], voxel_size_nm: float, metadata: Mapping[str, Any]) -> None:
    h5.attrs["NX_class"] = "NXroot"
    h5.attrs["default"] = "entry"
    entry = create_group(h5, "entry", "NXentry", default="data")
    data = create_group(entry, "data", "NXdata", signal="labels", axes=list(AXES))
    entry["title"] = data["title"] = f"phase labels: {PHASES}"
    chunks = tuple(min(size, _CHUNK) for size in labels.shape)
    stored = data.create_dataset("labels", data=labels, chunks=chunks, compression="gzip", compression_opts=_LEVEL)
    stored.attrs["long_name"] = f"phase ({PHASES})"
    stored.attrs["units"] = ""
    stored.attrs["interpretation"] = "image"  # silx then shows slices, which need no OpenGL
    for index, (name, size) in enumerate(zip(AXES, labels.shape, strict=True)):
        write_array(data, name, (np.arange(size) + 0.5) * voxel_size_nm, "nm", f"{name} (nm)")
        data.attrs[f"{name}_indices"] = index
    process = create_group(entry, "process", "NXprocess")
    process["program"] = "pyfai-grf"
    process["date"] = format_now()
    process["metadata"] = dump_json(metadata)
    parameters = create_group(process, "parameters", "NXparameters")
    for name, value in metadata.items():
        if isinstance(value, str):
            parameters[name] = clean_text(value)
        elif isinstance(value, int | float | np.number):
            parameters[name] = value
            parameters[name].attrs["units"] = find_unit(name)


def _write_vti(path: Path, labels: NDArray[np.uint8], voxel_size_nm: float, metadata: Mapping[str, Any]) -> None:
    """Write VTK's XML image data: x varies fastest there, as in the memory of ``labels``."""
    depth, height, width = labels.shape
    extent = quoteattr(f"0 {width} 0 {height} 0 {depth}")
    text = " ".join(str(code) for code in [*dump_json(metadata).encode("ascii"), 0])
    spacing = quoteattr(" ".join(3 * [repr(voxel_size_nm)]))
    order = "LittleEndian" if sys.byteorder == "little" else "BigEndian"
    header = f"""<?xml version="1.0"?>
<VTKFile type="ImageData" version="1.0" byte_order="{order}" header_type="UInt64" compressor="vtkZLibDataCompressor">
<ImageData WholeExtent={extent} Origin="0 0 0" Spacing={spacing}>
<FieldData><Array type="String" Name="metadata" NumberOfTuples="1" format="ascii">{text}</Array></FieldData>
<Piece Extent={extent}>
<CellData Scalars="phase"><DataArray type="UInt8" Name="phase" format="appended" offset="0"/></CellData>
</Piece>
</ImageData>
<AppendedData encoding="raw">
_"""
    values = labels.reshape(-1).data
    starts = range(0, labels.size, _VTK_BLOCK)
    # number of blocks, bytes in a whole one, bytes in the last if that is not whole, bytes of each when compressed
    index = np.array([len(starts), _VTK_BLOCK, labels.size % _VTK_BLOCK, *[0] * len(starts)], dtype=np.uint64)
    with path.open("wb") as file:
        file.write(header.encode("ascii"))
        place = file.tell()
        file.write(index.tobytes())
        for number, start in enumerate(starts):
            index[3 + number] = file.write(zlib.compress(values[start : start + _VTK_BLOCK], _LEVEL))
        file.write(b"\n</AppendedData>\n</VTKFile>\n")
        file.seek(place)
        file.write(index.tobytes())


_FORMATS = {".tif": "tiff", ".tiff": "tiff", ".h5": "hdf5", ".hdf5": "hdf5", ".nxs": "hdf5", ".vti": "vti"}
_WRITERS = {"tiff": _write_tiff, "hdf5": _write_hdf5, "vti": _write_vti}
