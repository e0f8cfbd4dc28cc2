# shellcheck shell=bash
# Where everything lies and which ports belong to this stack. Sourced once by docker/stack; sets
# STACK, STACK_DIR, RIDEHAIL_STATE, RIDEHAIL_CACHE, and (by use_stack) PORT_BASE.

# shellcheck source=docker/versions.env
. "$DOCKER_DIR/versions.env"

HOST=127.0.0.1 # every server listens here and nowhere else

: "${STACK:=default}"
[[ $STACK =~ ^[a-z][a-z0-9_-]{0,30}$ ]] ||
  fail "STACK=$STACK is not a name" "a small letter, then small letters, digits, - or _ (31 at most)"

# Jars and tools: shared by all stacks, never holds data, may be deleted while nothing runs.
: "${RIDEHAIL_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/ridehail}"

# Data, logs, pids. As root it can't lie in root's home: Postgres refuses to run as root, and user postgres must get in.
if [ -z "${RIDEHAIL_STATE:-}" ]; then
  if [ "$EUID" = 0 ]; then RIDEHAIL_STATE=/var/lib/ridehail; else RIDEHAIL_STATE=${XDG_STATE_HOME:-$HOME/.local/state}/ridehail; fi
fi
STACK_DIR=$RIDEHAIL_STATE/$STACK

: "${RIDEHAIL_PORT_BASE:=15000}"
: "${RIDEHAIL_PG_PASSWORD:=ridehail}"
: "${RIDEHAIL_PG_ADMIN_PASSWORD:=postgres}"
: "${RIDEHAIL_DRUID_PG_PASSWORD:=druid}"
export RIDEHAIL_PG_PASSWORD RIDEHAIL_DRUID_PG_PASSWORD
for password in "$RIDEHAIL_PG_PASSWORD" "$RIDEHAIL_PG_ADMIN_PASSWORD" "$RIDEHAIL_DRUID_PG_PASSWORD"; do
  # they stand in URLs and properties files as they are
  [[ $password =~ ^[A-Za-z0-9._~-]+$ ]] || fail "a password has a character outside A-Z a-z 0-9 . _ ~ -"
done
: "${RIDEHAIL_READY_TIMEOUT:=180}" # seconds that one server may take from start to ready

STACK_BLOCK=100      # ports of one stack: the offsets in docker/README.md are below this
STACK_BLOCKS_MAX=160 # 15000 + 160 x 100 stays below Linux' ephemeral ports (32768)

# The registry: lines "NAME OFFSET". A stack keeps its offset until `clean`, so its ports are the same at each start.
registry() { printf '%s/stacks' "$RIDEHAIL_STATE"; }

# use_stack [create]: sets PORT_BASE from the registry; `create` claims the first free block for a new name.
use_stack() {
  local offset=
  PORT_BASE=
  if [ -f "$(registry)" ]; then offset=$(awk -v n="$STACK" '$1 == n { print $2 }' "$(registry)"); fi
  if [ -z "$offset" ] && [ "${1:-}" = create ]; then
    mkdir -p "$RIDEHAIL_STATE"
    offset=$(flock "$(registry).lock" bash -c "$(declare -f claim_block port_open); claim_block \"\$@\"" _ \
      "$STACK" "$(registry)" "$RIDEHAIL_PORT_BASE" $STACK_BLOCK $STACK_BLOCKS_MAX) ||
      fail "no free block of ports for stack $STACK" "'make clean STACK=...' forgets one; the names are in $(registry)"
  fi
  [ -z "$offset" ] || PORT_BASE=$((RIDEHAIL_PORT_BASE + offset))
}

# Runs in a bash of its own under the registry's lock, so it knows only its arguments.
claim_block() {
  local name=$1 file=$2 base=$3 size=$4 max=$5 block=0 probe
  touch "$file"
  local known
  known=$(awk -v n="$name" '$1 == n { print $2 }' "$file") # another process may have claimed for the same name
  if [ -n "$known" ]; then
    echo "$known"
    return
  fi
  [ "$name" = default ] || block=1 # block 0 is kept for the default stack
  while [ "$block" -lt "$max" ]; do
    local taken=
    ! awk '{ print $2 }' "$file" | grep -qx "$((block * size))" || taken=1
    for probe in 32 92 88; do ! port_open "$((base + block * size + probe))" || [ "$name" = default ] || taken=1; done
    if [ -z "$taken" ]; then
      echo "$name $((block * size))" >>"$file"
      echo "$((block * size))"
      return
    fi
    [ "$name" != default ] || return 1
    block=$((block + 1))
  done
  return 1
}

# forget_stack: gives the block back
forget_stack() {
  [ -f "$(registry)" ] || return 0
  flock "$(registry).lock" sed -i "/^$STACK /d" "$(registry)"
}

# port OFFSET: the stack's port for an offset of the table in docker/README.md
port() { echo $((PORT_BASE + $1)); }

# port_open PORT: does anybody listen there?
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# print_env: what clients need, as shell exports; the names are those of .env.example
print_env() {
  local brokers='' b
  for b in $(kafka_broker_names); do brokers+=,$HOST:$(kafka_port "$b"); done
  cat <<END
export STACK=$STACK
export RIDEHAIL_PG_HOST=$HOST
export RIDEHAIL_PG_PORT=$(port 32)
export RIDEHAIL_PG_USER=ridehail
export RIDEHAIL_PG_PASSWORD=$RIDEHAIL_PG_PASSWORD
export RIDEHAIL_PG_DATABASE=warehouse
export RIDEHAIL_DATABASE_URL=postgres://ridehail:$RIDEHAIL_PG_PASSWORD@$HOST:$(port 32)/warehouse
export RIDEHAIL_KAFKA_BROKERS=${brokers#,}
export RIDEHAIL_DRUID_URL=http://$HOST:$(port 88)
export RIDEHAIL_LISTEN=$HOST:$(port 80)
export RIDEHAIL_STREAM_METRICS_LISTEN=$HOST:$(port 79)
END
}
