"""Mezzotint: latent diffusion in PyTorch, from the forward-process equation to a service."""

__version__ = "0.1.0"
