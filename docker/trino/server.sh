# shellcheck shell=bash
# Trino: one SQL over Druid, the warehouse and the lake. It needs a newer JDK than the others; where none is found, the
# stack goes on without it.
trino_needs='minio postgres'
trino_stops_after=''

# trino_jdk (also asked by record_archive): prints the home of a JDK (or JRE) that is new enough
trino_jdk() {
  local home version
  for home in "${RIDEHAIL_TRINO_JAVA_HOME:-}" "${RIDEHAIL_JAVA_HOME:-}" "${JAVA_HOME:-}" /usr/lib/jvm/*; do
    [ -x "$home/bin/java" ] || continue
    version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release" 2>/dev/null)
    [ "${version:-0}" -ge "$TRINO_JAVA_MIN_MAJOR" ] || continue
    echo "$home"
    return
  done
  return 1
}

trino_absent() {
  ! trino_jdk >/dev/null || return 1
  echo not_installed "Trino $TRINO_VERSION runs on JDK $TRINO_JAVA_MIN_MAJOR or newer and none was found:" \
    "install one (Temurin $TRINO_JAVA_MIN_MAJOR from https://adoptium.net, or openjdk-$TRINO_JAVA_MIN_MAJOR-jre-headless where it is packaged)" \
    "below /usr/lib/jvm, or set RIDEHAIL_TRINO_JAVA_HOME to its home"
}

trino_processes() { echo trino; }
trino_port() { port 65; }

trino_packages() {
  need_java # for Maven
  need_packages mvn:maven curl:curl
}
trino_install() { maven_jars trino; }

# The archive holds one copy of what its plugins share, as hard links: so it is unpacked whole, then what is not used goes.
# The Postgres plugin does not load without geospatial's types.
trino_unpack() {
  local plugin archive=$1/trino-server-$TRINO_VERSION.tar.gz
  heartbeat trino "unpacking" tar -xzf "$archive" -C "$1" --strip-components=1
  rm "$archive"
  for plugin in "$1"/plugin/*/; do
    plugin=${plugin%/}
    case ${plugin##*/} in
    iceberg | postgresql | druid | geospatial) ;;
    *) rm -r "$plugin" ;;
    esac
  done
}

# Trino looks for all its files from its working directory, in etc/.
trino_prepare() {
  mkdir -p "$STACK_DIR/trino"
  ln -sfn "$DOCKER_DIR/trino/etc" "$STACK_DIR/trino/etc"
}

trino_start() {
  local flags home
  JAVA_DIR=$(trino_jdk)
  home=$(jars_dir trino)
  archive_flags trino trino
  mapfile -t flags <"$DOCKER_DIR/trino/etc/jvm.config"
  # Read by the files in etc. Through the environment, since only the same user can see that of a process.
  export RIDEHAIL_S3_REGION RIDEHAIL_S3_BUCKET RIDEHAIL_TRINO_S3_ACCESS_KEY RIDEHAIL_TRINO_S3_SECRET_KEY \
    RIDEHAIL_TRINO_ADMIN_S3_ACCESS_KEY RIDEHAIL_TRINO_ADMIN_S3_SECRET_KEY
  RIDEHAIL_S3_ENDPOINT=$(s3_endpoint) TRINO_PORT=$(port 65) TRINO_POSTGRES=$HOST:$(port 32) TRINO_DRUID_URL=http://$HOST:$(port 88) \
    launch "$1" "$STACK_DIR/trino" "$JAVA_DIR/bin/java" "${flags[@]}" "${ARCHIVE_FLAGS[@]}" -Dnode.id=trino -Dnode.environment=ridehail \
    -Dnode.data-dir="$STACK_DIR/trino" -Dnode.bind-ip="$HOST" -Dnode.internal-address="$HOST" -Dplugin.dir="$home/plugin" \
    -Dconfig=etc/config.properties -Dlog.levels-file=etc/log.properties -cp "$home/lib/*" io.trino.server.TrinoServer
}

# It answers early, and says itself when catalogs are loaded. A catalog whose server is away is loaded all the same.
trino_ready() { quick_get "http://$HOST:$(port 65)/v1/info" | grep -q '"starting":false'; }

# It keeps nothing: running queries fail, their clients ask again.
trino_stop() {
  record_archive trino trino "$1"
  stop_process "$1" TERM 5 KILL
}
