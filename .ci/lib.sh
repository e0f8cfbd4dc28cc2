# Shared by the scripts of this folder: caches, phases with their times, what must be installed.
# shellcheck shell=bash

# outside the tree, so that every checkout of this machine shares downloads and compiled crates
: "${RIDEHAIL_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/ridehail}"
export RIDEHAIL_CACHE
if [ -n "${CI:-}" ]; then : "${CARGO_TARGET_DIR:=$RIDEHAIL_CACHE/target}"; fi
: "${CARGO_TARGET_DIR:=$PWD/target}"
export CARGO_TARGET_DIR
ridehail="$CARGO_TARGET_DIR/debug/ridehail"

# test binaries know their folder by its path, and cargo takes those of another checkout for this one's where the files
# of this one are older
claim_build() {
    local stamp=$CARGO_TARGET_DIR/checkout
    if [ "$CARGO_TARGET_DIR" = "$PWD/target" ] || [ "$(cat "$stamp" 2>/dev/null)" = "$PWD" ]; then return; fi
    find . \( -name lib.rs -o -name main.rs \) -not -path './target/*' -exec touch {} +
    mkdir -p "$CARGO_TARGET_DIR"
    printf '%s\n' "$PWD" >"$stamp"
}
claim_build

phase_name='' phase_start=0 phase_log=()

# phase NAME: ends the running phase and starts another
phase() {
    local now=$SECONDS
    if [ -n "$phase_name" ]; then phase_log+=("$(printf '%5ds  %s' $((now - phase_start)) "$phase_name")"); fi
    phase_name=$1 phase_start=$now
    if [ -n "$1" ]; then printf '\n== %s\n' "$1" >&2; fi
}

# the table of phases so far
phases() {
    phase ''
    printf '\n== time by phase\n' >&2
    printf '%s\n' "${phase_log[@]}" >&2
}

require() {
    command -v "$1" >/dev/null && return
    printf 'error: %s is missing\n  hint: %s\n' "$1" "$2" >&2
    exit 1
}

# need_packages NAME...: installs those Debian packages that are not there
need_packages() {
    local missing=() name
    for name in "$@"; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local sudo=''
    [ "$(id -u)" = 0 ] || sudo=sudo
    printf 'installing %s\n' "${missing[*]}" >&2
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# limited SECONDS COMMAND...: runs the command; when it takes longer, shows where the threads of the
# tests below it stand (with gdb, where that is installed) and ends it with everything it started
limited() {
    local seconds=$1
    shift
    (
        trap 'kill "${!:-}" 2>/dev/null; exit 0' TERM
        sleep "$seconds" &
        wait "$!"
        printf 'error: not done after %s s: %s\n' "$seconds" "$*"
        local pid
        for pid in $(pgrep -f "^$CARGO_TARGET_DIR/debug/deps/"); do
            printf 'stacks of %s: %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline")"
            timeout 60 gdb -p "$pid" -batch -ex 'thread apply all backtrace 30' 2>/dev/null || true
        done
    ) &
    local watcher=$! status=0
    timeout -k 20 $((seconds + 90)) "$@" || status=$?
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    return $status
}
