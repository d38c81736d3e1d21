#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the booted system: does what docs/systemd.md says and writes "name=value" lines for the test to judge.
exec >/opt/check/report 2>/opt/check/report.err
set -x
say() { echo "$1=$2"; }
await() { # SECONDS COMMAND...
    tries=$(($1 * 5))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.2
    done
}
main_pid() { systemctl show -P MainPID "$1"; }
restarted() { [ "$(systemctl show -P NRestarts "$1")" -ge 1 ] && systemctl is-active -q "$1"; }

ip link set lo up 2>/dev/null
await 60 runuser -u postgres -- psql -qc 'SELECT 1'
runuser -u postgres -- createuser besom
runuser -u postgres -- createdb -O besom besom
systemctl start besom.target
export BESOM_ADDRESS=localhost:7070 BESOM_CA_FILE=/etc/besom/tls/tls.crt
BESOM_TOKEN=$(cat /etc/besom/admin-token)
export BESOM_TOKEN
await 60 besom ls
for unit in controller suggestion scheduler; do
    say "active_$unit" "$(systemctl is-active besom-$unit)"
    say "user_$unit" "$(stat -c %U "/proc/$(main_pid besom-$unit)")"
done
say "socket" "$(BESOM_ADDRESS=unix:/run/besom/controller/socket besom ls >/dev/null && echo served)"

for unit in controller suggestion scheduler; do
    kill -9 "$(main_pid besom-$unit)"
    await 30 restarted besom-$unit
    say "restarts_$unit" "$(systemctl show -P NRestarts besom-$unit)"
done
await 30 besom ls

sweep=$(besom sweep --json /opt/check/sweep.yaml | sed -n 's/.*"sweep_id": *"\([0-9a-z]*\)".*/\1/p')
printf 'BESOM_ADDRESS=localhost:7070\nBESOM_CA_FILE=/etc/besom/tls/tls.crt\nBESOM_TOKEN=%s\nBESOM_AGENT_OPTIONS=--slots 2\n' \
    "$BESOM_TOKEN" >/etc/besom/agent.env
systemctl start "besom-agent@$sweep"
await 30 sh -c "besom runs $sweep --json | grep -q running"
kill -9 "$(main_pid "besom-agent@$sweep")"
await 30 restarted "besom-agent@$sweep"
say "agent_restarts" "$(systemctl show -P NRestarts "besom-agent@$sweep")"
await 120 sh -c "! systemctl is-active -q besom-agent@$sweep"
besom runs "$sweep" --json >/opt/check/runs.json
say "agent_left" "$(systemctl show -P Result "besom-agent@$sweep")"
say "failed_units" "$(systemctl --failed --no-legend --plain | awk '{ print $1 }' | grep besom | tr '\n' ' ')"
journalctl -b -u 'besom-*' --no-pager >/opt/check/journal
apt-get -y -q purge besom-server >/dev/null
say "after_purge" "$(find /etc/besom -mindepth 1 -printf '%P ')"
say "done" yes
systemctl poweroff
