"""What operators need: logs that keep secrets."""
