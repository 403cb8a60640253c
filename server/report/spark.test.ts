import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pino from "pino";
import { expect, it } from "vitest";
import { sparkNeeds, sparkTools } from "../../test/spark/tools.ts";
import { dayUs, reportedUs, storeFleet } from "../../testing/fleet.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPostgres } from "../../testing/postgres.ts";
import { Stored } from "../../testing/stored.ts";
import { startMaintenance } from "../store/maintenance.ts";
import { statements } from "./report.ts";
import { fillTables, TABLES } from "./tables.ts";

const run = promisify(execFile);
/** Spark starts, on a loaded machine. */
const TIMEOUT_MS = 300_000;
/** A run of seconds ends before the second compiler pays. */
const SHORT_RUN = "--driver-java-options '-XX:+UseSerialGC -XX:TieredStopAtLevel=1' pyspark-shell";

/** Registers the tables and runs the statements; all that another engine needs of its own. */
const SCRIPT = `
import json, sys
from pyspark.sql import SparkSession

folder = sys.argv[1]
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "1").getOrCreate()
given = json.load(open(folder + "/given.json"))
for name, columns in given["tables"].items():
    schema = columns.replace("double precision", "double").replace(" text", " string")
    spark.read.schema(schema).json(folder + "/" + name + ".json").createOrReplaceTempView(name)
found = {name: [row.asDict() for row in spark.sql(text).collect()] for name, text in given["statements"].items()}
json.dump(found, open(folder + "/found.json", "w"), default=float)
`;

describeWith(["postgres", ...sparkNeeds], "the SQL of reports", () => {
  it("finds the same on Apache Spark as in PostgreSQL", { timeout: TIMEOUT_MS }, async () => {
    const [tools, server] = await Promise.all([sparkTools(), startPostgres()]);
    const folder = await mkdtemp(join(tmpdir(), "telltale-report-spark-"));
    const stored = await Stored.create(server.url, "fleet");
    try {
      const maintenance = startMaintenance({
        sql: stored.url,
        logger: pino({ level: "silent" }),
        retentionDays: 0,
        manual: true,
      });
      await storeFleet(stored, () => maintenance.compactNow());
      await maintenance.close();
      const expected: Record<string, Row[]> = {};
      await stored.sql.begin(async (tx) => {
        await fillTables(tx, {
          fromUs: reportedUs,
          toUs: reportedUs + dayUs,
          baselineUs: reportedUs - 7 * dayUs,
          stepUs: dayUs,
        });
        await tx`insert into report_listed values ('gap', null), ('half', null), (null, 1), (null, 2)`;
        for (const name of Object.keys(TABLES)) {
          const rows = await tx.unsafe(`select * from ${name}`);
          await writeFile(join(folder, `${name}.json`), rows.map((row) => JSON.stringify(row)).join("\n"));
        }
        for (const [name, text] of Object.entries(statements)) expected[name] = await tx.unsafe(text);
      });
      await writeFile(join(folder, "given.json"), JSON.stringify({ tables: TABLES, statements }));
      await run(join(tools.bin, "python3"), ["-c", SCRIPT, folder], {
        timeout: TIMEOUT_MS,
        env: { ...process.env, PYSPARK_SUBMIT_ARGS: SHORT_RUN },
        maxBuffer: 16 * 1024 * 1024,
      });
      const found: Record<string, Row[]> = JSON.parse(await readFile(join(folder, "found.json"), "utf8"));
      expect(Object.keys(found).sort()).toEqual(Object.keys(statements).sort());
      for (const [name, rows] of Object.entries(expected)) {
        expect(rows.length, name).toBeGreaterThan(0);
        expect(found[name]!.map(rounded), name).toEqual(rows.map(rounded));
      }
    } finally {
      await stored.close();
      await server.stop();
      await rm(folder, { recursive: true });
    }
  });
});

type Row = Readonly<Record<string, unknown>>;

/** Decimals come as text from one and as numbers from the other; sums of doubles may differ in their last bits. */
function rounded(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const isNumber = typeof value === "number" || (typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value));
      return [name, isNumber ? Number(Number(value).toPrecision(12)) : value];
    }),
  );
}
