"""History of telltale on Apache Spark: aggregates over windows of event time, from the log in Kafka to PostgreSQL."""
