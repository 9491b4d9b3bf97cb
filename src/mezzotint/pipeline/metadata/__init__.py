"""How a picture was made, as text that it carries: ours, and what two other tools write."""

from mezzotint.pipeline.metadata.parameters import Reading, parse
from mezzotint.pipeline.metadata.picture import attach, png, read, reading
from mezzotint.pipeline.metadata.recipe import Recipe, render

__all__ = ["Reading", "Recipe", "attach", "parse", "png", "read", "reading", "render"]
