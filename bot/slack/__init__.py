"""Slack: listeners, the Web API, places for answers, people and groups, the connection."""
