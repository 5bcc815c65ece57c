"""Flax modules, one family a file, and nothing else."""
