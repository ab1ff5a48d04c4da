"""The tests of what the bot says."""

import pytest

pytest.register_assert_rewrite("tests.messages.checks")  # a check that fails shows what it saw
