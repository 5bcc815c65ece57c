"""sqlml against what a data scientist would use instead; `python -m benchmarks --list` says what there is."""
