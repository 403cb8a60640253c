/** How long lists of the registry take beside very many sensors: in the platform as a whole, from a client's view. */
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import postgres from "postgres";
import { RegistryService, SensorSort } from "../gen/es/telltale/v1/registry_pb.ts";
import { startPlatform } from "../testing/platform.ts";
import { cpuOf, difference, sum } from "./cpu.ts";
import type { StorageRow } from "./storage-queries.ts";

const RUNS = 40;
const PAGE = 100;

type List = Parameters<Client<typeof RegistryService>["listSensors"]>[0];

/** By name: what is asked for in run `i`. Texts that differ from run to run are looked for anew each time. */
const CASES: Readonly<Record<string, (i: number) => List>> = {
  list: () => ({}),
  list_counted: () => ({ withCounts: true }),
  by_name: () => ({ sort: SensorSort.NAME }),
  by_last_reading: () => ({ sort: SensorSort.LAST_READING, descending: true }),
  by_severity: () => ({ sort: SensorSort.SEVERITY, descending: true }),
  search_common: () => ({ search: "press" }),
  search_one: (i) => ({ search: `SN-${String(i * 4_637).padStart(7, "0")}` }),
  search_nothing: (i) => ({ search: `nothing ${i}` }),
  match_attribute: (i) => ({ matchers: [`line="${i}"`, 'site!="site-1"'] }),
  match_counted: (i) => ({ matchers: [`line=~"${i}|${i + 1}"`, 'state!="alerting"'], withCounts: true }),
  match_regex_id: (i) => ({ matchers: [`sensor_id=~".*/machine-${i}/.*"`] }),
  match_regex_serial: (i) => ({ matchers: [`serial=~"SN-0*${i * 4_637}"`] }),
  match_regex_any_case: (i) => ({ matchers: [`serial=~"(?i)sn-0*${i * 4_637}"`] }),
  tree: () => ({}),
};

/** @param sensors with eight attributes each; one in ten has a profile, one in fifty an open alert */
export async function registryRows(sensors: number): Promise<StorageRow[]> {
  const platform = await startPlatform();
  try {
    await fill(`${platform.dataDir}/postgres/.s.PGSQL.5432`, sensors);
    const registry = createClient(RegistryService, createGrpcTransport({ baseUrl: platform.grpc }));
    const pids = [platform.process.pid!];
    const [began, before] = [performance.now(), cpuOf(pids)];
    await registry.listSensors({ limit: PAGE });
    const startMs = performance.now() - began;
    const rows = [row("registry_start_ms", [startMs], { sensors, cpu_ms: cpuMs(pids, before, 1) })];
    for (const [name, asked] of Object.entries(CASES)) {
      const call = async (i: number) => {
        if (name === "tree") return (await registry.getAssetTree({ depth: 2 })).nodes.length;
        return (await registry.listSensors({ limit: PAGE, ...asked(i) })).sensors.length;
      };
      await call(RUNS + 1);
      const ms: number[] = [];
      const used = cpuOf(pids);
      let found = 0;
      for (let i = 0; i < RUNS; i++) {
        const started = performance.now();
        found = await call(i);
        ms.push(performance.now() - started);
      }
      rows.push(row(`registry_${name}_ms`, ms, { found, cpu_ms: cpuMs(pids, used, RUNS) }));
    }
    return rows;
  } finally {
    await platform.stop();
  }
}

/** CPU time of the platform and its database for each call: what a machine that does nothing else would take. */
function cpuMs(pids: readonly number[], before: ReadonlyMap<string, number>, calls: number): number {
  return Math.round((1e4 * sum(difference(before, cpuOf(pids)))) / calls) / 10;
}

/** The 95th percentile, with the median beside it. */
function row(name: string, ms: readonly number[], beside: Record<string, unknown>): StorageRow {
  const sorted = [...ms].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  return { name, value: at(0.95), unit: "ms", beside: { p50: Math.round(100 * at(0.5)) / 100, ...beside } };
}

/** As ingest would have stored them, by SQL: two hundred thousand sensors take it minutes. */
export async function fill(path: string, sensors: number): Promise<void> {
  const sql = postgres({ path, database: "telltale", username: "telltale", max: 1, onnotice: () => {} });
  const id = `'site-' || i % 20 || '/line-' || i % 200 || '/machine-' || i % 5000 || '/' || i`;
  const nowUs = Date.now() * 1_000;
  try {
    await sql.unsafe(`
      insert into series (partition, sensor_id, sensor_type, unit, location, readings, first_us, newest_us, last_us, last_id, last_value,
          last_score, last_anomaly)
        select 0, ${id}, (array['temperature', 'pressure', 'vibration'])[i % 3 + 1], (array['C', 'bar', 'mm/s'])[i % 3 + 1],
          'hall ' || i % 40, 1000, ${nowUs} - 86400000000, ${nowUs} - i * 10000::bigint, ${nowUs} - i * 10000::bigint, i, 1, 0, false
        from generate_series(1, ${sensors}) i;
      insert into sensor_attributes (sensor_id, since_us, attributes)
        select ${id}, ${nowUs}, jsonb_build_object('site', 'site-' || i % 20, 'line', (i % 200)::text, 'machine', 'press-' || i % 5000,
          'maker', (array['Siemens', 'Bosch', 'Balluff', 'ifm'])[i % 4 + 1], 'model', 'M' || i % 300, 'serial',
          'SN-' || lpad(i::text, 7, '0'), 'firmware', '1.' || i % 30, 'room', (i % 1000)::text)
        from generate_series(1, ${sensors}) i;
      insert into sensor_profile (sensor_id, display_name, owner, asset, tags, revision, updated_us, updated_by)
        select ${id}, 'Press ' || i, 'team ' || i % 50, 'site-' || i % 20 || '/line-' || i % 200 || '/machine-' || i % 5000,
          jsonb_build_array('t' || i % 7), 1, ${nowUs}, 'bench'
        from generate_series(1, ${sensors}, 10) i;
      insert into alert (id, partition, sensor_id, sensor_type, alert_type, severity, message, score, value, opened_us, last_seen_us, state,
          readings, detector, confidence, model_version)
        select i, 0, ${id}, 'temperature', 'anomaly_detection', i % 4 + 1, '', 0.9, 1, ${nowUs}, ${nowUs}, 1, 3, 'value', 0.99, ''
        from generate_series(1, ${sensors}, 50) i;
      analyze;`);
  } finally {
    await sql.end();
  }
}
