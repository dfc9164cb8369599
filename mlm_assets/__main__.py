"""`python -m mlm_assets` is the command line `mlm`."""

from mlm_assets.cli import main

main()
