# shellcheck shell=bash
# Class-data archives: the JVM maps a server's classes from a file instead of loading and verifying them jar by jar, which
# halves the start. The first life of a kind of server goes without; when it is stopped, its JVM first writes the archive.
# An archive belongs to exact jars and an exact JDK, so it lies beside the jars under the JDK's version. The JVM checks
# both and silently goes on without an archive that does not fit.
# A folder on the class path would switch this off: so no server here has one, configuration comes by path or directory.

archive_file() { # SERVER KIND
  local version
  version=$(sed -n 's/^JAVA_RUNTIME_VERSION="\(.*\)"/\1/p; s/^IMPLEMENTOR_VERSION="\(.*\)"/\1/p' "$JAVA_DIR/release" | head -n 1 | tr -c 'A-Za-z0-9._\n-' _)
  printf '%s/archives/%s/%s.jsa' "$(jars_dir "$1")" "${version:-unknown}" "$2"
}

# archive_flags SERVER KIND: sets ARCHIVE_FLAGS for a JVM about to start
archive_flags() {
  local file
  file=$(archive_file "$1" "$2")
  if [ -s "$file" ]; then
    ARCHIVE_FLAGS=("-XX:SharedArchiveFile=$file" -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off)
  else
    ARCHIVE_FLAGS=(-XX:+RecordDynamicDumpInfo -Xlog:cds=off -Xlog:cds+dynamic=off)
  fi
}

# record_archive SERVER KIND PROCESS: has a running JVM write the archive, if it is missing. Only as it is stopped: the JVM
# stands still for some seconds and takes 100 MB more for good. Failing is harmless: nothing is written. SERVER_jdk, where
# it is defined, prints the JDK that runs it.
record_archive() {
  local file pid part java=find_java
  ! declare -F "$1_jdk" >/dev/null || java=$1_jdk
  JAVA_DIR=$($java) || return 0
  file=$(archive_file "$1" "$2")
  [ ! -s "$file" ] || return 0
  pid=$(alive "$3") || return 0
  tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qx -e '-XX:+RecordDynamicDumpInfo' || return 0
  say "$3" "writing its class archive, once: later starts are quicker"
  mkdir -p "${file%/*}"
  # a JVM that was given up on (below) finished its file all the same
  find "${file%/*}" -name '*.part' -mmin +5 -delete
  part=$file.$$.part
  if timeout 30 "$JAVA_DIR/bin/jcmd" "$pid" VM.cds dynamic_dump "$part" >/dev/null 2>&1 && [ -s "$part" ]; then
    mv -f "$part" "$file"
  else
    rm -f "$part"
  fi
}
