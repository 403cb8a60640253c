import type { Interceptor } from "@connectrpc/connect";
import type { Sql } from "postgres";
import { TelltaleError } from "../errors.ts";
import { principalKey } from "../rpc/principal.ts";
import { quote } from "../rpc/validate.ts";

export interface AuditRow {
  readonly id: number;
  readonly at: Date;
  readonly principal: string;
  readonly action: string;
  readonly target: string;
  readonly detail: string;
}

interface Entry {
  readonly action: string;
  readonly target: (request: Fields, response: Fields) => string;
  readonly detail?: (request: Fields) => string;
}

// biome-ignore lint/suspicious/noExplicitAny: each row knows its own request
type Fields = any;

/** What is written down, by "service/method": everything that a person decides. */
export const audited: Readonly<Record<string, Entry>> = {
  "telltale.v1.AlertService/AcknowledgeAlert": {
    action: "alert.acknowledge",
    target: ({ alertId }) => `alert ${alertId}`,
  },
  "telltale.v1.AlertService/ResolveAlert": {
    action: "alert.resolve",
    target: ({ alertId }) => `alert ${alertId}`,
    detail: ({ comment }) => comment,
  },
  "telltale.v1.DetectorService/LabelAlert": {
    action: "alert.label",
    target: ({ alertId }) => `alert ${alertId}`,
    detail: ({ correct, withdraw, comment }) =>
      [withdraw ? "taken back" : correct ? "right" : "wrong", comment].join(" "),
  },
  "telltale.v1.DetectorService/SetDetectorConfig": {
    action: "detector.configure",
    target: ({ config }) => `sensor type ${quote(config?.sensorType)}`,
    detail: ({ config }) => JSON.stringify({ ...config, $typeName: undefined }),
  },
  "telltale.v1.DetectorService/CreateMaintenanceWindow": {
    action: "maintenance.create",
    target: (_, { window }) => `window ${window?.id ?? ""}`,
  },
  "telltale.v1.DetectorService/DeleteMaintenanceWindow": {
    action: "maintenance.delete",
    target: ({ id }) => `window ${id}`,
  },
  "telltale.v1.AdminService/CreateToken": {
    action: "token.create",
    target: (_, { token }) => `token ${token?.id}`,
    detail: ({ token }) => `name ${quote(token?.name)}, scopes ${token?.scopes}, prefix ${quote(token?.sensorPrefix)}`,
  },
  "telltale.v1.AdminService/RevokeToken": { action: "token.revoke", target: ({ id }) => `token ${id}` },
};

/** The record of who did what: rows are added, never changed (the database refuses it). */
export class Audit {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async add({ principal, action, target, detail }: Omit<AuditRow, "id" | "at">): Promise<void> {
    await this.#sql`
      insert into audit_event (principal, action, target, detail) values (${principal}, ${action}, ${target}, ${detail})`;
  }

  /** Newest first; `beforeId` 0 begins at the newest. */
  async list(limit: number, beforeId: number): Promise<AuditRow[]> {
    const before = beforeId === 0 ? Number.MAX_SAFE_INTEGER : beforeId;
    const rows = await this.#sql`select * from audit_event where id < ${before} order by id desc limit ${limit}`;
    return rows.map((row) => ({ ...(row as unknown as AuditRow), id: Number(row.id) }));
  }

  /**
   * Writes down each call of the table that succeeded, before it is answered: an answer means that it is on record. Where it
   * cannot be, the call fails with UNAVAILABLE; every one of them may be repeated.
   */
  readonly interceptor: Interceptor = (next) => async (request) => {
    const entry = audited[`${request.service.typeName}/${request.method.name}`];
    const response = await next(request);
    if (entry === undefined || request.stream || response.stream) return response;
    const principal = request.contextValues.get(principalKey).name;
    const target = entry.target(request.message, response.message);
    const detail = entry.detail?.(request.message) ?? "";
    try {
      await this.add({ principal, action: entry.action, target, detail: clean(detail) });
    } catch (error) {
      throw new TelltaleError("unavailable", "The change was made but could not be put on record: repeat it", {
        cause: error,
        retryAfterMs: 1_000,
      });
    }
    return response;
  };
}

/** PostgreSQL's text has no NUL. */
function clean(text: string): string {
  return text.replaceAll("\0", "");
}
