"""Structures and their scattering: spectral density, structure, intensity, noise, closed form."""
