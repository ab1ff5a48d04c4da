"""Share WeChat cloud environments between mini programs, from Slack."""

__version__ = "0.3.0"
