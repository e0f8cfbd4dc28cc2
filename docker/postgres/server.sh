# shellcheck shell=bash
# Postgres: one cluster of our own in the stack's directory, never the system's. Databases warehouse (role ridehail; read by
# trino and trino_admin) and druid (role druid); see init.sql and lake_catalog.sql.
postgres_needs=''
postgres_stops_after='druid trino'

postgres_processes() { echo postgres; }
postgres_port() { port 32; }

# The newest installed major version that is new enough, unless the cluster exists: its files belong to its version.
postgres_bin() {
  local dir major made=
  [ ! -f "$STACK_DIR/postgres/data/PG_VERSION" ] || made=$(<"$STACK_DIR/postgres/data/PG_VERSION")
  for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin "$(pg_config --bindir 2>/dev/null)" | sort -rV); do
    [ -x "$dir/initdb" ] || continue
    [ -x "$dir/postgres" ] || continue
    major=$("$dir/postgres" --version | grep -oE '[0-9]+' | head -n 1)
    [ -z "$made" ] || [ "$made" = "$major" ] || continue
    [ "$major" -ge "$POSTGRES_MIN_MAJOR" ] || continue
    echo "$dir"
    return
  done
  return 1
}
have_postgres() { postgres_bin >/dev/null; }

postgres_packages() {
  need_packages "?have_postgres:postgresql" psql:postgresql-client setpriv:util-linux
}
postgres_install() {
  PG_BIN=$(postgres_bin) || fail "Postgres $POSTGRES_MIN_MAJOR or newer was not found" \
    "this distribution packages an older one: see https://apt.postgresql.org, or run 'make up DOCKER=1'"
}

# Postgres refuses to run as root: then it runs as the package's user. (setpriv and env replace themselves by the command,
# so the pid that is recorded is the postmaster's.)
AS_POSTGRES=(env TZ=UTC)
[ "$EUID" != 0 ] || AS_POSTGRES+=(setpriv --reuid=postgres --regid=postgres --init-groups)

postgres_prepare() {
  local dir=$STACK_DIR/postgres data=$STACK_DIR/postgres/data password
  mkdir -p "$dir"
  [ "$EUID" != 0 ] || chown postgres: "$dir"
  "${AS_POSTGRES[@]}" test -w "$dir" || fail "user postgres can't reach $dir" "set RIDEHAIL_STATE to a directory that every user may enter"
  if [ ! -f "$data/PG_VERSION" ] || [ -e "$dir/initdb-unfinished" ]; then
    say postgres "initdb"
    rm -rf "$data"
    touch "$dir/initdb-unfinished"
    password=$dir/initdb-password
    (umask 077 && echo "$RIDEHAIL_PG_ADMIN_PASSWORD" >"$password")
    [ "$EUID" != 0 ] || chown postgres "$password"
    # C sorts by bytes: quick, and the same on every machine.
    "${AS_POSTGRES[@]}" "$PG_BIN/initdb" -D "$data" -U postgres --pwfile="$password" -A scram-sha-256 -E UTF8 --locale=C \
      --data-checksums >"$dir/initdb.log" 2>&1 || fail "initdb failed" "its log: $dir/initdb.log"
    rm -f "$password" "$dir/initdb-unfinished"
  fi
  # after a crash: as long as that pid exists, Postgres believes that the old postmaster runs
  if [ -f "$data/postmaster.pid" ]; then wait_gone "$(head -n 1 "$data/postmaster.pid")"; fi
  # no Unix socket: its path would have to be short, and everything here speaks TCP
  {
    cat "$DOCKER_DIR/postgres/postgresql.conf"
    echo "listen_addresses = '$HOST'"
    echo "port = $(port 32)"
    echo "unix_socket_directories = ''"
  } >"$dir/postgresql.conf"
}

postgres_start() {
  launch "$1" "$STACK_DIR/postgres" "${AS_POSTGRES[@]}" "$PG_BIN/postgres" -D "$STACK_DIR/postgres/data" \
    -c config_file="$STACK_DIR/postgres/postgresql.conf"
}

admin_psql() {
  PGPASSWORD=$RIDEHAIL_PG_ADMIN_PASSWORD PGCONNECT_TIMEOUT=3 PGOPTIONS="-c client_min_messages=warning" psql -X -q -h "$HOST" -p "$(port 32)" -U postgres "$@"
}

postgres_ready() { admin_psql -d postgres -tAc 'select 1' >/dev/null 2>&1; }

postgres_settle() {
  { admin_psql -d postgres -f "$DOCKER_DIR/postgres/init.sql" &&
    admin_psql -d warehouse -f "$DOCKER_DIR/postgres/lake_catalog.sql"; } >/dev/null || fail "the roles and databases could not be made"
}

# INT is Postgres' fast shutdown: sessions end, a checkpoint is written. QUIT drops everything; the WAL replays at start.
postgres_stop() { stop_process "$1" INT 8 QUIT; }
