"""How large the networks are: published, told by a config.json, or by the shapes of weights."""
