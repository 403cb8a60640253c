/** Profiles in PostgreSQL. Written directly, not through the log: no score depends on them. */
import type { Row, Sql } from "postgres";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";
import { transaction } from "../postgres/transaction.ts";
import { type Change, differenceOf, EMPTY_PROFILE, type FieldDifference, type Profile } from "./profile.ts";

/** Any constant of our own; renames take it, too. Changes are rare, and by people: one at a time is simpler than any order of locks. */
const LOCK = 7_351_909_410;

export type DifferenceKind = "created" | "changed" | "unchanged";

export interface Difference {
  readonly sensorId: string;
  readonly kind: DifferenceKind;
  readonly fields: readonly FieldDifference[];
}

/** Who changes profiles, and how. */
export interface Changer {
  /** For the record. */
  readonly who: string;
  /** Whether he may know of a sensor. */
  readonly sees: (sensorId: string) => boolean;
  readonly dryRun: boolean;
}

export class Profiles {
  readonly #sql: Sql;
  readonly #clock: Clock;

  constructor(sql: Sql, clock: Clock) {
    this.#sql = sql;
    this.#clock = clock;
  }

  /**
   * Makes all changes, or none, and says what each changed, in their order. Each sensor may be in them once.
   *
   * @throws TelltaleError "conflict" where a change is based on another revision, or its id leads to a sensor of another one
   */
  apply(changes: readonly Change[], { who, sees, dryRun }: Changer): Promise<Difference[]> {
    return transaction(this.#sql, async (tx) => {
      if (!dryRun) await tx`select pg_advisory_xact_lock(${LOCK})`;
      await checkNames(
        tx,
        changes.map(({ sensorId }) => sensorId),
        sees,
      );
      const before = await read(
        tx,
        changes.map(({ sensorId }) => sensorId),
      );
      for (const change of changes) checkRevision(change, before.get(change.sensorId)?.revision ?? 0);
      const differences = changes.map(({ sensorId, fields }) => {
        const profile = before.get(sensorId);
        const different = differenceOf(profile ?? EMPTY_PROFILE, fields);
        const kind = profile === undefined ? "created" : different.length > 0 ? "changed" : "unchanged";
        return { sensorId, kind, fields: different } as const;
      });
      const rows = changes
        .filter((_, i) => differences[i]!.kind !== "unchanged")
        .map((change) => rowOf(change, before.get(change.sensorId), { who, nowUs: this.#clock.nowUs() }));
      if (!dryRun && rows.length > 0) await write(tx, rows);
      return differences;
    });
  }
}

function checkRevision({ sensorId, revision }: Change, is: number): void {
  if (revision === undefined || revision === is) return;
  throw new TelltaleError(
    "conflict",
    `the profile of ${quoted(sensorId)} is at revision ${is}, not ${revision}: somebody changed it meanwhile; read it again`,
  );
}

/** A sensor that was renamed since the call came in, or is not the caller's any more, has its profile under another id. */
async function checkNames(sql: Sql, sensorIds: readonly string[], sees: Changer["sees"]): Promise<void> {
  const [other] = await sql`select name, sensor_shown(key) as shown from sensor_name where not current
    and name in (select jsonb_array_elements_text(${JSON.stringify(sensorIds)}::text::jsonb)) limit 1`;
  if (other === undefined) return;
  throw new TelltaleError(
    "conflict",
    sees(other.shown)
      ? `${quoted(other.name)} leads to the sensor ${quoted(other.shown)}, which was renamed meanwhile: name it by that id`
      : `${quoted(other.name)} leads to a sensor of another id: a profile cannot be given to it`,
  );
}

async function read(sql: Sql, sensorIds: readonly string[]): Promise<Map<string, Profile>> {
  const rows = await sql`select * from sensor_profile
    where sensor_id in (select jsonb_array_elements_text(${JSON.stringify(sensorIds)}::text::jsonb))`;
  return new Map(rows.map((r) => [r.sensor_id as string, profileOf(r)]));
}

export function profileOf(r: Row): Profile {
  return {
    sensorId: r.sensor_id,
    displayName: r.display_name,
    description: r.description,
    owner: r.owner,
    runbookUrl: r.runbook_url,
    asset: r.asset,
    tags: r.tags,
    attributes: r.attributes,
    revision: r.revision,
    updatedUs: r.updated_us,
    updatedBy: r.updated_by,
  };
}

function rowOf({ sensorId, fields }: Change, before: Profile | undefined, by: { who: string; nowUs: number }) {
  const { displayName, description, owner, runbookUrl, asset, tags, attributes } = {
    ...(before ?? EMPTY_PROFILE),
    ...fields,
  };
  return {
    sensor_id: sensorId,
    display_name: displayName,
    ...{ description, owner, asset, tags, attributes },
    runbook_url: runbookUrl,
    revision: (before?.revision ?? 0) + 1,
    updated_us: by.nowUs,
    updated_by: by.who,
  };
}

async function write(tx: Sql, rows: readonly ReturnType<typeof rowOf>[]): Promise<void> {
  await tx`
    insert into sensor_profile as p (sensor_id, display_name, description, owner, runbook_url, asset, tags, attributes, revision,
        updated_us, updated_by)
      select * from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as x(sensor_id text, display_name text, description text,
        owner text, runbook_url text, asset text, tags jsonb, attributes jsonb, revision bigint, updated_us bigint, updated_by text)
      on conflict (sensor_id) do update set display_name = excluded.display_name, description = excluded.description,
        owner = excluded.owner, runbook_url = excluded.runbook_url, asset = excluded.asset, tags = excluded.tags,
        attributes = excluded.attributes, revision = excluded.revision, updated_us = excluded.updated_us,
        updated_by = excluded.updated_by, changed = excluded.changed`;
}
