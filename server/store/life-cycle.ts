/** What commits store of sensors that people retire or delete. */
import { jsonb } from "../postgres/literal.ts";
import type { Commit } from "./store.ts";

/** Statements for after everything else that the commit stores of sensors. */
export function lifeCycleStatements(commits: readonly Pick<Commit, "retirements" | "deletions">[]): string[] {
  const retirements = commits.flatMap((c) => c.retirements ?? []);
  const deletions = commits.flatMap((c) => c.deletions ?? []);
  const statements: string[] = [];
  if (retirements.length > 0) {
    const rows = retirements.map(({ sensorId, retired, atUs, by }) => ({
      ...{ sensor_id: sensorId, retired_us: retired ? atUs : null, retired_by: by },
    }));
    statements.push(`select retire_sensors(${jsonb(rows)})`);
  }
  if (deletions.length > 0) {
    const rows = deletions.map(({ partition, offset, sensorId, firstId, atUs, by }) => ({
      ...{ partition, log_offset: offset, sensor_id: sensorId, first_id: firstId, deleted_us: atUs, deleted_by: by },
    }));
    statements.push(`select delete_sensors(${jsonb(rows)})`);
  }
  return statements;
}
