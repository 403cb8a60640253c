/**
 * `node bench/answering.ts`: what a sample of remote_write costs the thread that answers, from the body to the record for the log, alone in a
 * process. Senders have a sample of each of their series in a request, as a scrape has.
 */
import { Acceptor } from "../server/ingest/accept.ts";
import { Identities } from "../server/ingest/protocols/identity.ts";
import { mappedToNothing, mapSeries } from "../server/ingest/protocols/prometheus/map.ts";
import { parseWrite } from "../server/ingest/protocols/prometheus/parse.ts";
import { uncompress } from "../server/ingest/protocols/prometheus/snappy.ts";
import { SeriesTable } from "../server/ingest/series.ts";
import { labels1, writeRequest1 } from "../testing/remote-write.ts";

const SENDERS = 8;
const SERIES = 2_000;
const STEPS = 3;
const [WARM_ROUNDS, ROUNDS] = [6, 12];
const MAX_BYTES = 1e8;

const startMs = Date.now() - 86_400_000;
const identities = new Identities();
const acceptor = new Acceptor(new SeriesTable(4));
const rules = { nowUs: Date.now() * 1_000, maxAheadUs: 0, oldestUs: 0, mayWrite: () => true };
const head = { producer: "", epoch: 0n, sequence: 0n, traceparent: "", echo: false };

function body(sender: number, step: number): Uint8Array {
  const timeseries = Array.from({ length: SERIES }, (_, i) => ({
    labels: labels1({
      ...{ __name__: "bench_celsius", instance: `host-${sender}:9100`, job: "plant" },
      ...{ line: String(i % 7), machine: `machine-${i}` },
    }),
    samples: [
      {
        timestamp: BigInt(startMs + step * 1_000),
        value: Math.round(2150 + 300 * Math.sin(step / 50 + i)) / 100,
      },
    ],
  }));
  return writeRequest1({ timeseries }).body;
}

function take(packed: Uint8Array): void {
  const to = mappedToNothing();
  for (const series of parseWrite(uncompress(packed, MAX_BYTES), 1).series) mapSeries(series, identities, to);
  for (const batch of to.samples.batches()) {
    const { rejected, refusals, logged } = acceptor.accept({ ...head, ...batch }, rules);
    if (rejected > 0) throw new Error(refusals[0]!.message);
    logged();
  }
}

const bodies = Array.from({ length: SENDERS * STEPS }, (_, k) => body(k % SENDERS, Math.floor(k / SENDERS)));
for (let round = 0; round < WARM_ROUNDS; round++) bodies.forEach(take);
const before = process.cpuUsage();
for (let round = 0; round < ROUNDS; round++) bodies.forEach(take);
const { user, system } = process.cpuUsage(before);
console.log(`${((user + system) / (ROUNDS * bodies.length * SERIES)).toFixed(2)} µs of CPU a sample`);
