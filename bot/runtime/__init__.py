"""What any program needs: clock, background tasks, cache, observers, log context, bounded bodies, and the HTTP listener."""
