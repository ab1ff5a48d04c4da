"""The stand-in Slack."""
