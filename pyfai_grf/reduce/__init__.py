"""Detector frames to curves; the only room that imports pyFAI."""
