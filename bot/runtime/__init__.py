"""What any program needs: clock, tasks, cache, signals, log context, and a door for HTTP."""
