"""Points: their algebra, merging to disk, moving in memory, ensembles."""
