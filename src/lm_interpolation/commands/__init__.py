"""Programs that people call beside Snakemake."""
