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

# chosen SERVER NAME...: those of SERVER's processes that the names mean, one a line
chosen() {
  local server=$1 name
  shift
  for name in "$@"; do [ "$(server_of "$name")" != "$server" ] || expand "$name"; done
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
  ! declare -F "${server}_settle" >/dev/null || "${server}_settle"
  if [ ${#missing[@]} -gt 0 ]; then say "$server" "ready"; else say "$server" "was running"; fi
}

# leave_out NAME...: drops from UP_SERVERS what is absent, saying why; fails if nothing else was asked for by these names
leave_out() {
  local server why kept=() asked=" $* "
  for server in "${UP_SERVERS[@]}"; do
    if why=$(absent "$server"); then
      [ "$asked" != " $server " ] || fail "$server is $(tr _ ' ' <<<"${why%% *}") here" "${why#* }"
      say "$server" "${why#* }"
    else
      kept+=("$server")
    fi
  done
  UP_SERVERS=("${kept[@]}")
}

# install: what `up` would fetch, without starting anything
verb_install() {
  local server pids=()
  UP_SERVERS=("${SERVERS[@]}")
  leave_out
  for server in "${UP_SERVERS[@]}"; do
    (
      "${server}_packages"
      "${server}_install"
    ) &
    pids+=($!)
  done
  for server in "${pids[@]}"; do wait "$server" || fail "not everything could be installed"; done
}

# up [NAME...]: everything, or the named servers with their needs; a process's name starts that process alone
verb_up() {
  local name server servers=() names=() pids=() failed='' asked="$*"
  take_lock
  use_stack create
  [ $# -gt 0 ] || set -- "${SERVERS[@]}"
  for name in "$@"; do servers+=("$(server_of "$name")"); done
  [[ " ${servers[*]} " != *" programs "* ]] || fail "up starts servers" "a program is started by: docker/stack run NAME COMMAND..."
  mapfile -t UP_SERVERS < <(with_needs "${servers[@]}")
  # shellcheck disable=SC2086 # split into names on purpose
  leave_out $asked
  need_packages flock:util-linux setsid:util-linux ss:iproute2

  UP_MARKS=$(mktemp -d)
  for server in "${UP_SERVERS[@]}"; do
    mapfile -t names < <(chosen "$server" "$@")
    [ ${#names[@]} -gt 0 ] || mapfile -t names < <(chosen "$server" "$server") # only needed by a named one
    (
      trap '[ -e "$UP_MARKS/$server.ready" ] || touch "$UP_MARKS/$server.failed"' EXIT
      "${server}_packages"
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

# down [NAME...]: everything that was started, or what is named; clients before what they use, otherwise side by side
verb_down() {
  local name server servers=() names before pids=()
  use_stack
  [ -n "$PORT_BASE" ] || {
    say stack "stack $STACK was never up"
    return 0
  }
  take_lock
  [ $# -gt 0 ] || set -- "${EVERYTHING[@]}"
  for name in "$@"; do servers+=("$(server_of "$name")"); done
  DOWN_MARKS=$(mktemp -d)
  for server in "${EVERYTHING[@]}"; do
    [[ " ${servers[*]} " == *" $server "* ]] || continue
    mapfile -t names < <(chosen "$server" "$@")
    (
      for before in programs $(stops_after "$server"); do
        if [ "$before" = "$server" ] || [[ " ${servers[*]} " != *" $before "* ]]; then continue; fi
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
  local server process pid state why bad='' total=0 mb format='%-20s %-13s %6s %8s %7s %8s\n'
  use_stack
  if [ -z "$PORT_BASE" ] || ! compgen -G "$STACK_DIR/pids/*" >/dev/null; then
    echo "stack $STACK is not up (make up)"
    return 1
  fi
  # shellcheck disable=SC2059 # the format is above
  row() { printf "$format" "$@"; }
  row SERVER STATE PORT PID MB UPTIME
  for server in "${EVERYTHING[@]}"; do
    if why=$(absent "$server"); then
      row "$server" "$(tr _ ' ' <<<"${why%% *}")" - - - -
      continue
    fi
    any_pid_file "$server" || continue
    for process in $(processes_of "$server"); do
      if ! has_pid_file "$process"; then
        row "$process" stopped "$("${server}_port" "$process")" - - -
      elif pid=$(alive "$process"); then
        state=ready
        "${server}_ready" "$process" || state=waiting bad=1
        mb=$(memory_mb "$pid")
        total=$((total + mb))
        row "$process" $state "$("${server}_port" "$process")" "$pid" "$mb" "$(uptime_of "$process")"
      else
        bad=1
        row "$process" died "$("${server}_port" "$process")" - - -
      fi
    done
  done
  row total '' '' '' $total ''
  [ -z "$bad" ]
}

# kill NAME: SIGKILL, and the pid file stays, so that status says `died`
verb_kill() {
  local process pid
  use_stack
  [ $# -gt 0 ] || fail "kill needs a server or process"
  for process in $(expand "$@"); do
    pid=$(alive "$process") || fail "$process does not run"
    kill -KILL "$pid"
    wait_gone "$pid"
  done
}

verb_restart() {
  local name
  [ $# -gt 0 ] || fail "restart needs a server or process"
  for name in "$@"; do
    [ "$(server_of "$name")" != programs ] || fail "$name is a program" "down $name, then run it again"
  done
  (verb_down "$@")
  verb_up "$@"
}

verb_logs() {
  use_stack
  local process files=()
  [ $# -gt 0 ] || set -- "${EVERYTHING[@]}"
  for process in $(expand "$@"); do
    [ ! -f "$(log_file "$process")" ] || files+=("$(log_file "$process")")
  done
  [ ${#files[@]} -gt 0 ] || fail "no logs: stack $STACK was never up"
  tail -n "${LINES_BACK:-20}" ${FOLLOW:+-F} "${files[@]}"
}

verb_dir() { echo "$STACK_DIR"; }

# env [--docker]: for the native stack, or for the containers, whose ports are a prefix and two digits
verb_env() {
  if [ "${1:-}" = --docker ]; then
    PORT_BASE=${RIDEHAIL_PORT_PREFIX:-150}00
    S3_EXTERNAL='' CONTAINERS=1 STACK_DIR=/nonexistent RIDEHAIL_KAFKA_SIZE='' print_env
    # inside a container 127.0.0.1 is the container itself
    echo 'export RIDEHAIL_DRUID_BROKERS=kafka-1:19092,kafka-2:19092,kafka-3:19092'
    return
  fi
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
