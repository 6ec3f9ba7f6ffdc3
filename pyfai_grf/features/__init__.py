"""Curves to features: resampling onto the model grid, Porod normalisation, the specification."""
