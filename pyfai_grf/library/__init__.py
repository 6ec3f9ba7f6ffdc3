"""The structure library: its sampling design, its files, and how it is generated."""
