"""Pictures that are changed: how far, where, and to what size."""
