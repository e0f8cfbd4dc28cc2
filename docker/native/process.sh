# shellcheck shell=bash
# Processes: start, recognise, stop. A pid file holds "PID STARTTIME"; a process counts as ours only while both agree with
# /proc, so a pid that the kernel gave to somebody else is never signalled. A pid file stays until the process is stopped
# on purpose: with a dead process it means "should run, does not".
#
# Why not Debian's supervisor: it knows neither dependencies nor readiness, which is most of the work here, it must be
# installed as root, and a supervisor that restarts what a test has just killed would hide what the test looks for.

pid_file() { printf '%s/pids/%s' "$STACK_DIR" "$1"; }
log_file() { printf '%s/logs/%s.log' "$STACK_DIR" "$1"; }

# start_time PID: field 22 of stat; the second field may hold blanks and brackets, so count from the last bracket
start_time() {
  local stat
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  # shellcheck disable=SC2086 # split into fields on purpose
  set -- ${stat##*) }
  [ "$1" != Z ] || return 1 # ended, but its parent has not asked for the status yet
  echo "${20}"
}

# alive NAME: prints the pid of the running process
alive() {
  local pid started
  read -r pid started 2>/dev/null <"$(pid_file "$1")" || return 1
  [ "$(start_time "$pid")" = "$started" ] || return 1
  echo "$pid"
}

# launch NAME DIRECTORY COMMAND...: in a session of its own, output to its log; the run before is kept as .log.1
launch() {
  local name=$1 dir=$2 log pid
  shift 2
  log=$(log_file "$name")
  mkdir -p "$STACK_DIR/pids" "$STACK_DIR/logs"
  [ ! -f "$log" ] || mv -f "$log" "$log.1"
  # fd 9 is the stack's lock: a server that inherited it would hold the lock for as long as it lives
  (cd "$dir" && exec setsid "$@" >"$log" 2>&1 </dev/null 9>&-) &
  pid=$!
  echo "$pid $(start_time "$pid" || echo gone)" >"$(pid_file "$name")"
}

# refuse_taken_port NAME PORT: a clear word instead of a server's stack trace
refuse_taken_port() {
  port_open "$2" || return 0
  local owner
  owner=$(ss -Hltnp "sport = :$2" 2>/dev/null | grep -o 'users:.*' || true)
  fail "port $2, which $1 needs, is taken by another process${owner:+ $owner}" \
    "stop it, or choose other ports with RIDEHAIL_PORT_BASE or STACK=name"
}

# quick_get URL...: for questions that NAME_ready asks
quick_get() { curl -fsS -m 3 "$@" 2>/dev/null; }

# wait_ready SERVER NAME: until SERVER_ready says yes, the process ends, or time is up
wait_ready() {
  local server=$1 name=$2 deadline=$((SECONDS + RIDEHAIL_READY_TIMEOUT))
  until "${server}_ready" "$name"; do
    alive "$name" >/dev/null || {
      tail -n 20 "$(log_file "$name")" >&2
      fail "$name ended while starting" "its log: $(log_file "$name")"
    }
    [ "$SECONDS" -lt "$deadline" ] ||
      fail "$name was not ready within $RIDEHAIL_READY_TIMEOUT s" "its log: $(log_file "$name"); RIDEHAIL_READY_TIMEOUT waits longer"
    sleep 0.2
  done
}

# stop_process NAME SIGNAL GRACE HARDER: SIGNAL, up to GRACE seconds, then HARDER
stop_process() {
  local name=$1 signal=$2 grace=$3 harder=$4 pid i
  if pid=$(alive "$name"); then
    kill -"$signal" "$pid" 2>/dev/null || true
    for ((i = 0; i < grace * 20; i++)); do
      alive "$name" >/dev/null || break
      sleep 0.05
    done
    if pid=$(alive "$name"); then
      say "$name" "still there after $grace s: $harder"
      kill -"$harder" "$pid" 2>/dev/null || true
      for ((i = 0; i < 100; i++)); do
        alive "$name" >/dev/null || break
        sleep 0.05
      done
      if pid=$(alive "$name"); then kill -KILL "$pid" 2>/dev/null || true; fi
    fi
  fi
  rm -f "$(pid_file "$name")"
}

# wait_gone PID: until the kernel has forgotten it. A killed process stays as a zombie until init asks for its status (some
# seconds in a few containers), and meanwhile whoever finds its pid in a lock file takes it for running.
wait_gone() {
  local i
  for ((i = 0; i < 500; i++)); do
    [ -e "/proc/$1" ] || return 0
    sleep 0.02
  done
}

# memory_mb PID: proportional set size of the process and its children, so that shared pages count once
memory_mb() {
  local pids kb=0 part p
  pids="$1 $(cat "/proc/$1/task/$1/children" 2>/dev/null)"
  for p in $pids; do
    part=$(awk '/^Pss:/ { print $2 }' "/proc/$p/smaps_rollup" 2>/dev/null) || part=
    [ -n "$part" ] || part=$(awk '/^VmRSS:/ { print $2 }' "/proc/$p/status" 2>/dev/null) || part=0
    kb=$((kb + ${part:-0}))
  done
  echo $((kb / 1024))
}

# uptime_of NAME: as 1d02h, 3h04m, 5m06s or 7s
uptime_of() {
  local started up s
  read -r _ started <"$(pid_file "$1")"
  read -r up _ </proc/uptime
  s=$((${up%.*} - started / $(getconf CLK_TCK)))
  if [ $s -ge 86400 ]; then
    printf '%dd%02dh' $((s / 86400)) $((s % 86400 / 3600))
  elif [ $s -ge 3600 ]; then
    printf '%dh%02dm' $((s / 3600)) $((s % 3600 / 60))
  elif [ $s -ge 60 ]; then
    printf '%dm%02ds' $((s / 60)) $((s % 60))
  else printf '%ds' "$s"; fi
}
