"""Structures and their scattering: field, phases, intensity, noise."""
