"""The structure library: sampling design, on-disk shards, generation."""
