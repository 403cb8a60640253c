import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { kafkaNeeds } from "../support/kafka.ts";
import { describeWith } from "../support/needs.ts";
import { compareWindows, fill, type Plant, startPlant } from "./plant.ts";
import { type SparkTools, sparkNeeds, sparkTools, submit } from "./tools.ts";

const job = join(import.meta.dirname, "../../deploy/spark/windows.py");
/** 2,000 sensors of 1,000 readings each with TELLTALE_SPARK_FULL=1; a fiftieth of that by itself. */
const full = process.env.TELLTALE_SPARK_FULL === "1";
const sensors = full ? 2000 : 200;
const readings = full ? 1000 : 200;
/** Whole minutes, so that the smaller history has few windows. */
const startUs = Math.floor(Date.now() / 60_000 - 24 * 60) * 60_000_000;

describeWith([...kafkaNeeds, ...sparkNeeds], "windows on Spark", () => {
  let plant: Plant;
  let tools: SparkTools;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp("/tmp/telltale-spark-");
    [tools, plant] = await Promise.all([sparkTools(), startPlant()]);
    await fill(plant, { sensors, readings, startUs });
  }, 400_000);
  afterAll(async () => {
    await plant?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("gives the figures that SQL gives over what is stored, also after kill -9 in the middle", async () => {
    const environment = {
      ...plant.environment,
      CHECKPOINT_DIR: join(folder, "checkpoint"),
      RECORDS_PER_BATCH: full ? "40" : "8",
      ONCE: "1",
    };
    const first = submit(tools, [job], environment);
    await first.line(/"batch": 2,/);
    await first.kill();
    const second = submit(tools, [job], environment);
    expect(await second.ended, second.lines.slice(-30).join("\n")).toBe(0);
    const { wanted, differing, example } = await compareWindows(plant.environment.DATABASE_URL);
    expect(wanted).toBeGreaterThan(sensors);
    expect(differing, JSON.stringify(example)).toBe(0);
    const [sums] = await plant.sql`select sum(readings)::int as readings, sum(anomalies)::int as anomalies
      from window_stats where kind = 'sensor' and width_s = 60`;
    const [stored] =
      await plant.sql`select sum(readings)::int as readings, sum(anomalies)::int as anomalies from series`;
    expect(sums).toEqual(stored);
    expect(stored!.anomalies).toBeGreaterThan(0);
  }, 600_000);
});
