#!/bin/sh
# Run a command of the bot beside the unit, as the same user, with its settings and its ledger, and as confined, so that
# the doctor sees what the unit sees. Only root can, so whoever else types it is asked by sudo. README's command installs
# it as /usr/local/bin/share-env-bot.
settings=/etc/share-env-bot.env

fail() {
  echo "$1" >&2
  exit "$2"
}

if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || fail "Only root can run this, and there is no sudo. Become root, and type it again." 2
  exec sudo -- "$0" "$@"
fi
case "$1" in
'' | run) fail "The unit runs the bot: systemctl start share-env-bot" 2 ;;
esac
[ -f "$settings" ] || fail "There is no $settings. Copy .env.example there (install -m 600), and fill it in." 2
case "$(stat -Lc %A "$settings")" in
-???------) ;;
*) echo "Others may read $settings. Run chmod 600 $settings." >&2 ;;
esac
# systemd replaces $NAME by a setting, which may be a secret, and $$ by $.
for word; do
  doubled=
  while [ "$word" != "${word#*\$}" ]; do
    doubled=$doubled${word%%\$*}\$\$
    word=${word#*\$}
  done
  shift
  set -- "$@" "$doubled$word"
done
# A terminal for both, or none: systemd-run ends lines with \r\n on one, which no file and no other program wants.
[ -t 0 ] && [ -t 1 ] && how=--pty || how=--pipe
systemd-run "$how" --wait --collect --quiet \
  -p DynamicUser=yes \
  -p User=share-env-bot \
  -p StateDirectory=share-env-bot \
  -p StateDirectoryMode=0700 \
  -p WorkingDirectory=/var/lib/share-env-bot \
  -p EnvironmentFile="$settings" \
  -p UMask=0077 \
  -p CapabilityBoundingSet= \
  -p LockPersonality=yes \
  -p MemoryDenyWriteExecute=yes \
  -p NoNewPrivileges=yes \
  -p PrivateDevices=yes \
  -p PrivateTmp=yes \
  -p PrivateUsers=yes \
  -p ProtectClock=yes \
  -p ProtectControlGroups=yes \
  -p ProtectHome=yes \
  -p ProtectHostname=yes \
  -p ProtectKernelLogs=yes \
  -p ProtectKernelModules=yes \
  -p ProtectKernelTunables=yes \
  -p ProtectProc=invisible \
  -p ProtectSystem=strict \
  -p "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX" \
  -p RestrictNamespaces=yes \
  -p RestrictRealtime=yes \
  -p RestrictSUIDSGID=yes \
  -p SystemCallArchitectures=native \
  -p SystemCallErrorNumber=EPERM \
  -p SystemCallFilter=@system-service \
  -p "SystemCallFilter=~@privileged @resources" \
  /opt/share-env-bot/.venv/bin/share-env-bot "$@"
code=$?
# From 200 on they are systemd's own. 203: it may not execute the file, or the Python that it names; 255: a signal ended it.
[ "$code" -lt 200 ] || fail "systemd could not run it to its end (code $code). journalctl -n 9 says why." "$code"
exit "$code"
