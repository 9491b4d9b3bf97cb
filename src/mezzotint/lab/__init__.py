"""The lab: pages that show why it works, on a live model."""
