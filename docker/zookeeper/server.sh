# shellcheck shell=bash
# ZooKeeper: Druid's discovery and leader election. Nothing in it outlives a cluster's restart but Druid's own paths.
zookeeper_needs=''
zookeeper_stops_after='druid'

zookeeper_processes() { echo zookeeper; }
zookeeper_port() { port 81; }

zookeeper_packages() {
  need_java
  need_packages mvn:maven
}
zookeeper_install() { maven_jars zookeeper; }

zookeeper_prepare() {
  mkdir -p "$STACK_DIR/zookeeper/data" "$STACK_DIR/zookeeper/log"
  {
    cat "$DOCKER_DIR/zookeeper/zoo.cfg"
    echo "dataDir=$STACK_DIR/zookeeper/data"
    echo "dataLogDir=$STACK_DIR/zookeeper/log"
    echo "clientPort=$(port 81)"
    echo "clientPortAddress=$HOST"
  } >"$STACK_DIR/zookeeper/zoo.cfg"
}

zookeeper_start() {
  archive_flags zookeeper zookeeper
  launch "$1" "$STACK_DIR/zookeeper" "$JAVA_DIR/bin/java" -Xms32m -Xmx96m "${JVM_FLAGS[@]}" "${ARCHIVE_FLAGS[@]}" \
    -Dlogback.configurationFile="$DOCKER_DIR/zookeeper/logback.xml" -cp "$(jars_dir zookeeper)/*" \
    org.apache.zookeeper.server.ZooKeeperServerMain "$STACK_DIR/zookeeper/zoo.cfg"
}

# `srvr` is answered only by a server that serves
zookeeper_ready() { ask_zookeeper srvr | grep -q '^Mode:'; }
ask_zookeeper() {
  (
    exec 3<>"/dev/tcp/$HOST/$(port 81)"
    printf '%s' "$1" >&3
    timeout 2 cat <&3
  ) 2>/dev/null
}

zookeeper_stop() {
  record_archive zookeeper zookeeper "$1"
  stop_process "$1" TERM 3 KILL
}
