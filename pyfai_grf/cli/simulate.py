"""Simulate one structure of the published model and its scattering curve."""

from __future__ import annotations

import argparse

from pyfai_grf.cli.arguments import check_outputs, parse_seed, reject_usage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.add_argument("--a", type=float, required=True, help="length scale in nm")
    parser.add_argument("--porosity", type=float, required=True, help="volume fraction that is not solid")
    parser.add_argument("--layer-fraction", type=float, help="part of the pores that the layer fills (0)")
    parser.add_argument("--layer-density", type=float, help="electron density of the layer (0.65)")
    parser.add_argument("--shape", type=int, default=512, help="edge of the box in voxels (512)")
    parser.add_argument("--voxel-size", type=float, default=0.5, help="edge of a voxel in nm (0.5)")
    parser.add_argument("--seed", type=parse_seed, default=1, help="the same seed gives the same structure (1)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="where to compute (auto)")
    parser.add_argument("-o", "--output", required=True, metavar="OUT.h5", help="the curve, as NXcanSAS")
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it exists")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from pyfai_grf.core.parameters import PAPER_LAYER_DENSITY
    from pyfai_grf.core.records import Curve
    from pyfai_grf.io.nxcansas import write_curve
    from pyfai_grf.workflows import simulate

    if options.layer_density is not None and options.layer_fraction is None:
        reject_usage("--layer-density is the density of a layer: give --layer-fraction too")
    options.layer_fraction = options.layer_fraction or 0.0
    options.layer_density = PAPER_LAYER_DENSITY if options.layer_density is None else options.layer_density
    check_outputs([options.output], options.overwrite)
    names = ("a", "porosity", "layer_fraction", "layer_density", "shape", "voxel_size", "seed", "device")
    parameters = {name: getattr(options, name) for name in names}
    q, intensity = simulate(**parameters)
    curve = Curve(q, intensity, metadata={"source": "simulation", **parameters})
    write_curve(options.output, curve, title=f"simulated: {options.command_line}", overwrite=options.overwrite)
    if not options.quiet:
        print(f"{options.output}: {q.size} points from {q[0]:.3g} to {q[-1]:.3g} 1/nm")
    return 0
