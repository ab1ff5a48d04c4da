"""The use cases, from a command to its answer. Uses ports; knows neither Slack nor HTTP."""
