"""The studio: every setting of the model at hand, and a gallery of what was drawn."""

from mezzotint.lab.studio.gallery import Gallery
from mezzotint.lab.studio.routes import routes

__all__ = ["Gallery", "routes"]
