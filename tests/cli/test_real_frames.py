"""Measured frames (shared/data beside the repository): read, reduced, and told truthfully that they are no match."""

import csv

import pytest

from pyfai_grf.cli import main
from pyfai_grf.io.results import read_results

MATERIAL = "two-phase-low-porosity"


@pytest.fixture
def pilatus100k(shared_data):
    folder = shared_data / "aps12id_pilatus100k"
    return [
        str(folder / "PU_25C_orig_0061.hdf"),
        "--poni",
        str(folder / "aps12id.poni"),
        "--background",
        str(folder / "HeaterBlank_0059.hdf"),
    ]


def test_nexus_frame_does_not_cover_the_range(pilatus100k, tmp_path, capsys):
    output, table = tmp_path / "out.h5", tmp_path / "out.csv"
    status = main(["analyze", *pilatus100k, "--material", MATERIAL, "-o", str(output), "--csv", str(table)])
    told = capsys.readouterr()
    assert status == 1
    assert all("warning:" in line for line in told.err.splitlines())
    # the fit needs no other model to say that diffraction rings of polyurethane are none of its curves
    assert "NOT APPLICABLE: no curve of this family fits" in told.out
    _, (result,) = read_results(output)
    assert not result.prediction.is_applicable
    assert result.curve.q_nm1[-1] > 17
    assert float(result.extras["invariant"]) > 0
    with table.open(encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert row["answer_from"] == "fit"
    assert row["is_applicable"] == "false"


def test_nexus_frame_runs_through_with_its_own_model(pilatus100k, tmp_path, capsys):
    bundle, output, picture = tmp_path / "model", tmp_path / "out.h5", tmp_path / "out.png"
    grid = ["--q-min", "0.36", "--q-max", "17.7", "--q-points", "200", "--examples", "2000"]
    assert main(["train", "--material", MATERIAL, *grid, "-o", str(bundle), "--quiet"]) == 0
    arguments = ["--material", str(bundle), "-o", str(output), "--plot", str(picture)]
    assert main(["analyze", *pilatus100k, *arguments]) == 1  # no frame is applicable
    provenance, (result,) = read_results(output)
    assert provenance.q_grid_nm1.size == 200
    assert len(result.prediction.values) == 2
    # polyurethane with diffraction rings is no thresholded Gaussian random field
    assert not result.prediction.is_applicable
    assert "not a material of this class" in result.prediction.reason or "sector" in result.prediction.reason
    assert "NOT APPLICABLE" in capsys.readouterr().out
    assert picture.stat().st_size > 10_000


def test_silver_behenate_is_no_porous_material(shared_data, tmp_path, capsys):
    """The EDF's own header makes the geometry, as a user without a .poni would do it."""
    import fabio
    from pyFAI.detectors import detector_factory
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    path = shared_data / "calibrant_agbh" / "AgBH_pilatus1m.edf.gz"
    with fabio.open(str(path)) as image:
        header = image.header
    pixel = float(header["PSize_1"])
    ai = AzimuthalIntegrator(
        dist=float(header["SampleDistance"]),
        poni1=float(header["Center_2"]) * pixel,
        poni2=float(header["Center_1"]) * pixel,
        detector=detector_factory("Pilatus 1M"),
        wavelength=float(header["WaveLength"]),
    )
    poni, output = tmp_path / "agbh.poni", tmp_path / "out.h5"
    ai.save(str(poni))
    status = main(["analyze", str(path), "--poni", str(poni), "--material", MATERIAL, "-o", str(output)])
    _, (result,) = read_results(output)
    assert not result.prediction.is_applicable
    assert result.prediction.reason
    assert status == 1
