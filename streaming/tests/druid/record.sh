#!/usr/bin/env bash
# Records again what Druid echoes, after a spec file has changed. Leaves nothing behind in Druid or Kafka
# but three empty topics.
#   PREFIX=z_ RIDEHAIL=target/debug/ridehail bash streaming/tests/druid/record.sh
set -euo pipefail
cd "$(dirname "$0")/fixtures"
: "${PREFIX:=z_}" "${RIDEHAIL:=ridehail}" "${RIDEHAIL_DRUID_URL:=http://127.0.0.1:15088}"
root=$(git rev-parse --show-toplevel)
export RIDEHAIL_TOPIC_PREFIX=$PREFIX RIDEHAIL_DATASOURCE_PREFIX=$PREFIX RIDEHAIL_DRUID_URL
export RIDEHAIL_TOPICS_FILE=$root/streaming/topics.yml RIDEHAIL_DRUID_SPECS=$root/streaming/druid-specs
"$RIDEHAIL" topics apply
"$RIDEHAIL" druid apply
get() { curl -fsS "$RIDEHAIL_DRUID_URL$1"; }
get '/druid/indexer/v1/supervisor?full' |
    jq -c --arg p "$PREFIX" 'map(select(.id | startswith($p)))' >supervisors.json
get /druid/coordinator/v1/rules |
    jq -c --arg p "$PREFIX" 'with_entries(select(.key | startswith($p)))' >rules.json
get /druid/coordinator/v1/config/compaction |
    jq -c --arg p "$PREFIX" '.compactionConfigs |= map(select(.dataSource | startswith($p)))' >compaction.json
RIDEHAIL_DRUID_SPECS=$(mktemp -d) "$RIDEHAIL" druid apply --prune
for topic in ride_events user_events vehicle_events; do
    curl -fsS -X DELETE "$RIDEHAIL_DRUID_URL/druid/coordinator/v1/config/compaction/$PREFIX$topic"
    curl -fsS -H 'Content-Type: application/json' -d '[]' "$RIDEHAIL_DRUID_URL/druid/coordinator/v1/rules/$PREFIX$topic"
done
