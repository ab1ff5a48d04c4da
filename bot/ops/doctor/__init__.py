"""`share-env-bot doctor`: check everything that the bot needs, change nothing, and name each fix.

`run` makes the checks, which are in the files named for what they check; `setup` is what they share. `real` and the
files that begin with it are `doctor --real`.
"""
