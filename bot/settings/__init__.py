"""The settings. No other room reads the environment."""
