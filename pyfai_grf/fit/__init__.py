"""Least squares with the exact physics: the parameters behind a curve on its own points, whatever their q grid."""
