"""Simulate one structure of the published model and its scattering curve."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pyfai_grf.cli.arguments import LENGTH_NM, SHAPE, check_outputs, parse_count, parse_number, parse_seed, reject_usage
from pyfai_grf.cli.printing import print_line
from pyfai_grf.core.backend import DEVICES
from pyfai_grf.core.published import PAPER_LAYER_DENSITY, PAPER_SHAPE, PAPER_SPECTRUM, PAPER_VOXEL_SIZE_NM

if TYPE_CHECKING:
    from pyfai_grf.core.records import Curve
    from pyfai_grf.simulation.structure import StructureModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.add_argument("--a", type=parse_number(*LENGTH_NM), required=True, help="length scale in nm")
    parser.add_argument("--porosity", type=parse_number(), required=True, help="volume fraction that is not solid")
    parser.add_argument("--layer-fraction", type=parse_number(), help="fraction of the pores that the layer fills (0)")
    parser.add_argument(
        "--layer-density", type=parse_number(0, 1e6), help=f"electron density of the layer ({PAPER_LAYER_DENSITY})"
    )
    parser.add_argument(
        "--spectrum", metavar="TEXT", default=PAPER_SPECTRUM, help="spectral density, such as power:n=6 (%(default)s)"
    )
    parser.add_argument(
        "--shape", type=parse_count(*SHAPE), default=PAPER_SHAPE, help="edge of the box in voxels (%(default)s)"
    )
    parser.add_argument(
        "--voxel-size",
        type=parse_number(*LENGTH_NM),
        default=PAPER_VOXEL_SIZE_NM,
        help="edge of a voxel in nm (%(default)s)",
    )
    parser.add_argument(
        "--seed", type=parse_seed, default=1, help="the same seed gives the same structure (%(default)s)"
    )
    parser.add_argument("--device", default="auto", choices=DEVICES, help="where to compute (%(default)s)")
    parser.add_argument("-o", "--output", required=True, metavar="OUT.h5", help="the curve, as NXcanSAS")
    parser.add_argument(
        "--structure",
        metavar="VOLUME",
        help="also the structure of this curve: phase labels (0 pore, 1 layer, 2 solid) as TIFF stack (.tif), "
        "HDF5/NeXus (.h5) or VTK image data (.vti)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace output files that exist")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from pyfai_grf.core.backend import get_backend
    from pyfai_grf.core.published import PAPER_Q_NM1
    from pyfai_grf.core.records import Curve
    from pyfai_grf.core.versions import GENERATOR_VERSION
    from pyfai_grf.io.nxcansas import write_curve
    from pyfai_grf.io.volumes import write_volume
    from pyfai_grf.simulation.structure import StructureModel
    from pyfai_grf.theory.spectra import get_spectrum
    from pyfai_grf.workflows import simulate_structure

    _check_options(options)
    spectrum = get_spectrum(options.spectrum)
    model = StructureModel(
        a=options.a,
        porosity=options.porosity,
        layer_fraction=options.layer_fraction,
        shape=options.shape,
        voxel_size_nm=options.voxel_size,
        spectrum=spectrum,
    )
    backend = get_backend(options.device)
    labels, intensity = simulate_structure(backend, model, options.layer_density, PAPER_Q_NM1, options.seed)
    metadata = {
        "source": "simulation",
        "a_nm": model.a,
        "porosity": model.porosity,
        "layer_fraction": model.layer_fraction,
        "layer_density": options.layer_density,
        "smoothing_nm": model.smoothing_nm,
        "spectrum": spectrum.text,
        "shape": model.shape,
        "voxel_size_nm": model.voxel_size_nm,
        "seed": options.seed,
        "device": backend.device,
        "generator_version": GENERATOR_VERSION,
        "command": options.command_line,
    }
    if options.structure:  # first: it is what a disk may have no room for
        write_volume(options.structure, backend.to_host(labels), model.voxel_size_nm, metadata, options.overwrite)
    curve = Curve(PAPER_Q_NM1, intensity, metadata=metadata)
    write_curve(options.output, curve, title=f"simulated: {options.command_line}", overwrite=options.overwrite)
    if not options.quiet:
        _print_outputs(options, curve, model)
    return 0


def _check_options(options: argparse.Namespace) -> None:
    """Fill in what depends on other options; refuse what cannot be done before the work starts."""
    from pyfai_grf.core.errors import InputError
    from pyfai_grf.io.volumes import find_format

    if options.layer_density is not None and options.layer_fraction is None:
        reject_usage("--layer-density is the density of a layer: give --layer-fraction too")
    options.layer_fraction = options.layer_fraction or 0.0
    options.layer_density = PAPER_LAYER_DENSITY if options.layer_density is None else options.layer_density
    if options.structure is not None:
        try:
            find_format(options.structure)
        except InputError as problem:
            reject_usage(f"--structure {problem}")
    check_outputs([options.output, options.structure], options.overwrite)


def _print_outputs(options: argparse.Namespace, curve: Curve, model: StructureModel) -> None:
    q = curve.q_nm1
    print_line(f"{options.output}: {q.size} points from {q[0]:.3g} to {q[-1]:.3g} 1/nm")
    if options.structure:
        print_line(f"{options.structure}: {model.shape}^3 voxels of {model.voxel_size_nm:g} nm")
