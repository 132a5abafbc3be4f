"""Members of ensembles that are no models, one module for each kind."""
