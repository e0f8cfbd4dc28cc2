# shellcheck shell=bash
# What the scripts print: progress with elapsed seconds to stderr, so that stdout stays data (env, status).

SAY_START=${EPOCHREALTIME/[.,]/}

# say WHO MESSAGE...: one progress line
say() {
  local who=$1 ms=$(((${EPOCHREALTIME/[.,]/} - SAY_START) / 1000))
  shift
  printf '[%3d.%ds] %-10s %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$who" "$*" >&2
}

# fail MESSAGE [HINT]: ends the script (or the subshell that carries one server)
fail() {
  printf 'error: %s\n' "$1" >&2
  [ -z "${2:-}" ] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

# heartbeat WHO MESSAGE COMMAND...: runs the command with its output in a log; a line each 10 s, the log's end on failure
heartbeat() {
  local who=$1 what=$2 log
  shift 2
  log=$(mktemp)
  say "$who" "$what"
  "$@" >"$log" 2>&1 &
  local pid=$! ticks=0
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    ticks=$((ticks + 1))
    [ $((ticks % 50)) != 0 ] || say "$who" "$what, $((ticks / 5)) s"
  done
  if wait "$pid"; then
    rm -f "$log"
    say "$who" "$what: done"
  else
    tail -n 30 "$log" >&2
    rm -f "$log"
    return 1
  fi
}
