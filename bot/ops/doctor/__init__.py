"""`share-env-bot doctor`: check everything that the bot needs, change nothing, and name each fix."""
