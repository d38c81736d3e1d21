#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Walks downhill on Rosenbrock's function from (-1, 1) with momentum, in awk.
# Any program can be swept: this one reads flags and says its values with `besom log`.
#
#   minimise.sh [--rate=R] [--momentum=M] [--steps=N]
set -eu

rate=0.001 momentum=0.5 steps=200
for argument in "$@"; do
    case "$argument" in
    --rate=*) rate=${argument#*=} ;;
    --momentum=*) momentum=${argument#*=} ;;
    --steps=*) steps=${argument#*=} ;;
    *)
        echo "minimise.sh: unknown argument '$argument'" >&2
        exit 2
        ;;
    esac
done

awk -v rate="$rate" -v momentum="$momentum" -v steps="$steps" 'BEGIN {
    x = -1; y = 1
    for (step = 1; step <= steps; step++) {
        dx = momentum * dx - rate * (-2 * (1 - x) - 400 * x * (y - x * x))
        dy = momentum * dy - rate * 200 * (y - x * x)
        x += dx; y += dy
        value = (1 - x) ^ 2 + 100 * (y - x * x) ^ 2
        if (value != value || value > 1e9) { print step, 1e9; exit }
        if (step % 20 == 0) print step, value
    }
}' | while read -r step value; do
    echo "step $step: value $value"
    [ -z "${BESOM_RUN_SOCKET:-}" ] || besom log "value=$value" --step "$step"
done
