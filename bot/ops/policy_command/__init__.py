"""`share-env-bot policy`: look at the policy alone, with nothing else set up, or ask it one question."""
