/**
 * Sensors as people know them. Display data: read from the store and written to it directly, never through the log, so that nothing of it
 * can change a score. Retirements and deletions, which can, come to the store through the log, and are only read here.
 */
import type { Sql } from "postgres";
import type { Clock } from "../clock.ts";
import type { Logger } from "../observe/logger.ts";
import { readersBehind } from "../store/names.ts";
import { type AssetTree, assetTree } from "./assets.ts";
import { countAlerts, type DeletionDetails, type DeletionFilter, listDeletions, newestDeletions } from "./deletions.ts";
import { readDetails, type SensorDetails } from "./details.ts";
import type { SensorTest } from "./filter.ts";
import { type Found, findSensors, type Searched, sensorTest, visitSensors, type Wanted } from "./find.ts";
import type { Fleet } from "./fleet.ts";
import type { Change } from "./profile.ts";
import { type Changer, type Difference, Profiles } from "./profiles.ts";
import { completeRename, namesVersion, type Renaming, type Reserved, releaseName, reserveName } from "./rename.ts";
import { FleetSync } from "./sync.ts";

export interface Visit {
  readonly tests: readonly SensorTest[];
  readonly visit: (slot: number) => boolean;
}

export class Registry {
  readonly #sql: Sql;
  readonly #clock: Clock;
  readonly #profiles: Profiles;
  readonly #fleet: FleetSync;

  constructor({ sql, clock, logger }: { sql: Sql; clock: Clock; logger: Logger }) {
    this.#sql = sql;
    this.#clock = clock;
    this.#profiles = new Profiles(sql, clock);
    this.#fleet = new FleetSync({ sql, logger, nowMs: clock.monotonicMs });
  }

  /** In the order asked for, without those that have neither a profile nor a reading. */
  get(sensorIds: readonly string[]): Promise<SensorDetails[]> {
    return readDetails(this.#sql, sensorIds);
  }

  async find(wanted: Omit<Wanted, "nowUs">): Promise<Found> {
    return findSensors(await this.#fleet.current(), { ...wanted, nowUs: this.#clock.nowUs() });
  }

  /** A test of single sensors, by id. */
  async sensorTest(searched: Omit<Searched, "nowUs">): Promise<(sensorId: string) => boolean> {
    return sensorTest(await this.#fleet.current(), { ...searched, nowUs: this.#clock.nowUs() });
  }

  /**
   * Goes through a caller's sensors in byte order of their ids.
   *
   * @param look is given what is known of all sensors; answers which of them to visit, and what with; `visit` answers false to stop
   */
  async visit(sensorPrefix: string, look: (fleet: Fleet) => Visit): Promise<void> {
    const fleet = await this.#fleet.current();
    const { tests, visit } = look(fleet);
    await visitSensors(fleet, { sensorPrefix, tests }, visit);
  }

  async assets(wanted: { prefix: string; depth: number; sensorPrefix: string }): Promise<AssetTree> {
    return assetTree(await this.#fleet.current(), { ...wanted, nowUs: this.#clock.nowUs() });
  }

  /** @throws TelltaleError "conflict" as `Profiles.apply` does: nothing is changed then */
  apply(changes: readonly Change[], by: Changer): Promise<Difference[]> {
    return this.#profiles.apply(changes, by);
  }

  deletions(filter: DeletionFilter): Promise<DeletionDetails[]> {
    return listDeletions(this.#sql, filter);
  }

  /** What the log knows the sensors by, in their order. */
  async keysOf(sensorIds: readonly string[]): Promise<string[]> {
    const rows = await this.#sql`select sensor_key(id) as key
      from jsonb_array_elements_text(${JSON.stringify(sensorIds)}::text::jsonb) with ordinality x(id, place) order by place`;
    return rows.map((r) => r.key as string);
  }

  reserveName(renaming: Renaming): Promise<Reserved> {
    return reserveName(this.#sql, renaming);
  }

  releaseName(renaming: Renaming): Promise<void> {
    return releaseName(this.#sql, renaming);
  }

  completeRename(renaming: Renaming, partition: number): Promise<"done" | "gone" | "taken"> {
    return completeRename(this.#sql, renaming, partition);
  }

  namesVersion(): Promise<number> {
    return namesVersion(this.#sql);
  }

  /** Processes that take readings by names of before. */
  readersBehind(version: number): Promise<number> {
    return readersBehind(this.#sql, version);
  }

  /** The newest deletion of each of the sensors that were ever deleted. */
  newestDeletions(sensorIds: readonly string[]): Promise<DeletionDetails[]> {
    return newestDeletions(this.#sql, sensorIds);
  }

  countAlerts(sensorIds: readonly string[]): Promise<Map<string, number>> {
    return countAlerts(this.#sql, sensorIds);
  }

  close(): void {
    this.#fleet.close();
  }
}
