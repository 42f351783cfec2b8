"""`python -m kakehashi.cli`: the command line of the Python that runs, whatever the path holds."""

from . import main

main()
