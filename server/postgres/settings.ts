/**
 * For a laptop that also runs the platform. Every commit is on disk when it returns (fsync, synchronous_commit). Checkpoints are
 * rare, because each makes the following writes dearer (a tenth at full speed); but not rarer, because only they give files of the write-ahead
 * log free for reuse: an acknowledgement waits for each new one, 12 to 20 ms where it is filled with zeroes first, which it is not.
 */
export const settings: Readonly<Record<string, string>> = {
  listen_addresses: "",
  unix_socket_directories: ".",
  unix_socket_permissions: "0700",
  port: "5432",
  max_connections: "60",
  shared_buffers: "256MB",
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  wal_level: "minimal",
  max_wal_senders: "0",
  max_wal_size: "1GB",
  min_wal_size: "256MB",
  wal_buffers: "16MB",
  wal_init_zero: "off",
  checkpoint_timeout: "15min",
  checkpoint_completion_target: "0.9",
  effective_cache_size: "2GB",
  work_mem: "16MB",
  maintenance_work_mem: "128MB",
  random_page_cost: "1.1",
  max_locks_per_transaction: "256", // a query may touch hundreds of partitions
  max_worker_processes: "4",
  max_parallel_workers_per_gather: "0",
  jit: "off",
  autovacuum: "on",
  timezone: "UTC",
  log_timezone: "UTC",
  lc_messages: "C",
  log_min_messages: "log", // errors of statements go to whoever sent them
  log_line_prefix: "",
  log_checkpoints: "off",
};
