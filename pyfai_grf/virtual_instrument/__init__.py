"""A detector that does not exist: frames of a known curve, with beamstop, gaps, dead and hot pixels."""
