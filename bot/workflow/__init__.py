"""The use cases, from what somebody asks for to the answer. Knows ports, not Slack and not HTTP."""
