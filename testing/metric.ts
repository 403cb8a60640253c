import { setTimeout as delay } from "node:timers/promises";

/** The value of the first series of a metrics page that begins so, for example `telltale_connections` or `name{label="x"}`; 0 without one. */
export async function metric(http: string, series: string): Promise<number> {
  const page = await (await fetch(`${http}/api/v1/monitoring/metrics`)).text();
  const line = page.split("\n").find((each) => each.startsWith(series));
  return line === undefined ? 0 : Number(line.split(" ").at(-1));
}

/** For what nothing announces: looks again until it holds; the test's own time-out ends it. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await delay(50);
}
