"""The stand-in WeChat."""
