"""Speed and memory of this package's engines, beside whatever peers are installed.

Every contestant draws the same picture with the same weights in a process of its own, in turn with
the others; nothing here is imported by what it measures.
"""
