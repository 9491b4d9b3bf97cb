"""``python -m mezzotint``: the command line, where its script is not on the path."""

from mezzotint.cli import main

main()
