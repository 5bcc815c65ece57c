"""`python -m sqlml`: the command line, where its script is not on the path."""

from sqlml.cli import main

main()
