"""What published files call the tensors of each network: diffusers, and the original releases."""
