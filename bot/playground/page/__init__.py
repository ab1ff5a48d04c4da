"""The playground as a page in the browser: a view on the local Slack, live by server-sent events."""
