# shellcheck shell=bash
# Kafka, KRaft: controllers and brokers apart, as in production, or one node with both roles for small tests.
# RIDEHAIL_KAFKA_SIZE = CONTROLLERS+BROKERS (2+3) or `small`; kept for a stack from its first `up` on. Controllers may be
# added to a running stack by asking for more of them; anything else needs a new stack.
kafka_needs=''
kafka_stops_after=''

kafka_size() {
  local kept='' asked=${RIDEHAIL_KAFKA_SIZE:-}
  [ ! -f "$STACK_DIR/kafka/size" ] || kept=$(<"$STACK_DIR/kafka/size")
  if [ -z "$kept" ]; then
    echo "${asked:-2+3}"
  elif [[ $asked == [1-3]+[1-3] && $kept == *+* && ${asked#*+} = "${kept#*+}" && ${asked%+*} -gt ${kept%+*} ]]; then
    echo "$asked"
  else
    echo "$kept"
  fi
}
kafka_controllers() {
  local size
  size=$(kafka_size)
  if [ "$size" = small ]; then echo 0; else echo "${size%+*}"; fi
}
kafka_brokers() {
  local size
  size=$(kafka_size)
  if [ "$size" = small ]; then echo 1; else echo "${size#*+}"; fi
}
names() { # PREFIX COUNT
  local i list=()
  for ((i = 1; i <= $2; i++)); do list+=("$1$i"); done
  echo "${list[*]}"
}
kafka_broker_names() { names kafka- "$(kafka_brokers)"; }

kafka_processes() {
  [ "$(kafka_controllers)" = 0 ] || names kafka-controller- "$(kafka_controllers)"
  kafka_broker_names
}

# brokers 92.. , controllers 96..; a combined node has both
kafka_port() {
  case $1 in
  kafka-controller-*) port $((95 + ${1##*-})) ;;
  *) port $((91 + ${1##*-})) ;;
  esac
}
kafka_node_id() {
  case $1 in
  kafka-controller-*) echo $((3000 + ${1##*-})) ;;
  *) echo "${1##*-}" ;;
  esac
}

kafka_packages() {
  need_java
  need_packages mvn:maven
}
kafka_install() { maven_jars kafka; }

# kafka_java HEAP ARGUMENTS...
kafka_java() {
  local heap=$1
  shift
  "$JAVA_DIR/bin/java" "-Xmx$heap" "${JVM_FLAGS[@]}" -Dlog4j2.configurationFile="$DOCKER_DIR/kafka/log4j2.properties" \
    -cp "$(jars_dir kafka)/*" "$@"
}

# A cluster id of its own for each stack and each life of it: clients tell by it that a cluster was made anew.
kafka_id() {
  local file=$STACK_DIR/kafka/$1.id id=-
  if [ ! -s "$file" ]; then
    while [[ $id == -* ]]; do id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '='); done
    echo "$id" >"$file"
  fi
  cat "$file"
}

kafka_controller_addresses() { # prints HOST:PORT,...
  local i addresses=''
  for ((i = 1; i <= ($(kafka_controllers) > 0 ? $(kafka_controllers) : 1); i++)); do addresses+=,$HOST:$(port $((95 + i))); done
  echo "${addresses#,}"
}
# The first voters, ID@HOST:PORT:DIRECTORY,... : the same string on every one of them, kept as it was when they were formatted.
kafka_first_voters() {
  local i voters='' file=$STACK_DIR/kafka/first-voters
  if [ ! -s "$file" ]; then
    if [ "$(kafka_controllers)" = 0 ]; then voters=,1@$HOST:$(port 96):$(kafka_id directory-1); fi
    for ((i = 1; i <= $(kafka_controllers); i++)); do voters+=,$((3000 + i))@$HOST:$(port $((95 + i))):$(kafka_id "directory-$i"); done
    echo "${voters#,}" >"$file"
  fi
  cat "$file"
}
is_first_voter() { [[ ,$(kafka_first_voters) == *,$(kafka_node_id "$1")@* ]]; }

kafka_properties() { # PROCESS
  local brokers shared=("$DOCKER_DIR/kafka/common.properties")
  brokers=$(kafka_brokers)
  [[ $1 == kafka-controller-* ]] || shared+=("$DOCKER_DIR/kafka/broker.properties")
  echo "node.id=$(kafka_node_id "$1")"
  echo "log.dirs=$STACK_DIR/kafka/data/$1"
  echo "controller.listener.names=CONTROLLER"
  echo "controller.quorum.bootstrap.servers=$(kafka_controller_addresses)"
  echo "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"
  # fewer brokers than the shared files' replication factor
  if [ "$brokers" -ge 3 ]; then cat "${shared[@]}"; else
    sed -E "s/^(.*replication\.factor)=3$/\1=$brokers/; s/^(.*min\.(isr|insync\.replicas))=2$/\1=1/" "${shared[@]}"
  fi
  case $1 in
  kafka-controller-*)
    echo "process.roles=controller"
    echo "listeners=CONTROLLER://$HOST:$(kafka_port "$1")"
    # one that comes later asks the leader to make it a voter
    is_first_voter "$1" || echo "controller.quorum.auto.join.enable=true"
    return
    ;;
  esac
  if [ "$(kafka_controllers)" = 0 ]; then
    echo "process.roles=broker,controller"
    echo "listeners=PLAINTEXT://$HOST:$(kafka_port "$1"),CONTROLLER://$HOST:$(port 96)"
  else
    echo "process.roles=broker"
    echo "listeners=PLAINTEXT://$HOST:$(kafka_port "$1")"
  fi
  echo "advertised.listeners=PLAINTEXT://$HOST:$(kafka_port "$1")"
}

kafka_prepare() {
  local size=${RIDEHAIL_KAFKA_SIZE:-$(kafka_size)} process conf voters pids=() pid
  [[ $size =~ ^([1-3]\+[1-3]|small)$ ]] || fail "RIDEHAIL_KAFKA_SIZE=$size is not CONTROLLERS+BROKERS (each 1 to 3) or small"
  [ "$size" = "$(kafka_size)" ] || fail "stack $STACK has Kafka of size $(kafka_size), not $size" "only controllers can be added; 'clean' forgets the stack"
  mkdir -p "$STACK_DIR/kafka/conf" "$STACK_DIR/kafka/data"
  echo "$size" >"$STACK_DIR/kafka/size"
  kafka_id cluster >/dev/null
  kafka_first_voters >/dev/null
  for process in "$@"; do
    conf=$STACK_DIR/kafka/conf/$process.properties
    kafka_properties "$process" >"$conf"
    [ ! -f "$STACK_DIR/kafka/data/$process/meta.properties" ] || continue
    voters=(--no-initial-controllers)
    ! is_first_voter "$process" || voters=(--initial-controllers "$(kafka_first_voters)")
    say kafka "formatting $process"
    kafka_java 96m kafka.tools.StorageTool format -t "$(kafka_id cluster)" -c "$conf" "${voters[@]}" >"$STACK_DIR/kafka/format-$process.log" 2>&1 &
    pids+=($!)
  done
  for pid in ${pids[@]+"${pids[@]}"}; do
    wait "$pid" || fail "Kafka's storage could not be formatted" "its log: $STACK_DIR/kafka/format-*.log"
  done
}

kafka_start() {
  local heap=(-Xms64m -Xmx320m)
  [[ $1 != kafka-controller-* ]] || heap=(-Xms48m -Xmx128m)
  archive_flags kafka "$(kafka_kind "$1")"
  launch "$1" "$STACK_DIR/kafka" "$JAVA_DIR/bin/java" "${heap[@]}" "${JVM_FLAGS[@]}" "${ARCHIVE_FLAGS[@]}" \
    -Dlog4j2.configurationFile="$DOCKER_DIR/kafka/log4j2.properties" -cp "$(jars_dir kafka)/*" \
    kafka.Kafka "$STACK_DIR/kafka/conf/$1.properties"
}

# A controller is ready when it listens. A broker is ready when it answers a metadata request and knows as many live
# brokers as run here: so it has registered with a controller quorum that works.
kafka_ready() {
  local broker running=0 seen
  if [[ $1 == kafka-controller-* ]]; then
    port_open "$(kafka_port "$1")"
    return
  fi
  for broker in $(kafka_broker_names); do ! alive "$broker" >/dev/null || running=$((running + 1)); done
  seen=$("$DOCKER_DIR/kafka/brokers-seen" "$HOST" "$(kafka_port "$1")" 2>/dev/null) && [ "$seen" -ge "$running" ] && [ "$seen" -gt 0 ]
}

# one archive for each kind of JVM; a combined node's is its own
kafka_kind() {
  case $1 in
  kafka-controller-*) echo controller ;;
  *) if [ "$(kafka_controllers)" = 0 ]; then echo combined; else echo broker; fi ;;
  esac
}

# TERM lets a broker hand its partitions over; when all stop together the last one can't, hence the bound. What was
# acknowledged is on two brokers' disks either way.
kafka_stop() {
  case $1 in *-1) record_archive kafka "$(kafka_kind "$1")" "$1" ;; esac
  stop_process "$1" TERM 6 KILL
}
