# shellcheck shell=bash
# Druid: coordinator with overlord, historical, indexer, broker, router. Metadata in Postgres, segments in S3.
druid_needs='minio postgres zookeeper'
druid_stops_after=''

druid_processes() { echo druid-coordinator druid-historical druid-indexer druid-broker druid-router; }
druid_port() {
  case $1 in
  druid-coordinator) port 71 ;;
  druid-broker) port 72 ;;
  druid-historical) port 73 ;;
  druid-indexer) port 75 ;;
  druid-router) port 88 ;;
  esac
}

# heap and direct memory; a service reserves (threads + merge buffers + 1) x 16 MiB of the latter
druid_memory() {
  case $1 in
  druid-coordinator) echo 320m 64m ;;
  druid-historical) echo 320m 128m ;;
  druid-indexer) echo 1g 512m ;;
  druid-broker) echo 320m 128m ;;
  druid-router) echo 128m 64m ;;
  esac
}

druid_packages() {
  need_java
  need_packages mvn:maven curl:curl
}
druid_install() { maven_jars druid; }

druid_prepare() {
  local process service dir data=$STACK_DIR/druid s3
  mkdir -p "$data"/{task,segment-cache,tmp}
  s3=$(s3_endpoint)
  for process in "$@"; do
    service=${process#druid-} dir=$data/conf/$process
    mkdir -p "$dir"
    # Druid also looks for these two files in its working directory. On the class path their folder would switch
    # class-data sharing off. The last line of a key wins.
    (
      umask 077
      {
        cat "$DOCKER_DIR/druid/conf/common.runtime.properties"
        echo 'druid.extensions.loadList=["druid-kafka-indexing-service","druid-datasketches","druid-s3-extensions","ridehail-postgres-metadata"]'
        echo "druid.extensions.directory=$(jars_dir druid)/extensions"
        echo "druid.host=$HOST"
        # the host alone would only be announced: this binds to it too
        echo "druid.bindOnHost=true"
        echo "druid.zk.service.host=$HOST:$(port 81)"
        echo "druid.metadata.storage.connector.connectURI=jdbc:postgresql://$HOST:$(port 32)/druid"
        echo "druid.metadata.storage.connector.password=$RIDEHAIL_DRUID_PG_PASSWORD"
        echo "druid.s3.endpoint.url=$s3"
        echo "druid.s3.endpoint.signingRegion=$RIDEHAIL_S3_REGION"
        echo "druid.s3.protocol=${s3%%:*}"
        echo "druid.s3.accessKey=$RIDEHAIL_DRUID_S3_ACCESS_KEY"
        echo "druid.s3.secretKey=$RIDEHAIL_DRUID_S3_SECRET_KEY"
        echo "druid.storage.bucket=$RIDEHAIL_DRUID_S3_BUCKET"
        echo "druid.indexer.logs.s3Bucket=$RIDEHAIL_DRUID_S3_BUCKET"
      } >"$dir/common.runtime.properties"
      {
        cat "$DOCKER_DIR/druid/conf/$service.properties"
        echo "druid.plaintextPort=$(druid_port "$process")"
        case $service in
        indexer) echo "druid.worker.baseTaskDirs=[\"$data/task\"]" ;;
        historical) echo "druid.segmentCache.locations=[{\"path\":\"$data/segment-cache\",\"maxSize\":\"10g\"}]" ;;
        esac
      } >"$dir/runtime.properties"
    )
  done
}

# Druid reads JDK internals (off-heap memory); these open them on JDK 17 and later.
DRUID_OPENS=(
  --add-exports=java.base/jdk.internal.misc=ALL-UNNAMED --add-exports=java.base/jdk.internal.ref=ALL-UNNAMED
  --add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/sun.nio.ch=ALL-UNNAMED
  --add-opens=java.base/jdk.internal.ref=ALL-UNNAMED --add-opens=java.base/java.io=ALL-UNNAMED
  --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED
)

druid_start() {
  local heap direct
  read -r heap direct <<<"$(druid_memory "$1")"
  archive_flags druid "$1"
  launch "$1" "$STACK_DIR/druid/conf/$1" "$JAVA_DIR/bin/java" -Xms64m "-Xmx$heap" "-XX:MaxDirectMemorySize=$direct" \
    "${DRUID_OPENS[@]}" "${JVM_FLAGS[@]}" "${ARCHIVE_FLAGS[@]}" -Djava.io.tmpdir="$STACK_DIR/druid/tmp" \
    -Djava.util.logging.manager=org.apache.logging.log4j.jul.LogManager \
    -Dlog4j2.configurationFile="$DOCKER_DIR/druid/conf/log4j2.xml" \
    -cp "$(jars_dir druid)/druid/*" org.apache.druid.cli.Main server "${1#druid-}"
}

# Health is each process's own word. The router is ready when through it an overlord leads, a worker is registered with
# it, and SQL answers: then supervisors can be posted and queried.
druid_ready() {
  local router
  router=http://$HOST:$(port 88)
  quick_get "http://$HOST:$(druid_port "$1")/status/health" >/dev/null || return 1
  [ "$1" = druid-router ] || return 0
  quick_get "$router/druid/indexer/v1/leader" >/dev/null || return 1
  quick_get "$router/druid/indexer/v1/workers" | grep -q '"host"' || return 1
  quick_get -H 'Content-Type: application/json' -d '{"query":"select 1"}' "$router/druid/v2/sql" >/dev/null
}

# Rows that are not yet published are read again from Kafka, whose offsets are kept with the segments in one
# transaction: so a hard stop loses nothing.
druid_stop() {
  record_archive druid "$1" "$1"
  stop_process "$1" TERM 8 KILL
}
