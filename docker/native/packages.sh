# shellcheck shell=bash
# What must be on the machine: Debian packages by apt, Java archives by Maven. Each server says what it needs through
# need_packages and maven_jars; nothing is fetched or built twice.

# need_packages "COMMAND-OR-TEST:PACKAGE"...: installs the packages whose test fails. A test that starts with ? is a
# function of ours, anything else a command's name. Servers are brought up side by side: they take turns here, and who has
# waited asks again, since another may have installed the same.
need_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  mkdir -p "$RIDEHAIL_CACHE"
  exec 7>"$RIDEHAIL_CACHE/packages.lock"
  flock 7
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
  exec 7>&-
}
missing_packages() {
  local item test package
  for item in "$@"; do
    test=${item%%:*} package=${item#*:}
    case $test in
    \?*) "${test#\?}" || echo "$package" ;;
    *) command -v "$test" >/dev/null || echo "$package" ;;
    esac
  done
}

apt_install() {
  local as_root=()
  command -v apt-get >/dev/null || fail "missing on this machine: $*" \
    "the native stack installs its packages on Debian and Ubuntu; install the same by hand, or run 'make up DOCKER=1'"
  if [ "$EUID" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      fail "missing on this machine: $*" "sudo apt-get install --no-install-recommends $*"
    fi
  fi
  case " $* " in *" postgresql "*)
    # Debian's package would make and start a system cluster, which this stack never touches
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
      "${as_root[@]}" mkdir -p /etc/postgresql-common/createcluster.d
      echo 'create_main_cluster = false' | "${as_root[@]}" tee /etc/postgresql-common/createcluster.d/ridehail.conf >/dev/null
    fi
    ;;
  esac
  heartbeat packages "apt-get update" "${as_root[@]}" apt-get -q update ||
    say packages "apt-get update failed; going on with the lists that are there"
  heartbeat packages "apt-get install $*" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" || fail "apt-get could not install: $*"
}

# find_java: prints the home of a JDK (with javac) of a version in JAVA_MAJORS
find_java() {
  local major home
  for major in $JAVA_MAJORS; do
    for home in "${RIDEHAIL_JAVA_HOME:-}" "${JAVA_HOME:-}" /usr/lib/jvm/java-"$major"-openjdk-* /usr/lib/jvm/*-"$major"-* /usr/lib/jvm/*-"$major"; do
      [ -x "$home/bin/javac" ] || continue
      grep -q "^JAVA_VERSION=\"${major}[.\"]" "$home/release" 2>/dev/null || continue
      echo "$home"
      return
    done
  done
  return 1
}
have_java() { find_java >/dev/null; }

# The newest distribution that still packages an older JDK decides: Debian 12 has 17, Debian 13 and Ubuntu 24.04 have 21.
java_package() {
  local major
  for major in $JAVA_MAJORS; do
    if apt-cache show "openjdk-$major-jdk-headless" >/dev/null 2>&1; then
      echo "openjdk-$major-jdk-headless"
      return
    fi
  done
  echo "openjdk-${JAVA_MAJORS%% *}-jdk-headless"
}

need_java() {
  have_java || need_packages "?have_java:$(java_package)"
  JAVA_DIR=$(find_java) || fail "no JDK of version ${JAVA_MAJORS// / or } was found" "set RIDEHAIL_JAVA_HOME to one"
}

# versions_in NAME: the versions that docker/NAME's poms ask for (${druid.version} is DRUID_VERSION), as lines KEY VALUE
versions_in() {
  local key name
  # shellcheck disable=SC2016 # Maven's dollars
  for key in $(grep -rhoE --include=pom.xml '\$\{[a-z0-9.]+\.version\}' "$DOCKER_DIR/$1" | tr -d '${}' | LC_ALL=C sort -u); do
    name=${key^^}
    name=${name//./_}
    echo "$key ${!name}"
  done
}

# jars_dir NAME: where maven_jars puts the archives of docker/NAME. The name holds a hash of the poms, sources, versions
# and of what is done with them, so a changed pin makes a new folder, and two checkouts with different pins share the
# cache peacefully.
jars_dir() {
  local hash
  hash=$( (cd "$DOCKER_DIR/$1" && find . \( -name pom.xml -o -path '*/src/*' \) -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum &&
    versions_in "$1" && { declare -f "$1_unpack" || true; }) | sha256sum)
  printf '%s/servers/%s-%s' "$RIDEHAIL_CACHE" "$1" "${hash:0:12}"
}

# maven_jars NAME: fetches (and for modules of ours builds) what docker/NAME/pom.xml asks for; prints nothing if it is there.
# NAME_unpack DIRECTORY, if defined, then works on what came. Maven checks every file against the registry's checksum (-C) and keeps it in its usual local repository.
maven_jars() {
  local name=$1 dir tmp
  dir=$(jars_dir "$name")
  [ ! -d "$dir" ] || return 0
  mkdir -p "$RIDEHAIL_CACHE/servers"
  exec 8>"$RIDEHAIL_CACHE/servers/$name.lock"
  flock 8 # another stack may be fetching the same
  if [ ! -d "$dir" ]; then
    tmp=$dir.part
    rm -rf "$tmp"
    mkdir -p "$tmp"
    heartbeat "$name" "fetching jars from the Maven registry" maven "$name" "$tmp" ||
      heartbeat "$name" "fetching jars, second try" maven "$name" "$tmp" ||
      fail "Maven could not fetch the jars of $name" "the lines above are Maven's; a proxy or mirror belongs in ~/.m2/settings.xml"
    rm -rf "$tmp/build"
    ! declare -F "${name}_unpack" >/dev/null || "${name}_unpack" "$tmp"
    mv -T "$tmp" "$dir"
    say "$name" "$(find "$dir" -name '*.jar' | wc -l) jars, $(du -sm "$dir" | cut -f1) MB"
  fi
  exec 8>&-
}

maven() {
  local key value versions=()
  while read -r key value; do versions+=("-D$key=$value"); done < <(versions_in "$1")
  JAVA_HOME=$JAVA_DIR mvn -q -B -ntp -C -f "$DOCKER_DIR/$1/pom.xml" \
    -Dmaven.artifact.threads=10 -Druntime.dir="$2" -DoutputDirectory="$2" -DincludeScope=runtime \
    "${versions[@]}" package dependency:copy-dependencies 8>&- 9>&-
}

# Flags of every JVM here: the serial collector and the first compiler tier save memory and start-up time, which count
# more on a laptop than peak throughput.
JVM_FLAGS=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError -Duser.timezone=UTC -Dfile.encoding=UTF-8)
