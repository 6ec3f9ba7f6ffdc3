"""Whoever has many tasks: processes, GPUs, or the workers of a Dask cluster."""
