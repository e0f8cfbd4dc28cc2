# shellcheck shell=bash
# Clients of the servers, already pointed at this stack: psql, Trino's command line, MinIO's, and Kafka's own tools (each
# JVM takes about two seconds).

# psql [ARGUMENTS...]: the warehouse, as the role that owns it
verb_psql() {
  use_stack
  [ -n "$PORT_BASE" ] || fail "stack $STACK was never up"
  PGPASSWORD=$RIDEHAIL_PG_PASSWORD exec psql -h "$HOST" -p "$(port 32)" -U ridehail -d warehouse "$@"
}

# trino [ARGUMENTS...]: as the user who may do everything, unless another is named
verb_trino() {
  local argument user=(--user ridehail) dumb=()
  use_stack
  [ -n "$PORT_BASE" ] || fail "stack $STACK was never up"
  ! argument=$(absent trino) || fail "Trino is not installed" "${argument#* }"
  for argument in "$@"; do [[ $argument != --user* ]] || user=(); done
  JAVA_DIR=$(trino_jdk)
  # told that there is no terminal, its line editor does not complain about it
  [ -t 0 ] || dumb=(-Dorg.jline.terminal.dumb=true)
  exec "$JAVA_DIR/bin/java" -Xmx128m "${JVM_FLAGS[@]}" ${dumb[@]+"${dumb[@]}"} --enable-native-access=ALL-UNNAMED \
    -jar "$(jars_dir trino)/trino-cli-$TRINO_VERSION-executable.jar" --server "http://$HOST:$(port 65)" ${user[@]+"${user[@]}"} "$@"
}

# mc [ARGUMENTS...]: MinIO's client as its administrator; the server is called s3, as in `mc ls -r s3/lake`
verb_mc() {
  local url
  use_stack
  [ -n "$PORT_BASE" ] || fail "stack $STACK was never up"
  ! absent minio >/dev/null || fail "MinIO is not part of this stack"
  url=$(s3_endpoint)
  MC_HOST_s3=http://$RIDEHAIL_S3_ADMIN_ACCESS_KEY:$RIDEHAIL_S3_ADMIN_SECRET_KEY@${url#http://} MC_CONFIG_DIR=$STACK_DIR/minio/client \
    exec "$(go_dir "$MC_MODULE")/mc" "$@"
}

# kafka TOOL [ARGUMENTS...]: the bootstrap server is added
verb_kafka() {
  local tool=${1:-} class broker brokers=''
  use_stack
  [ -n "$PORT_BASE" ] || fail "stack $STACK was never up"
  case $tool in
  topics) class=org.apache.kafka.tools.TopicCommand ;;
  configs) class=kafka.admin.ConfigCommand ;;
  console-producer) class=org.apache.kafka.tools.ConsoleProducer ;;
  console-consumer) class=org.apache.kafka.tools.consumer.ConsoleConsumer ;;
  consumer-groups) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
  get-offsets) class=org.apache.kafka.tools.GetOffsetShell ;;
  producer-perf-test) class=org.apache.kafka.tools.ProducerPerformance ;;
  metadata-quorum) class=org.apache.kafka.tools.MetadataQuorumCommand ;;
  *) fail "unknown tool '$tool'" "topics, configs, console-producer, console-consumer, consumer-groups, get-offsets, producer-perf-test, metadata-quorum" ;;
  esac
  shift
  need_java
  for broker in $(kafka_broker_names); do brokers+=,$HOST:$(kafka_port "$broker"); done
  kafka_java 256m "$class" --bootstrap-server "${brokers#,}" "$@"
}
