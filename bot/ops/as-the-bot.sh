#!/bin/sh
# Run a command of the bot beside the unit, as the same user, with its settings and its ledger: only root can, so
# whoever else types it is asked by sudo. README's command installs it as /usr/local/bin/share-env-bot.
[ "$(id -u)" = 0 ] || exec sudo -- "$0" "$@"
case "$1" in
'' | run)
  echo "The unit runs the bot: systemctl start share-env-bot" >&2
  exit 2
  ;;
esac
[ -t 0 ] && how=--pty || how=--pipe
exec systemd-run "$how" --wait --collect --quiet \
  -p DynamicUser=yes \
  -p User=share-env-bot \
  -p StateDirectory=share-env-bot \
  -p StateDirectoryMode=0700 \
  -p WorkingDirectory=/var/lib/share-env-bot \
  -p EnvironmentFile=/etc/share-env-bot.env \
  /opt/share-env-bot/.venv/bin/share-env-bot "$@"
