"""Slack: commands in, threads out, people and groups, the connection."""
