"""Local stand-ins for Slack and WeChat on the loopback interface, for the demo and the tests."""
