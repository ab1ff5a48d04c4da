"""Parse what somebody typed after `/share-env`: a Command, or a Misread with a corrected line."""
