"""What is bundled: material class, q range, errors beside the published ones, and where the models come from."""

from __future__ import annotations

import argparse
import json

from pyfai_grf.cli.printing import print_line, print_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this command."""
    parser.add_argument("bundles", nargs="*", metavar="BUNDLE", help="bundles to describe (default: all bundled)")
    parser.add_argument("--json", action="store_true", help="print the whole descriptions")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from pyfai_grf.core.parameters import MATERIALS
    from pyfai_grf.fit.performance import load_performance
    from pyfai_grf.learn.bundle import find_bundled, load_model
    from pyfai_grf.learn.evaluate import describe_model

    bundled = find_bundled()
    models = [load_model(name) for name in (options.bundles or bundled)]
    if options.json:
        print_text(
            json.dumps([dict(m.to_json(), bundle_sha256=m.sha256) for m in models], ensure_ascii=False, indent=1)
        )
        return 0
    if any(model.has_fit for model in models):
        reached = load_performance()
        print_text(
            f"What the fit behind the two-phase models for measured samples reaches, on {reached.population}:\n"
            f"{reached.format_table()}\n\nThe regressors, which find the place for it, and those that have no fit:\n"
        )
    for model in models:
        print_text(describe_model(model) + "\n")
    if not options.bundles:
        for name in MATERIALS:
            if name not in bundled:
                print_line(f"{name}: no model for measured samples yet, the name stands for {name}@paper")
    print_text(
        "No model has been validated on a real material of known porosity. Intervals hold for materials of this kind\n"
        "(given the spectrum or the spectra named above), with the noise that is named."
    )
    return 0
