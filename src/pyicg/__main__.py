"""Run the command line as ``python -m pyicg``."""

from pyicg.cli import main

main()
