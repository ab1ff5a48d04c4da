"""WeChat: the share call, its answers, and the tokens it needs."""
