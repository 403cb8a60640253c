/** A list of sensors of any length: pages of a thousand, loaded one behind the other as far as somebody looks, kept in few words each. */
import type { RegisteredSensor, SensorSort } from "../../gen/web/telltale/v1/registry_pb.ts";
import { msOf } from "./format.ts";
import { isCanceled, type Problem, problemOf } from "./problems.ts";
import { type SensorStateName, sensorStateName } from "./sensor-state.ts";
import { registryApi } from "./services/registry.ts";
import { type SeverityName, severityName } from "./severity.ts";

const PAGE = 1_000;

export interface SensorRow {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly asset: string;
  readonly owner: string;
  readonly state: SensorStateName;
  readonly openAlerts: number;
  readonly worst: SeverityName;
  readonly lastMs: number | undefined;
}

export interface SensorQuery {
  readonly search: string;
  readonly matchers: readonly string[];
  readonly sort: SensorSort;
  readonly descending: boolean;
}

export type Counts = Readonly<Record<"total" | SensorStateName, number>>;

export class SensorList {
  rows = $state.raw<readonly SensorRow[]>([]);
  counts = $state.raw<Counts>();
  problem = $state.raw<Problem>();
  loading = $state(true);
  readonly #query: SensorQuery;
  readonly #ending = new AbortController();
  #token = "";
  #ended = false;
  /** As far as somebody looks. */
  #wanted = 1;
  #running = false;

  constructor(query: SensorQuery) {
    this.#query = query;
    void this.#run();
  }

  /** All that match, as far as it is known. */
  get length(): number {
    return this.#ended ? this.rows.length : Math.max(this.rows.length, this.counts?.total ?? 0);
  }

  /** Loads until this row is there. */
  want(index: number): void {
    if (index + 1 <= this.#wanted) return;
    this.#wanted = index + 1;
    void this.#run();
  }

  again(): void {
    this.problem = undefined;
    void this.#run();
  }

  close(): void {
    this.#ending.abort();
  }

  async #run(): Promise<void> {
    if (this.#running || this.problem !== undefined) return;
    this.#running = true;
    try {
      while (!this.#ended && this.rows.length < this.#wanted) await this.#page();
    } catch (error) {
      if (!isCanceled(error)) this.problem = problemOf(error, "Sensors");
    } finally {
      this.#running = false;
      this.loading = false;
    }
  }

  async #page(): Promise<void> {
    this.loading = true;
    const first = this.#token === "";
    const { search, sort, descending } = this.#query;
    const request = {
      search,
      matchers: [...this.#query.matchers],
      sort,
      descending,
      limit: PAGE,
      pageToken: this.#token,
      withCounts: first,
    };
    const { sensors, nextPageToken, counts } = await registryApi.listSensors(request, { signal: this.#ending.signal });
    if (counts !== undefined) {
      const numbers = {
        alerting: Number(counts.alerting),
        stale: Number(counts.stale),
        ok: Number(counts.ok),
        retired: Number(counts.retired),
      };
      this.counts = { ...numbers, total: Number(counts.total) + numbers.retired };
    }
    this.#token = nextPageToken;
    this.#ended = nextPageToken === "";
    this.rows = [...this.rows, ...sensors.map(rowOf)];
  }
}

function rowOf(sensor: RegisteredSensor): SensorRow {
  const [newest] = sensor.series;
  return {
    ...{ id: sensor.sensorId, name: sensor.displayName, asset: sensor.asset, owner: sensor.owner },
    ...{ type: newest?.sensorType ?? "", unit: newest?.unit ?? "", state: sensorStateName(sensor.state) },
    ...{ openAlerts: Number(sensor.openAlerts), worst: severityName(sensor.worstSeverity) },
    lastMs: sensor.lastReading === undefined ? undefined : msOf(sensor.lastReading),
  };
}
