"""How the three-phase table is made: uniform films simulated on Gaussian-field solids, pooled and fitted."""
