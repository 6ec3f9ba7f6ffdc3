"""The same frames by every route of the real peers: none refused, and the answer that ``pyfai-grf analyze`` gives.

On demand: ``.ci/interop`` makes the environment. PYFAI_GRF_INTEROP_FRAMES is the number of frames of each exposure; the
table of the documentation comes from 200 by ``measure_routes``.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("blissdata", reason="the peers are not installed: .ci/interop installs and runs them")

from ewoks import execute_graph
from scipy.stats import binom

from . import peers
from .answers import COLUMNS, MATERIAL, Answer
from .measure_routes import list_cases, measure, shorten_reason
from .routes import Route, analyze
from .scans import PHOTONS, TRUTHS, Scan, Setting, make_scan

pytestmark = [
    pytest.mark.interop,
    pytest.mark.timeout(1800),
    pytest.mark.filterwarnings("default"),  # the peers' warnings are theirs
]

FRAMES = int(os.environ.get("PYFAI_GRF_INTEROP_FRAMES", "10"))
#: the level of the intervals, and how unlikely a count of hits may be before it is no accident
LEVEL, CHANCE = 0.9, 1e-3
#: of the interval of analyze: how far the mean of the paired differences may lie from zero
SHIFT = 0.1


@pytest.fixture(scope="session", params=PHOTONS, ids="{:.0e}".format)
def scan(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """A scan of the first truth, at each exposure in turn."""
    folder = tmp_path_factory.getbasetemp() / "frames"
    return make_scan(folder, *TRUTHS[0], request.param, FRAMES)


@pytest.fixture(scope="session")
def reference(scan: Scan, tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    """What analyze says of the same frames."""
    return analyze(scan, tmp_path_factory.mktemp("analyze"))


def check_coverage(answers: list[Answer], scan: Scan) -> None:
    """Hold that the intervals catch the truth as often as they say, as far as so few frames can tell."""
    for name in COLUMNS:
        truth = getattr(scan, name)
        hits = sum(answer.lower[name] <= truth <= answer.upper[name] for answer in answers)
        assert binom.cdf(hits, len(answers), LEVEL) > CHANCE, f"{name}: {hits} of {len(answers)} intervals hold {truth}"


def test_analyze(scan: Scan, reference: list[Answer]) -> None:
    assert Counter(answer.refusal for answer in reference) == {"": FRAMES}
    check_coverage(reference, scan)


@pytest.mark.parametrize(("route", "setting"), [pytest.param(*c, id=f"{c[0].name}, {c[1].name}") for c in list_cases()])
def test_every_route_gives_one_answer(
    route: Route, setting: Setting, scan: Scan, reference: list[Answer], tmp_path: Path
) -> None:
    answers = route.follow(scan, setting, tmp_path)
    refusals = Counter(shorten_reason(answer.refusal) for answer in answers if answer.refusal)
    assert not refusals
    check_coverage(answers, scan)
    for name in COLUMNS:
        found = measure(answers, reference, name, getattr(scan, name))
        widths = [answer.upper[name] - answer.lower[name] for answer in reference]
        differences = [a.values[name] - r.values[name] for a, r in zip(answers, reference, strict=True)]
        # four standard errors of the mean, for few frames know it no better
        leeway = SHIFT + 4 * np.std(differences, ddof=1) / np.sqrt(FRAMES) / np.mean(widths)
        assert abs(found.shift) < leeway, f"{name}: shifted by {found.shift:+.2f} intervals"


@pytest.mark.parametrize("engine", ["core", "ppf"])
def test_workflow_of_the_real_tasks(engine: str, tmp_path: Path) -> None:
    """PyFaiConfig -> IntegrateSinglePattern -> our task, as a workflow file that an engine of ewoks runs."""
    scan = make_scan(tmp_path, *TRUTHS[0], PHOTONS[-1], 1)
    nodes = [
        _make_node("config", "ewoksxrpd.tasks.pyfaiconfig.PyFaiConfig"),
        _make_node("integrate", "ewoksxrpd.tasks.integrate.IntegrateSinglePattern"),
        _make_node("predict", "pyfai_grf_ewoks.tasks.PredictStructure"),
    ]
    handed = ("energy", "geometry", "detector", "detector_config", "mask", "integration_options")
    pattern = ("radial", "intensity", "intensity_error", "radial_units")
    links = [_make_link("config", "integrate", handed), _make_link("integrate", "predict", pattern)]
    workflow = {"graph": {"id": "routes", "schema_version": "1.2"}, "nodes": nodes, "links": links}
    path = tmp_path / "workflow.json"
    path.write_text(json.dumps(workflow))
    given = {
        "config": {"filename": str(scan.save_config(Setting())), "mask": str(scan.mask)},
        "integrate": {"image": scan.list_images()[0]},
        "predict": {"material": MATERIAL},
    }
    inputs = [{"id": i, "name": name, "value": value} for i, node in given.items() for name, value in node.items()]
    with peers.keep_quiet():
        # ppf can merge the outputs of the last tasks, and nothing else
        found = execute_graph(str(path), engine=engine, inputs=inputs, outputs=[{"all": False}], merge_outputs=True)
    assert found["is_applicable"], found["reason"]
    assert found["lower"]["a"] < scan.a < found["upper"]["a"]


def _make_node(name: str, task: str) -> dict[str, str]:
    return {"id": name, "task_type": "class", "task_identifier": task}


def _make_link(source: str, target: str, names: tuple[str, ...]) -> dict[str, Any]:
    mapping = [{"source_output": name, "target_input": name} for name in names]
    return {"source": source, "target": target, "data_mapping": mapping}
