"""Plain values that every room knows: a request, its outcome, a click. Pure."""
