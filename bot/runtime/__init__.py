"""What any program needs: clock, background tasks, cache, topics, signals, log context, and a bounded HTTP server."""
