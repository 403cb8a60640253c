import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ComponentHealthSchema } from "../../gen/es/telltale/v1/query_pb.ts";

/** One part of the platform: `ping` rejects with the reason when it does not answer. */
export interface Component {
  readonly name: "database" | "kafka" | "redis" | "model" | "scoring" | "mqtt";
  /** What it is while it answers, for example "embedded". */
  readonly detail: string;
  readonly ping: () => Promise<void>;
}

export interface HealthChecks {
  check(): Promise<MessageInitShape<typeof ComponentHealthSchema>[]>;
}

export function createHealthChecks(components: readonly Component[]): HealthChecks {
  return {
    check: () =>
      Promise.all(
        components.map(async ({ name, detail, ping }) => {
          try {
            await ping();
            return { name, healthy: true, detail };
          } catch (error) {
            return { name, healthy: false, detail: error instanceof Error ? error.message : String(error) };
          }
        }),
      ),
  };
}
