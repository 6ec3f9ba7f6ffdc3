"""The published setting (Röding et al. 2022, doi:10.3389/fmats.2022.956839), stated here once for every room."""

from __future__ import annotations

import numpy as np

#: name of the spectral density of the field, (1 + (aq)^8)^-2 (Eq. 7)
PAPER_SPECTRUM = "roding2022"
#: edge of the box in voxels, and of a voxel in nm; simulated intensities are reported on the scale of this box
PAPER_SHAPE, PAPER_VOXEL_SIZE_NM = 512, 0.5
#: standard deviation of the smoothing: 2 voxels
PAPER_SMOOTHING_NM = 2 * PAPER_VOXEL_SIZE_NM
#: electron density of the layer relative to the solid (water on cellulose or carbon)
PAPER_LAYER_DENSITY = 0.65
#: the q grid: 500 points, in 1/nm (section 2.3)
PAPER_Q_NM1 = np.linspace(0.04, 3.0, 500)
#: noise levels: the variance of a curve is alpha I (section 2.3)
PAPER_LOG10_ALPHA = (2.0, 5.5)
#: test-set MSE and MAPE (%) of Röding et al. 2022, Table 2 (524,288 training structures)
PAPER_TABLE_2 = {
    "two-phase-low-porosity": {"a": (4.215e-3, 0.707), "porosity": (3.766e-4, 4.190)},
    "two-phase-high-porosity": {"a": (4.195e-3, 0.702), "porosity": (3.736e-4, 2.026)},
    "three-phase-low-porosity": {
        "a": (4.324e-3, 0.727),
        "porosity": (1.171e-4, 2.793),
        "layer_fraction": (1.317e-5, 1.280),
    },
    "three-phase-high-porosity": {
        "a": (3.199e-3, 0.617),
        "porosity": (2.606e-4, 1.583),
        "layer_fraction": (8.144e-5, 2.879),
    },
}
