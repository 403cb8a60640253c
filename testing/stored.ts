import pino from "pino";
import type { Sql } from "postgres";
import { pack, Rows } from "../server/scoring/rows.ts";
import type { Series } from "../server/scoring/sensors.ts";
import { createPostgresStore, openStoreSql } from "../server/store/postgres.ts";
import type { SeriesRow, Store } from "../server/store/store.ts";
import { createMigrated } from "./database-template.ts";

/** A reading to be stored; what is left out is drawn from the time, so that it can be told from others. */
export interface Given {
  readonly timeUs: number;
  readonly value: number;
  readonly late?: boolean;
  readonly anomaly?: boolean;
  /** Of an anomaly, steps of 1e-4; 5,000 where left out. */
  readonly score?: number;
  /** "C" where left out. */
  readonly unit?: string;
  /** Whether it has an expected value and a band; it has, where left out. */
  readonly judged?: boolean;
}

/** Expected value and half width of the band of a reading that is stored by `Stored`. */
export const STORED_EXPECTED = 0.25;
export const STORED_BAND = 1.5;

/** A database with commits made by the product's own packing and store, one partition. */
export class Stored {
  readonly sql: Sql;
  readonly store: Store;
  readonly #series = new Map<string, Series>();
  readonly #rows = new Rows(1024);
  #id = 1000 * 128;

  private constructor(sql: Sql, store: Store) {
    this.sql = sql;
    this.store = store;
  }

  /** Makes an empty database on the server of `url` and opens it. */
  static async create(url: string, name: string): Promise<Stored & { url: string }> {
    const own = await createMigrated(url, name);
    const sql = openStoreSql(own, 4);
    return Object.assign(new Stored(sql, createPostgresStore(own, pino({ level: "silent" }))), { url: own });
  }

  /** A copy of a database that nobody uses, in place of an earlier one of that name. */
  static async copy(url: string, from: string, to: string): Promise<{ sql: Sql; url: string }> {
    const admin = openStoreSql(url, 1);
    await admin.unsafe(`drop database if exists ${to}`);
    await admin.unsafe(`create database ${to} template ${from}`);
    await admin.end();
    const own = url.replace(/\/[^/]*$/, `/${to}`);
    return { sql: openStoreSql(own, 1), url: own };
  }

  async series(sensorId: string, sensorType = "temperature", unit = "C"): Promise<Series> {
    const key = unit === "C" ? sensorId : `${sensorId} ${unit}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const row: SeriesRow = { sensorId, sensorType, unit, location: undefined };
    const [id] = await this.store.addSeries(0, [row]);
    const series = { id: id!, slot: this.#series.size, ...row } as Series;
    this.#series.set(key, series);
    return series;
  }

  /** Stores readings in one commit: in order first, then the late ones. */
  async commit(given: ReadonlyMap<string, readonly Given[]>, model = "test/1"): Promise<void> {
    const number = await this.store.modelNumber(model);
    const rows = this.#rows;
    let count = 0;
    for (const list of given.values()) count += list.length;
    rows.clear(count);
    let firstLate = 0;
    for (const late of [false, true]) {
      if (late) firstLate = rows.points.length;
      for (const [sensorId, list] of given) {
        for (const g of list) {
          if ((g.late ?? false) === late) this.#add(rows, await this.series(sensorId, undefined, g.unit), g);
        }
      }
    }
    const packed = pack(rows, firstLate, number);
    const at = await this.store.readPartition(0);
    await this.store.commit({
      partition: 0,
      expectedOffset: at.nextOffset,
      next: { ...at, nextOffset: at.nextOffset + 1 },
      readings: rows.points.length,
      anomalies: packed.anomalies,
      late: rows.points.length - firstLate,
      blocks: packed.blocks,
      changes: packed.changes,
      alerts: [],
      events: [],
      metadata: [],
      chunks: [],
      outcomes: [],
      settings: [],
    });
  }

  #add(rows: Rows, series: Series, g: Given): void {
    this.#id += 128;
    const i = rows.add(series, g.timeUs, g.value, this.#id, g.late ? 1 : 0);
    const p = rows.points;
    const anomaly = g.anomaly === true && !g.late;
    p.confidence[i] = g.late ? 0 : Math.abs(Math.floor(g.timeUs / 1000)) % 10_000;
    p.anomaly[i] = anomaly ? 1 : 0;
    p.score[i] = anomaly ? (g.score ?? 5000) : 0;
    p.reason[i] = anomaly ? 3 : 0;
    const judged = !g.late && (g.judged ?? true);
    p.expected[i] = judged ? g.value + STORED_EXPECTED : Number.NaN;
    p.band[i] = judged ? STORED_BAND : Number.NaN;
  }

  async close(): Promise<void> {
    await this.store.close();
    await this.sql.end({ timeout: 1 });
  }
}
