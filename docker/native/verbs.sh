# shellcheck shell=bash
# The verbs of docker/stack.

# take_lock: two `up`s or an `up` and a `down` of one stack wait for each other
take_lock() {
  mkdir -p "$STACK_DIR"
  exec 9>"$STACK_DIR/lock"
  flock -n 9 || {
    say stack "another command works on stack $STACK: waiting"
    flock 9
  }
}

# with_needs SERVER...: the servers and, before them, what they need, in start order
with_needs() {
  local wanted=" $* " round server need
  for round in "${SERVERS[@]}"; do # as many rounds as the longest chain of needs could have links
    : "$round"
    for server in "${SERVERS[@]}"; do
      [[ $wanted == *" $server "* ]] || continue
      for need in $(needs_of "$server"); do [[ $wanted == *" $need "* ]] || wanted+="$need "; done
    done
  done
  for server in "${SERVERS[@]}"; do [[ $wanted != *" $server "* ]] || echo "$server"; done
}

# chosen SERVER NAME...: the processes of SERVER that the names mean; one a line
chosen() {
  local server=$1 name
  shift
  for name in "$@"; do [ "$(server_of "$name")" != "$server" ] || expand "$name" | tr ' ' '\n'; done | awk 'NF && !seen[$0]++'
}

# bring_up SERVER PROCESS...: runs in a subshell of its own, beside the other servers
bring_up() {
  local server=$1 process need missing=()
  shift
  for need in $(needs_of "$server"); do
    [[ " ${UP_SERVERS[*]} " == *" $need "* ]] || continue
    until [ -e "$UP_MARKS/$need.ready" ]; do
      [ ! -e "$UP_MARKS/$need.failed" ] || fail "$server was not started: $need failed"
      sleep 0.1
    done
  done
  for process in "$@"; do alive "$process" >/dev/null || missing+=("$process"); done
  if [ ${#missing[@]} -gt 0 ]; then
    for process in "${missing[@]}"; do refuse_taken_port "$process" "$("${server}_port" "$process")"; done
    "${server}_prepare" "${missing[@]}"
    say "$server" "starting ${missing[*]}"
    for process in "${missing[@]}"; do "${server}_start" "$process"; done
  fi
  for process in "$@"; do wait_ready "$server" "$process"; done
  "${server}_settle"
  if [ ${#missing[@]} -gt 0 ]; then say "$server" "ready"; else say "$server" "was running"; fi
}

# up [NAME...]: everything, or the named servers with their needs; a process's name starts that process alone
verb_up() {
  local name server servers=() names=() pids=() failed=
  take_lock
  use_stack create
  [ $# -gt 0 ] || set -- "${SERVERS[@]}"
  for name in "$@"; do servers+=("$(server_of "$name")"); done
  mapfile -t UP_SERVERS < <(with_needs "${servers[@]}")
  need_packages flock:util-linux setsid:util-linux ss:iproute2

  for server in "${UP_SERVERS[@]}"; do "${server}_packages"; done
  UP_MARKS=$(mktemp -d)
  for server in "${UP_SERVERS[@]}"; do
    mapfile -t names < <(chosen "$server" "$@")
    [ ${#names[@]} -gt 0 ] || mapfile -t names < <(chosen "$server" "$server") # only needed by a named one
    (
      trap '[ -e "$UP_MARKS/$server.ready" ] || touch "$UP_MARKS/$server.failed"' EXIT
      "${server}_install"
      bring_up "$server" "${names[@]}"
      touch "$UP_MARKS/$server.ready"
    ) &
    pids+=($!)
  done
  for name in "${pids[@]}"; do wait "$name" || failed=1; done
  rm -rf "$UP_MARKS"
  [ -z "$failed" ] || fail "not everything came up" "docker/stack status, docker/stack logs NAME"
  print_env >"$STACK_DIR/env"
  say stack "stack $STACK is up; its variables: $STACK_DIR/env"
}

# those that have a pid file (running, or died)
has_pid_file() { [ -f "$(pid_file "$1")" ]; }
any_pid_file() { # SERVER
  local process
  for process in $(processes_of "$1"); do ! has_pid_file "$process" || return 0; done
  return 1
}

# stop_server SERVER PROCESS...: groups from the last to the first, the processes of a group side by side
stop_server() {
  local server=$1 group process wanted pids
  shift
  wanted=" $* "
  while read -r group; do
    pids=()
    for process in $group; do
      if [[ $wanted != *" $process "* ]] || ! has_pid_file "$process"; then continue; fi
      "${server}_stop" "$process" &
      pids+=($!)
    done
    [ ${#pids[@]} = 0 ] || wait "${pids[@]}"
  done < <("${server}_processes" | tac)
}

# down [NAME...]
verb_down() {
  local name server servers=() names before pids=()
  use_stack
  [ -n "$PORT_BASE" ] || { say stack "stack $STACK was never up"; return 0; }
  take_lock
  [ $# -gt 0 ] || set -- "${SERVERS[@]}"
  for name in "$@"; do servers+=("$(server_of "$name")"); done
  DOWN_MARKS=$(mktemp -d)
  for server in "${SERVERS[@]}"; do
    [[ " ${servers[*]} " == *" $server "* ]] || continue
    mapfile -t names < <(chosen "$server" "$@")
    (
      for before in $(stops_after "$server"); do
        [[ " ${servers[*]} " == *" $before "* ]] || continue
        until [ -e "$DOWN_MARKS/$before" ]; do sleep 0.05; done
      done
      if any_pid_file "$server"; then
        stop_server "$server" "${names[@]}" || true
        say "$server" "down"
      fi
      touch "$DOWN_MARKS/$server"
    ) &
    pids+=($!)
  done
  wait "${pids[@]}"
  rm -rf "$DOWN_MARKS"
}

# status: a table; exit 1 unless every process that was started runs and answers
verb_status() {
  local server process pid state bad='' total=0 mb files
  use_stack
  files=("$STACK_DIR"/pids/*)
  if [ -z "$PORT_BASE" ] || [ ! -e "${files[0]}" ]; then
    echo "stack $STACK is not up (make up)"
    return 1
  fi
  printf '%-20s %-9s %6s %8s %7s %8s\n' SERVER STATE PORT PID MB UPTIME
  for server in "${SERVERS[@]}"; do
    any_pid_file "$server" || continue
    for process in $(processes_of "$server"); do
      if ! has_pid_file "$process"; then
        printf '%-20s %-9s %6s %8s %7s %8s\n' "$process" stopped "$("${server}_port" "$process")" - - -
      elif pid=$(alive "$process"); then
        state=ready
        "${server}_ready" "$process" || { state=waiting bad=1; }
        mb=$(memory_mb "$pid")
        total=$((total + mb))
        printf '%-20s %-9s %6s %8s %7s %8s\n' "$process" "$state" "$("${server}_port" "$process")" "$pid" "$mb" "$(uptime_of "$process")"
      else
        bad=1
        printf '%-20s %-9s %6s %8s %7s %8s\n' "$process" died "$("${server}_port" "$process")" - - -
      fi
    done
  done
  printf '%-20s %-9s %6s %8s %7s\n' total '' '' '' "$total"
  [ -z "$bad" ]
}

# expand_all NAME...
expand_all() {
  local name
  for name in "$@"; do expand "$name"; done
}

# kill NAME: SIGKILL, and the pid file stays, so that status says `died`
verb_kill() {
  local process pid
  use_stack
  [ $# -gt 0 ] || fail "kill needs a server or process"
  for process in $(expand_all "$@"); do
    pid=$(alive "$process") || fail "$process does not run"
    kill -KILL "$pid"
    while alive "$process" >/dev/null; do sleep 0.02; done
  done
}

verb_restart() {
  [ $# -gt 0 ] || fail "restart needs a server or process"
  (verb_down "$@")
  verb_up "$@"
}

verb_logs() {
  use_stack
  local process files=()
  [ $# -gt 0 ] || set -- "${SERVERS[@]}"
  for process in $(expand_all "$@"); do
    [ ! -f "$(log_file "$process")" ] || files+=("$(log_file "$process")")
  done
  [ ${#files[@]} -gt 0 ] || fail "no logs: stack $STACK was never up"
  tail -n "${LINES_BACK:-20}" ${FOLLOW:+-F} "${files[@]}"
}

verb_env() {
  use_stack
  [ -n "$PORT_BASE" ] || fail "stack $STACK was never up" "STACK=$STACK docker/stack up"
  print_env
}

# clean: down, then forget data, logs and ports; the download cache stays
verb_clean() {
  verb_down
  [ ! -d "$STACK_DIR" ] || rm -rf "$STACK_DIR"
  forget_stack
  say stack "stack $STACK is forgotten"
}
