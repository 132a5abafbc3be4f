"""Programs that people run alongside Snakemake."""
