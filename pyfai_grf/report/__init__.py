"""Figures of results and of model errors."""
