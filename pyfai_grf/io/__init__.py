"""Curves in, results out: readers, HDF5 results, NXcanSAS, tables."""
