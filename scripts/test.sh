#!/usr/bin/env bash
# The tests, and beside them types, lint and format: fails where either does.
set -u

report=$(mktemp)
npm run -s check >"$report" 2>&1 &
check=$!
# Ctrl-C does not reach what bash started in the background.
trap 'kill "$check" 2>/dev/null; rm -f "$report"' EXIT

vitest run
tests=$?
wait "$check"
checked=$?
[ "$checked" = 0 ] || cat "$report"
exit $((tests | checked))
