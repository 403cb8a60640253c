/** What commits store of sensors that people retire, delete or put into assets. */
import { jsonb } from "../postgres/literal.ts";
import type { Commit } from "./store.ts";

/** Statements for after everything else that the commit stores of sensors. */
export function lifeCycleStatements(
  commits: readonly Pick<Commit, "retirements" | "deletions" | "placements">[],
): string[] {
  const retirements = commits.flatMap((c) => c.retirements ?? []);
  const deletions = commits.flatMap((c) => c.deletions ?? []);
  const placements = commits.flatMap((c) => c.placements ?? []);
  const statements: string[] = [];
  if (placements.length > 0) {
    const rows = placements.map(({ partition, sensorId, asset }, place) => ({
      ...{ place, partition, sensor_key: sensorId, asset },
    }));
    statements.push(`select place_sensors(${jsonb(rows)})`);
  }
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
    statements.push(`select delete_sensors(${jsonb(rows)})`, `select forget_places(${jsonb(rows)})`);
  }
  return statements;
}
