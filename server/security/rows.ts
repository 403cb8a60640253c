/** How many rows a question may bring: by them it counts against a quota and waits for its turn. */

/** Rows of an answer whose length the request does not say. */
const DEFAULT_ROWS = 100;
/** The same where the contract says another number. */
const ROWS_UNSAID: ReadonlyMap<string, number> = new Map([
  ["ListSensors", 10_000],
  ["AcknowledgeIncident", 1_000],
  ["ListTokens", 1_000],
  ["ListMaintenanceWindows", 1_000],
  // It looks at all sensors for a tenth of a second.
  ["GetAnomalyHeatmap", 5_000],
]);
/** Most buckets of one aggregate. */
const MAX_BUCKETS = 10_000;
/** Deeper than this no list skips. */
const MAX_SKIP = 1_000_000;
/** Columns of a chart, which are packed, that cost as much as a row. */
const COLUMNS_A_ROW = 10;
/** A row that is skipped costs so much less than one that is answered. */
const SKIPS_A_ROW = 10;

/** The same by request, where two services have a method of one name. */
const ROWS_UNSAID_OF: ReadonlyMap<string, number> = new Map([
  ["telltale.v1.RegistryServiceListSensorsRequest", DEFAULT_ROWS],
]);

interface Question {
  readonly $typeName?: string;
  readonly limit?: number;
  readonly offset?: bigint;
  readonly sensorIds?: readonly string[];
  readonly changes?: readonly unknown[];
  readonly alerts?: readonly unknown[];
  readonly bucketSeconds?: number;
  readonly columns?: number;
  readonly startTime?: { readonly seconds: bigint };
  readonly endTime?: { readonly seconds: bigint };
}

/** Rows that the answer of the method may have. */
export function rowsOf(method: string, message: object): number {
  const question = message as Question;
  const { $typeName = "", limit, sensorIds, changes, alerts, bucketSeconds, columns, startTime, endTime } = question;
  if (limit !== undefined) return limit;
  if (sensorIds !== undefined && columns !== undefined) return Math.ceil((sensorIds.length * columns) / COLUMNS_A_ROW);
  if (sensorIds !== undefined && sensorIds.length > 0) return sensorIds.length;
  if (changes !== undefined) return changes.length;
  if (alerts !== undefined) return alerts.length;
  if (bucketSeconds !== undefined) {
    const seconds = Number((endTime?.seconds ?? 0n) - (startTime?.seconds ?? 0n));
    return Math.min(MAX_BUCKETS, Math.max(0, Math.ceil(seconds / Math.max(1, bucketSeconds))));
  }
  return ROWS_UNSAID_OF.get($typeName) ?? ROWS_UNSAID.get(method) ?? DEFAULT_ROWS;
}

/** The same with what is skipped, which is looked at too. */
export function rowsRead(method: string, message: object): number {
  const skip = Math.min(Number((message as Question).offset ?? 0), MAX_SKIP);
  return rowsOf(method, message) + skip / SKIPS_A_ROW;
}
