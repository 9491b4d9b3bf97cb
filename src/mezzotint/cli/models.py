"""`mezzotint models`: what there is to draw with."""


def models() -> None:
    """List the models that need no download."""
