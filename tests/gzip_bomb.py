"""A small body that grows: 16 MB of zeros as 16 kB of gzip."""

import gzip

from bot.playground.faults import Status

GZIP_BOMB = Status(200, gzip.compress(bytes(16 << 20)), headers={"Content-Encoding": "gzip"})
