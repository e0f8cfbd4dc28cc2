# shellcheck shell=bash
# Servers that come as Go modules: compiled once, in the cache, by whichever Go is there.

# at_least VERSION MINIMUM
at_least() { printf '%s\n%s\n' "$2" "$1" | sort -VC; }

# find_go: prints a go command that is new enough as it is; an older one would quietly fetch another toolchain
find_go() {
  local go version
  for go in "${RIDEHAIL_GO:-}" "$(command -v go)" /usr/local/go/bin/go /usr/lib/go-*/bin/go; do
    [ -x "$go" ] || continue
    version=$(GOTOOLCHAIN=local "$go" env GOVERSION 2>/dev/null) || continue
    at_least "${version#go}" "$GO_MIN_VERSION" || continue
    echo "$go"
    return
  done
  return 1
}
have_go() { find_go >/dev/null; }

# the newest Go of this distribution, if that is new enough (Debian 13 has 1.24, Debian 12 has not)
go_package() {
  local package
  package=$(apt-cache pkgnames golang-1. 2>/dev/null | grep -xE 'golang-1\.[0-9]+-go' | sort -V | tail -n 1)
  [ -n "$package" ] || return 1
  at_least "$(tr -dc '0-9.' <<<"$package")" "$GO_MIN_VERSION" || return 1
  echo "$package"
}

# go_dir MODULE@VERSION: where its program lies once it is built
go_dir() {
  local hash program=${1%@*}
  hash=$(printf '%s' "$1" | sha256sum)
  printf '%s/servers/%s-%s' "$RIDEHAIL_CACHE" "${program##*/}" "${hash:0:12}"
}

# go_program MODULE@VERSION: builds it; prints nothing if it is there. Go checks the module against its public checksum
# database and keeps sources and objects in its own caches. It yields to whatever else works on this machine, since nothing
# waits for it the second time. No C compiler is needed.
go_program() {
  local module=$1 name dir go
  name=${module%@*} name=${name##*/} dir=$(go_dir "$module")
  [ ! -x "$dir/$name" ] || return 0
  go=$(find_go) || fail "no Go $GO_MIN_VERSION or newer to build $name with"
  mkdir -p "$RIDEHAIL_CACHE/servers"
  exec 8>"$dir.lock"
  flock 8 # another stack may be building the same
  if [ ! -x "$dir/$name" ]; then
    rm -rf "$dir.part"
    heartbeat "$name" "compiling it, once: some minutes" go_install "$go" "$module" "$dir.part" ||
      fail "$name could not be built" "the lines above are Go's; GOPROXY names a mirror of the module proxy"
    rm -rf "$dir"
    mv -T "$dir.part" "$dir"
    say "$name" "$(du -sm "$dir" | cut -f1) MB"
  fi
  exec 8>&-
}
go_install() {
  GOTOOLCHAIN=local CGO_ENABLED=0 GOBIN=$3 nice -n 10 "$1" install -trimpath -ldflags='-s -w' "$2" 8>&- 9>&-
}
