"""Who does many tasks: processes of this machine, GPUs, or the workers of a Dask cluster."""
