# shellcheck shell=bash
# Programs of the project that run beside the servers (the landing, the web page): `run NAME COMMAND...` keeps one in the
# background with a pid file and a log, like a server. They are clients, so `down` stops them before any server. To the
# other verbs this is one more server, whose processes are whatever was run; only `up` leaves it out.
programs_needs=''
programs_stops_after=''

programs_processes() {
  local file
  for file in "$STACK_DIR"/programs/*; do [ ! -f "$file" ] || echo "${file##*/}"; done | tr '\n' ' '
  echo
}
programs_port() { echo -; }
programs_ready() { alive "$1" >/dev/null; }
# time to finish a batch or to hand a run back
programs_stop() { stop_process "$1" TERM 15 KILL; }

# replaced PID: was its executable rebuilt since it started?
replaced() { [[ $(readlink "/proc/$1/exe") == *' (deleted)' ]]; }

# run NAME COMMAND...: in the caller's directory and environment. Nothing happens if the same command of the same build
# runs already; an older one is stopped first.
verb_run() {
  local name=${1:-} pid file
  [ $# -ge 2 ] || fail "run needs a name and a command"
  [[ $name =~ ^[a-z][a-z0-9-]*$ ]] || fail "$name is not a name for a program" "small letters, digits and -"
  ! known_server "$name" >/dev/null || [ "$(known_server "$name")" = programs ] || fail "$name is a server's name"
  shift
  command -v "$1" >/dev/null || fail "$1 is not there to be run"
  take_lock
  use_stack create
  file=$STACK_DIR/programs/$name
  if pid=$(alive "$name"); then
    if ! replaced "$pid" && [ "$(printf '%q ' "$@")" = "$(<"$file")" ]; then
      say "$name" "was running"
      return
    fi
    say "$name" "stopping the one from before"
    programs_stop "$name"
  fi
  mkdir -p "${file%/*}"
  printf '%q ' "$@" >"$file"
  launch "$name" "$PWD" "$@"
  sleep 0.3
  alive "$name" >/dev/null || {
    tail -n 20 "$(log_file "$name")" >&2
    rm -f "$(pid_file "$name")"
    fail "$name ended at once" "its log: $(log_file "$name")"
  }
  say "$name" "running; its log: $(log_file "$name")"
}
