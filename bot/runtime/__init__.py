"""What any program needs: clock, background tasks, scheduling, cache, observers, signals, log context, and a bounded HTTP server."""
