# shellcheck shell=bash
# Clients of the servers, already pointed at this stack: psql, and Kafka's own tools (each is a JVM of about two seconds).

# psql [ARGUMENTS...]: the warehouse, as the role that owns it
verb_psql() {
  use_stack
  [ -n "$PORT_BASE" ] || fail "stack $STACK was never up"
  PGPASSWORD=$RIDEHAIL_PG_PASSWORD exec psql -h "$HOST" -p "$(port 32)" -U ridehail -d warehouse "$@"
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
