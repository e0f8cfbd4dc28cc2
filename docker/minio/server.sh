# shellcheck shell=bash
# MinIO: the S3 store of the lake and of Druid's segments. With RIDEHAIL_S3_ENDPOINT set, another server has its place.
minio_needs=''
minio_stops_after='druid trino'

MINIO_MODULE=github.com/minio/minio@$MINIO_VERSION
MC_MODULE=github.com/minio/mc@$MC_VERSION

minio_absent() {
  [ -n "$S3_EXTERNAL" ] || return 1
  echo external "S3 is at $S3_EXTERNAL (RIDEHAIL_S3_ENDPOINT): MinIO is not started, its buckets and keys are yours to make"
}

minio_processes() { echo minio; }
minio_port() { port 90; }

minio_packages() {
  local package
  need_packages curl:curl
  if [ -x "$(go_dir "$MINIO_MODULE")/minio" ] && [ -x "$(go_dir "$MC_MODULE")/mc" ] || have_go; then return; fi
  package=$(go_package) || fail "MinIO is built from source, and there is no Go $GO_MIN_VERSION or newer" \
    "install it from https://go.dev/dl (found in PATH, in /usr/local/go, or by RIDEHAIL_GO=.../bin/go), or set RIDEHAIL_S3_ENDPOINT to an S3 server"
  need_packages "?have_go:$package"
}

# The client first: it is most of the server's sources again, and the server is what takes long.
minio_install() {
  go_program "$MC_MODULE"
  go_program "$MINIO_MODULE"
}

minio_prepare() { mkdir -p "$STACK_DIR/minio/"{data,certs,client}; }

minio_start() {
  # no web console, no look for a newer release; the limit makes it collect garbage sooner, it may go beyond
  MINIO_ROOT_USER=$RIDEHAIL_S3_ADMIN_ACCESS_KEY MINIO_ROOT_PASSWORD=$RIDEHAIL_S3_ADMIN_SECRET_KEY \
    MINIO_SITE_REGION=$RIDEHAIL_S3_REGION MINIO_BROWSER=off MINIO_UPDATE=off GOMEMLIMIT=256MiB \
    launch "$1" "$STACK_DIR/minio" "$(go_dir "$MINIO_MODULE")/minio" server "$STACK_DIR/minio/data" \
    --address "$HOST:$(port 90)" --certs-dir "$STACK_DIR/minio/certs"
}

minio_ready() { quick_get "http://$HOST:$(port 90)/minio/health/ready" >/dev/null; }

# Buckets, users, policies: 2 s, so only when they or their settings are not those of the last time
minio_settle() {
  local wanted stamp=$STACK_DIR/minio/settled
  wanted=$( (cat "$DOCKER_DIR/minio/setup" && minio_settings) | sha256sum)
  [ "$wanted" != "$(cat "$stamp" 2>/dev/null)" ] || return 0
  say minio "making buckets and users"
  minio_settings | (
    while read -r line; do export "${line?}"; done
    PATH=$(go_dir "$MC_MODULE"):$PATH MC_CONFIG_DIR=$STACK_DIR/minio/client sh "$DOCKER_DIR/minio/setup"
  ) >"$STACK_DIR/minio/setup.log" 2>&1 || {
    tail -n 5 "$STACK_DIR/minio/setup.log" >&2
    fail "buckets and users could not be made" "its log: $STACK_DIR/minio/setup.log"
  }
  echo "$wanted" >"$stamp"
}
minio_settings() {
  local name
  echo "S3_URL=http://$HOST:$(port 90)"
  for name in ${!RIDEHAIL_@}; do [[ $name != *S3_*_KEY && $name != *_BUCKET ]] || echo "$name=${!name}"; done
}

# What was acknowledged is on disk, so nothing is lost by a hard stop either.
minio_stop() { stop_process "$1" TERM 6 KILL; }
