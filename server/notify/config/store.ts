/** The configuration in PostgreSQL, with what it was before. */
import type { Row, Sql } from "postgres";
import { jsonText } from "../../postgres/literal.ts";
import type { TemplateFile } from "../templates/template.ts";

/** Earlier configurations that are kept. */
const KEPT = 100;
/** Of them, those that are tried: to read a large one takes half a second. */
const TRIED = 10;

export interface StoredConfig {
  /** Grows by one with each change; 0: nothing was ever applied. */
  readonly revision: number;
  readonly text: string;
  /** The files that it names. */
  readonly templates: readonly TemplateFile[];
  readonly appliedUs: number;
  readonly appliedBy: string;
}

/** What holds where nothing was applied: alerts are kept and shown, and nobody is notified. */
export const NO_CONFIG: StoredConfig = {
  revision: 0,
  text: "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n",
  templates: [],
  appliedUs: 0,
  appliedBy: "",
};

export async function readConfig(sql: Sql): Promise<StoredConfig> {
  const [row] = await sql`select * from notify_config order by revision desc limit 1`;
  return row === undefined ? NO_CONFIG : configOf(row);
}

/** Those that were in force before a revision, the newest first, of which one can be used where that cannot be read. */
export async function readConfigsBefore(sql: Sql, revision: number): Promise<StoredConfig[]> {
  const rows =
    await sql`select * from notify_config where revision < ${revision} order by revision desc limit ${TRIED}`;
  return rows.map(configOf);
}

/** Undefined where somebody else has applied one meanwhile. */
export async function writeConfig(
  sql: Sql,
  {
    after,
    ...config
  }: Omit<StoredConfig, "revision" | "templates"> & {
    readonly after: number;
    readonly templates?: readonly TemplateFile[];
  },
): Promise<StoredConfig | undefined> {
  const { text, templates = [], appliedUs, appliedBy } = config;
  const [row] = await sql`insert into notify_config (revision, text, templates, applied_us, applied_by)
    select ${after + 1}, ${text}, ${jsonText(templates)}::text::jsonb, ${appliedUs}, ${appliedBy}
    where (select coalesce(max(revision), 0) from notify_config) = ${after}
    on conflict (revision) do nothing returning *`;
  await sql`delete from notify_config where revision <= ${after + 1 - KEPT}`;
  return row && configOf(row);
}

function configOf(r: Row): StoredConfig {
  return {
    revision: r.revision,
    text: r.text,
    templates: r.templates,
    appliedUs: r.applied_us,
    appliedBy: r.applied_by,
  };
}
