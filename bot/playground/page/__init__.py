"""The playground in the browser: a live view of the local Slack, by server-sent events."""
