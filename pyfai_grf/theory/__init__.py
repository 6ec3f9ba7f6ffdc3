"""What is known exactly: spectral densities of the field, and the expected curve of an infinite sample."""
