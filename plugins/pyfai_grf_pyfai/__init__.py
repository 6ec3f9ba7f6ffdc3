"""Hooks for pyFAI's own integration: see ``pyfai_grf_pyfai.observer``."""
