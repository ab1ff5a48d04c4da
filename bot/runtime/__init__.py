"""What any program needs: clock, background tasks, scheduling, cache, observers, log context, and a bounded HTTP server."""
