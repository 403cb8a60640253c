#!/bin/sh
# What a container of this image is:
#   master    of a Spark cluster, on port 7077          worker    of the cluster at SPARK_MASTER
#   connect   Spark Connect on port 15002, its work done by SPARK_MASTER (without: by itself)
#   windows   the streaming job
# Further arguments go to the program.
set -e
command=${1:-connect}
[ $# -eq 0 ] || shift
memory=${SPARK_DRIVER_MEMORY:-1g}
address=$(hostname -i | cut -d ' ' -f 1)
case $command in
  master)
    exec spark-class org.apache.spark.deploy.master.Master --host "$address" --port "${SPARK_MASTER_PORT:-7077}" --webui-port 8080 "$@"
    ;;
  worker)
    exec spark-class org.apache.spark.deploy.worker.Worker --host "$address" --webui-port 8081 --work-dir /tmp/work \
      --cores "${SPARK_WORKER_CORES:-2}" --memory "${SPARK_WORKER_MEMORY:-2g}" "$@" "${SPARK_MASTER:?the cluster, spark://host:7077}"
    ;;
  connect)
    exec spark-submit --master "${SPARK_MASTER:-local[*]}" --driver-memory "$memory" --conf spark.ui.enabled=false \
      --conf "spark.driver.host=$address" --conf spark.connect.grpc.binding.address=0.0.0.0 \
      --conf "spark.connect.grpc.binding.port=${SPARK_CONNECT_PORT:-15002}" \
      "$@" --class org.apache.spark.sql.connect.service.SparkConnectServer spark-internal
    ;;
  windows)
    exec spark-submit --master "${SPARK_MASTER:-local[*]}" --driver-memory "$memory" --conf spark.ui.enabled=false \
      --conf "spark.driver.host=$address" --conf "spark.sql.shuffle.partitions=${SHUFFLE_PARTITIONS:-4}" \
      "$@" "$(dirname "$0")/windows.py"
    ;;
  *)
    echo "entrypoint.sh: $command is not known; wanted master, worker, connect or windows" >&2
    exit 2
    ;;
esac
