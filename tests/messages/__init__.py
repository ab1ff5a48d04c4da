"""Tests of the bot's messages."""

import pytest

pytest.register_assert_rewrite("tests.messages.checks")  # shows the values in failed checks
