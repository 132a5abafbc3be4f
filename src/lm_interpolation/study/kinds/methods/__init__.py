"""Methods, and the stages that they consist of, one module each."""
