"""Methods: what happens to displacements from a base before they are added, one module per stage."""
