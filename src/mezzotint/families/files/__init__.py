"""Models out of files, and files out of models."""
