"""The spectra that are shipped, at parameters over their whole range."""

from __future__ import annotations

import pytest

SHIPPED = [
    "roding2022",
    "power:n=4",
    "power:n=6",
    "power:n=12",
    "power:n=24",
    "matern:nu=1.25",
    "matern:nu=1.5",
    "matern:nu=2",
    "matern:nu=2.5",
    "matern:nu=20",
    "shell:width=0.05",
    "shell:width=0.2",
    "shell:width=0.5",
]


@pytest.fixture(params=SHIPPED)
def text(request: pytest.FixtureRequest) -> str:
    """The text of every shipped spectrum in turn."""
    return str(request.param)
