"""What each contestant runs.

All but our own knows nothing of this package, and any interpreter that has its peer can run it.
"""
