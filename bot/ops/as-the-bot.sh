#!/bin/sh
# Run a command of the bot beside the unit, as the same user, with its settings and its ledger. Only root can.
# sudo sh /opt/share-env-bot/bot/ops/as-the-bot.sh doctor
exec systemd-run --pipe --wait --collect --quiet \
  -p DynamicUser=yes \
  -p User=share-env-bot \
  -p StateDirectory=share-env-bot \
  -p StateDirectoryMode=0700 \
  -p WorkingDirectory=/var/lib/share-env-bot \
  -p EnvironmentFile=/etc/share-env-bot.env \
  /opt/share-env-bot/.venv/bin/share-env-bot "$@"
