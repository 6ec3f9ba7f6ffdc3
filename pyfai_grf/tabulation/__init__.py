"""The recipe of the three-phase table: uniform films simulated on Gaussian-field solids, pooled and fitted."""
