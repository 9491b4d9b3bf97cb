"""Training data on disk: pictures with captions, and what the networks made of them."""
