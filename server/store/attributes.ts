/** Attributes of sensors, by their changes. */
import type { PendingQuery, Row, Sql } from "postgres";
import type { Attributes } from "../../formats/attributes.ts";
import { jsonb } from "../postgres/literal.ts";

/** Attributes that hold from a time on, microseconds. */
export interface AttributeChange {
  readonly sensorId: string;
  readonly sinceUs: number;
  readonly attributes: Attributes;
}

/** Statements that store the changes in their order. Nothing in them can be refused. */
export function attributeStatements(changes: readonly AttributeChange[]): string[] {
  return rounds(changes).map((round) => {
    const rows = round.map(({ sensorId, sinceUs, attributes }) => ({
      sensor_id: sensorId,
      since_us: sinceUs,
      attributes,
    }));
    return `select put_sensor_attributes(${jsonb(rows)})`;
  });
}

/** The changes in lists in which no sensor is met twice: each is compared with those before it. */
function rounds(changes: readonly AttributeChange[]): AttributeChange[][] {
  const lists: AttributeChange[][] = [];
  const met = new Map<string, number>();
  for (const change of changes) {
    const round = met.get(change.sensorId) ?? 0;
    met.set(change.sensorId, round + 1);
    lists[round] ??= [];
    lists[round].push(change);
  }
  return lists;
}

/** The attributes that hold now, as a subselect; null where there are none. */
export function attributesOf(sql: Sql, sensorId: PendingQuery<Row[]>): PendingQuery<Row[]> {
  return sql`(select attributes from sensor_attributes a where a.sensor_id = ${sensorId} collate "C" order by since_us desc limit 1)`;
}
