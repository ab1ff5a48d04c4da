"""What any program needs: clock, tasks, cache, topics, signals, log context, and a door for HTTP."""
