# shellcheck shell=bash
# The list of servers, in start order. Adding one: a folder docker/NAME with its configuration and a server.sh, and its
# name here. server.sh defines (all run with the stack's settings loaded, PORT_BASE set, under the stack's lock):
#
#   NAME_needs                 variable: servers that must be ready before this one starts
#   NAME_stops_after           variable: servers that must be down before this one stops (those that write to it)
#   NAME_processes             prints its processes: one line a group, groups start together and stop from the last to the first
#   NAME_port PROCESS          prints the port that PROCESS listens on
#   NAME_absent                (if defined) status 0 when it can't or needn't be here: prints a word for status, then why; it is
#                              then left out, and what needs it starts without
#   NAME_packages              has apt install what is missing (need_packages), beside the other servers
#   NAME_install               fetches or builds the rest, beside the other servers; quick and silent when nothing is missing
#   NAME_prepare PROCESS...    writes configuration, makes data directories; these processes are about to start
#   NAME_start PROCESS         calls `launch`
#   NAME_ready PROCESS         asks the process itself, without waiting; status 0 when it serves
#   NAME_settle                (if defined) runs once all are ready, at each `up`; must be quick and safe to repeat
#   NAME_stop PROCESS          calls `stop_process` with signal, grace in seconds, and the harder signal
# MinIO stands first since it is compiled, which takes longest.
SERVERS=(minio postgres zookeeper kafka druid trino)

for server in "${SERVERS[@]}"; do
  # shellcheck source=/dev/null
  . "$DOCKER_DIR/$server/server.sh"
done

# variable SERVER_NAME by name: needs_of druid -> "postgres zookeeper"
needs_of() {
  local name=${1}_needs
  echo "${!name}"
}
stops_after() {
  local name=${1}_stops_after
  echo "${!name}"
}

# absent SERVER: status 0, and the word and the reason, if it is left out here
absent() { declare -F "${1}_absent" >/dev/null && "${1}_absent"; }

# All that has processes: the servers, and the programs that were run beside them.
EVERYTHING=("${SERVERS[@]}" programs)

# flat list of a server's processes
processes_of() { "$1_processes" | tr '\n' ' '; }

# known_server NAME: prints the server that NAME is, or is a process of; fails when it is neither
known_server() {
  local server
  for server in "${EVERYTHING[@]}"; do
    if [ "$server" = "$1" ] || [[ " $(processes_of "$server") " == *" $1 "* ]]; then
      echo "$server"
      return
    fi
  done
  return 1
}
server_of() {
  known_server "$1" || fail "no server or process is called $1" \
    "servers: ${SERVERS[*]}; processes: $(for server in "${EVERYTHING[@]}"; do processes_of "$server"; done)"
}

# expand NAME...: the processes that the names mean, one a line; a process that is called like its server is itself
expand() {
  local name server
  for name in "$@"; do
    server=$(server_of "$name")
    if [ "$server" = "$name" ]; then processes_of "$server" | tr ' ' '\n'; else echo "$name"; fi
  done | awk 'NF && !seen[$0]++'
}
