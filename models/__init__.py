"""Bundled models and structure library of pyfai-grf, as installed package data."""
