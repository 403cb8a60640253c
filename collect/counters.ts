/** What a collector counts, for its log and for Prometheus. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";

/** Why something that was there to be read gives no reading. docs/guides/collectors.md says what each means. */
export const LOSS_REASONS = [
  "spool_full", // the spool has no room: the newest are left out
  "unreachable", // the device does not answer
  "exception", // the device answers that it does not have it
  "not_a_number", // NaN, infinite, a text or a list
  "late", // the read before took longer than the interval
  "bad_status", // OPC UA: the server says that the value is bad
  "overflow", // OPC UA: the queue of a node in the server was too short
] as const;
export type LossReason = (typeof LOSS_REASONS)[number];

const OUTCOMES = ["accepted", "duplicate", "conflicting", "rejected"] as const;
type Outcome = (typeof OUTCOMES)[number];

export type Counters = ReturnType<typeof createCounters>;

export function createCounters() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const totals = { spooled: 0, lost: 0, unchanged: 0 };
  const spooled = new Counter({
    name: "telltale_collect_spooled_total",
    help: "Readings stored in the spool",
    registers,
  });
  const settled = new Counter({
    name: "telltale_collect_settled_total",
    help: "Readings that the platform has settled, by outcome: accepted, duplicate, conflicting, rejected",
    labelNames: ["outcome"],
    registers,
  });
  const lost = new Counter({
    name: "telltale_collect_lost_total",
    help: "What was there to be read and gave no reading, by reason (docs/guides/collectors.md)",
    labelNames: ["reason"],
    registers,
  });
  const unchanged = new Counter({
    name: "telltale_collect_unchanged_total",
    help: "Values within the deadband, which are not sent",
    registers,
  });
  for (const reason of LOSS_REASONS) lost.inc({ reason }, 0);
  return {
    registry,
    totals: totals as Readonly<typeof totals>,
    waiting: new Gauge({
      name: "telltale_collect_spool_readings",
      help: "Readings in the spool that the platform has not settled",
      registers,
    }),
    spoolDamaged: new Counter({
      name: "telltale_collect_spool_damaged_total",
      help: "Parts of the spool that held no whole batch at the start and were left out; the log says where",
      registers,
    }),
    spoolFull: new Gauge({
      name: "telltale_collect_spool_full",
      help: "1 while the spool has no room",
      registers,
    }),
    platformConnected: new Gauge({
      name: "telltale_collect_platform_connected",
      help: "1 while the platform is connected",
      registers,
    }),
    sourceConnected: new Gauge({
      name: "telltale_collect_source_connected",
      help: "1 while the device, server or broker answers, by its address",
      labelNames: ["source"],
      registers,
    }),
    spooled(count: number): void {
      totals.spooled += count;
      spooled.inc(count);
    },
    lost(reason: LossReason, count = 1): void {
      totals.lost += count;
      lost.inc({ reason }, count);
    },
    unchanged(): void {
      totals.unchanged++;
      unchanged.inc();
    },
    /** @param counts from the start of the process */
    settled(counts: Readonly<Record<Outcome, bigint>>): void {
      settled.reset();
      for (const outcome of OUTCOMES) settled.inc({ outcome }, Number(counts[outcome]));
    },
  };
}
