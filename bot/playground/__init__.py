"""Loopback stand-ins of the real Slack and the real WeChat, for the demo and the tests."""
