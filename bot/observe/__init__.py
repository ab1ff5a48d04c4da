"""What watches the bot: its log, its metrics, its health, and text that is safe to print."""
