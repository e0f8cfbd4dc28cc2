#!/usr/bin/env bash
# Starts one Kafka node in the official image: the same shared properties as natively, plus what belongs to this node.
# The image's own start script formats a directory without naming the first voters, which two controllers that may become
# three need; so the directory is formatted here. Environment: NODE_ID, ROLE (controller or broker), LISTENERS, ADVERTISED.
set -euo pipefail

config=/tmp/server.properties
cluster=rideHailComposeCluster # 22 characters of base64: any fixed id
voters=3001@kafka-controller-1:9093:rideHailControllerOneA,3002@kafka-controller-2:9093:rideHailControllerTwoA

shared=(/etc/ridehail/common.properties)
[ "$ROLE" = controller ] || shared+=(/etc/ridehail/broker.properties)
{
  echo "node.id=$NODE_ID"
  echo "process.roles=$ROLE"
  echo "log.dirs=/var/lib/kafka/data/node"
  echo "controller.listener.names=CONTROLLER"
  echo "controller.quorum.bootstrap.servers=kafka-controller-1:9093,kafka-controller-2:9093"
  # INSIDE is for containers, HOST for programs on the machine: each is told an address that it can reach
  echo "listener.security.protocol.map=CONTROLLER:PLAINTEXT,INSIDE:PLAINTEXT,HOST:PLAINTEXT"
  echo "listeners=$LISTENERS"
  # a controller too: it would tell the others its container's id, which is another one after `up --force-recreate`
  echo "advertised.listeners=$ADVERTISED"
  [ "$ROLE" = controller ] || echo "inter.broker.listener.name=INSIDE"
  cat "${shared[@]}"
} >"$config"

first=(--no-initial-controllers)
[ "$ROLE" = broker ] || first=(--initial-controllers "$voters")
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted -t "$cluster" -c "$config" "${first[@]}"
exec /opt/kafka/bin/kafka-server-start.sh "$config"
