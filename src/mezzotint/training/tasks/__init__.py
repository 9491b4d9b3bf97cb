"""What each network is trained for: one file a task."""
