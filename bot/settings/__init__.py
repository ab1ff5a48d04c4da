"""The settings; nothing else reads the environment."""
