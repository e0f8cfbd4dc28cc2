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
: "${RIDEHAIL_TRINO_PG_PASSWORD:=trino}"
: "${RIDEHAIL_TRINO_ADMIN_PG_PASSWORD:=trino-admin}"
# read by init.sql
export RIDEHAIL_PG_PASSWORD RIDEHAIL_DRUID_PG_PASSWORD RIDEHAIL_TRINO_PG_PASSWORD RIDEHAIL_TRINO_ADMIN_PG_PASSWORD
# S3: a bucket for the lake and one for Druid, a key for each user; docker/minio/setup says who may do what.
: "${RIDEHAIL_S3_REGION:=us-east-1}"
: "${RIDEHAIL_S3_BUCKET:=lake}"
: "${RIDEHAIL_DRUID_S3_BUCKET:=druid}"
: "${RIDEHAIL_S3_ADMIN_ACCESS_KEY:=minio-admin}" "${RIDEHAIL_S3_ADMIN_SECRET_KEY:=minio-admin-secret}"
: "${RIDEHAIL_S3_ACCESS_KEY:=ridehail}" "${RIDEHAIL_S3_SECRET_KEY:=ridehail-secret}"
: "${RIDEHAIL_DRUID_S3_ACCESS_KEY:=druid}" "${RIDEHAIL_DRUID_S3_SECRET_KEY:=druid-secret}"
: "${RIDEHAIL_TRINO_S3_ACCESS_KEY:=trino}" "${RIDEHAIL_TRINO_S3_SECRET_KEY:=trino-secret}"
: "${RIDEHAIL_TRINO_ADMIN_S3_ACCESS_KEY:=trino-admin}" "${RIDEHAIL_TRINO_ADMIN_S3_SECRET_KEY:=trino-admin-secret}"
for name in ${!RIDEHAIL_@}; do
  case $name in
  # they stand in URLs and properties files as they are; / and + are in the keys that S3 services make up
  *_S3_*_KEY) [[ ${!name} =~ ^[A-Za-z0-9._~/+-]+$ ]] || fail "$name has a character outside A-Z a-z 0-9 . _ ~ / + -" ;;
  *_PASSWORD | *_BUCKET) [[ ${!name} =~ ^[A-Za-z0-9._~-]+$ ]] || fail "$name has a character outside A-Z a-z 0-9 . _ ~ -" ;;
  esac
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

# An S3 server of one's own: with RIDEHAIL_S3_ENDPOINT set, MinIO is neither built nor started and all use that address.
# But `env` prints the variable too, for clients: the address that a stack of ours has, or would have, doesn't count.
S3_EXTERNAL=${RIDEHAIL_S3_ENDPOINT:-}
if [[ $S3_EXTERNAL =~ ^http://127\.0\.0\.1:([0-9]{1,5})/?$ ]]; then
  s3_offset=$((BASH_REMATCH[1] - RIDEHAIL_PORT_BASE))
  if [ $((s3_offset % STACK_BLOCK)) = 90 ] && [ $s3_offset -lt $((STACK_BLOCK * STACK_BLOCKS_MAX)) ]; then S3_EXTERNAL=''; fi
fi
S3_EXTERNAL=${S3_EXTERNAL%/}
[[ -z $S3_EXTERNAL || $S3_EXTERNAL =~ ^https?://[^/]+$ ]] || fail "RIDEHAIL_S3_ENDPOINT=$S3_EXTERNAL is not http(s)://HOST[:PORT]"
s3_endpoint() { echo "${S3_EXTERNAL:-http://$HOST:$(port 90)}"; }

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
export RIDEHAIL_S3_ENDPOINT=$(s3_endpoint)
export RIDEHAIL_S3_REGION=$RIDEHAIL_S3_REGION
export RIDEHAIL_S3_BUCKET=$RIDEHAIL_S3_BUCKET
export RIDEHAIL_S3_ACCESS_KEY=$RIDEHAIL_S3_ACCESS_KEY
export RIDEHAIL_S3_SECRET_KEY=$RIDEHAIL_S3_SECRET_KEY
export RIDEHAIL_LAKE_CATALOG=lake
export RIDEHAIL_LISTEN=$HOST:$(port 80)
export RIDEHAIL_STREAM_METRICS_LISTEN=$HOST:$(port 79)
END
  # Without a JDK for it there is no Trino; the containers bring their own.
  if [ -n "${CONTAINERS:-}" ] || ! absent trino >/dev/null; then
    echo "export RIDEHAIL_TRINO_URL=http://$HOST:$(port 65)"
    echo "export RIDEHAIL_TRINO_USER=ridehail"
  fi
}
