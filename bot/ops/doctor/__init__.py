"""`share-env-bot doctor`: look at all that the bot needs, change nothing, name each fix."""
