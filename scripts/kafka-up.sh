#!/usr/bin/env bash
# A real Apache Kafka (KRaft) from Maven Central jars alone; needs Java 17 and Maven.
#   scripts/kafka-up.sh --jars           fetches the jars, prints their folder
#   scripts/kafka-up.sh --down DIR       stops the broker of DIR
#   scripts/kafka-up.sh DIR [PORT]       starts one broker with its data in DIR (default port 9092), in the background; prints
#                                        its process id and address. Does nothing when it runs already.
# Environment: KAFKA_VERSION (4.4.0), KAFKA_HEAP (512m), KAFKA_JARS (where the jars are kept)
set -euo pipefail

version=${KAFKA_VERSION:-4.4.0}
jars=${KAFKA_JARS:-${XDG_CACHE_HOME:-$HOME/.cache}/telltale/kafka-$version}
heap=${KAFKA_HEAP:-512m}

# need PROGRAM PACKAGE…: says all that is missing, then ends.
need() {
  local missing=0
  while [ $# -gt 0 ]; do
    command -v "$1" >/dev/null || { echo "kafka-up.sh: $1 is not installed (Debian: apt-get install $2)" >&2; missing=1; }
    shift 2
  done
  [ "$missing" -eq 0 ] || exit 1
}

fetch_jars() {
  [ -f "$jars/.complete" ] && return
  need java default-jre-headless mvn maven
  mkdir -p "$(dirname "$jars")"
  work=$(mktemp -d "$jars.XXXXXX") # several may fetch at once: the last one to move wins, all are the same
  trap 'rm -rf "$work"' EXIT
  cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>kafka-broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
  mvn -q -B -f "$work/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$work" >&2
  touch "$work/.complete"
  rm -rf "$jars"
  mv -T "$work" "$jars"
  trap - EXIT
}

is_running() { [ -s "$1" ] && kill -0 "$(<"$1")" 2>/dev/null && grep -qa kafka.Kafka "/proc/$(<"$1")/cmdline"; }

down() {
  local pidfile=$1/kafka.pid
  is_running "$pidfile" || return 0
  local pid
  pid=$(<"$pidfile")
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
  rm -f "$pidfile"
}

case ${1:-} in
  "" | -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
  --jars) fetch_jars; echo "$jars"; exit 0 ;;
  --down) down "${2:?usage: kafka-up.sh --down DIR}"; exit 0 ;;
esac

need java default-jre-headless setsid util-linux grep grep tail coreutils
dir=$(mkdir -p "$1" && cd "$1" && pwd)
port=${2:-9092}
controller=$((port + 1))
pidfile=$dir/kafka.pid
log=$dir/kafka.log
say() { echo "KAFKA_PID=$(<"$pidfile") KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:$port"; }

is_running "$pidfile" && { say; exit 0; }
fetch_jars
cat >"$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
PROPERTIES
if [ ! -f "$dir/data/meta.properties" ]; then
  java -cp "$jars/*" kafka.tools.StorageTool format -t AAAAAAAAQACAAAAAAAAAAQ -c "$dir/server.properties" >"$log" 2>&1 ||
    { cat "$log" >&2; exit 1; }
fi
before=$(wc -c <"$log" 2>/dev/null || echo 0)
setsid java -Xms128m "-Xmx$heap" -cp "$jars/*" kafka.Kafka "$dir/server.properties" >>"$log" 2>&1 </dev/null &
echo $! >"$pidfile"
trap 'down "$dir"' EXIT # until it is ready; setsid keeps signals of the terminal from it
# An open port is no sign that the broker is ready; this line of its log is.
for _ in $(seq 600); do
  is_running "$pidfile" || kill -0 "$(<"$pidfile")" 2>/dev/null || { tail -40 "$log" >&2; exit 1; }
  tail -c "+$((before + 1))" "$log" | grep -q "Kafka Server started" && { trap - EXIT; say; exit 0; }
  sleep 0.2
done
echo "kafka-up.sh: not ready after two minutes, see $log" >&2
exit 1
