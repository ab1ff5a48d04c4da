"""Share WeChat cloud environments between mini programs, from Slack."""

__version__ = "0.1.0"
