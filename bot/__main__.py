"""`python -m bot` is `share-env-bot`."""

import sys

from bot.cli import main

sys.exit(main())
