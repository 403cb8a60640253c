/**
 * Writes the kernel's side of the layout (assembly/layout.ts) from the tables in fields.ts and compiles the kernel (kernel.wasm).
 * With `--check` nothing is written: it says what differs from the committed files and exits with 1.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import * as reasons from "../reasons.ts";
import { FEATURES } from "./features.ts";
import { COLD_START_READINGS, EXTREMES, ROWS, SENSOR, WARM_READINGS } from "./fields.ts";
import { type Placed, placesOf, STRUCTURES, TRUNK_AT } from "./layout.ts";

const folder = dirname(fileURLToPath(import.meta.url));
const LAYOUT = "assembly/layout.ts";
const TABLES = "assembly/tables.ts";
const KERNEL = "kernel.wasm";

/** Structures whose single numbers are fields of a class; of the others only places are named. */
const CLASSES = {
  sensor: "Sensor",
  profile: "Profile",
  calendar: "Calendar",
  reading: "Reading",
  votes: "Votes",
  model: "Model",
} as const;

function layoutSource(): string {
  const parts = Object.entries(STRUCTURES).map(([structure, { fields, bytes }]) => {
    const name = CLASSES[structure as keyof typeof CLASSES];
    const single = name === undefined ? [] : fields.filter(({ count }) => count === 1);
    const arrays = fields.filter((field) => !single.includes(field));
    return [
      ...(name === undefined ? [] : [`@unmanaged`, `export class ${name} {`, ...single.flatMap(member), `}`]),
      ...arrays.flatMap((field) => place(structure, field)),
      `export const ${constant(structure)}_BYTES: i32 = ${bytes};`,
    ].join("\n");
  });
  const head = "// Generated from ../fields.ts by `node server/detect/kernel/generate.ts`. Do not edit.";
  const rest = [`/** Rows that a call takes at most. */`, `export const ROWS: i32 = ${ROWS};`];
  rest.push("/** The trunk's state: hidden values, then cell values, in single precision. */");
  rest.push(`export const SENSOR_TRUNK: usize = ${TRUNK_AT};`);
  return `${[head, ...parts, rest.join("\n"), forgetSource()].join("\n\n")}\n`;
}

/** What a sensor loses where another quantity of it is judged from now on: all that was learnt of its values. */
function forgetSource(): string {
  const learnt = SENSOR.filter((field) => field.kept !== true).flatMap((field) => placesOf(field));
  const single = learnt.filter(({ count }) => count === 1).map(({ name }) => `  s.${name} = 0;`);
  const many = learnt
    .filter(({ count }) => count > 1)
    .map(({ name, count, type }) => {
      const bytes = count * (type === "f64" ? 8 : 4);
      return `  memory.fill(changetype<usize>(s) + SENSOR_${constant(name)}, 0, ${bytes});`;
    });
  return [
    "/** Forgets all that was learnt of a sensor's values; the trunk has so many units. */",
    "export function forgetValues(s: Sensor, units: i32): void {",
    ...single,
    ...many,
    "  memory.fill(changetype<usize>(s) + SENSOR_TRUNK, 0, (<usize>(units + (units & 1))) << 3);",
    "}",
  ].join("\n");
}

/** Features, reasons and counts that both sides name. */
function tablesSource(): string {
  const scored = FEATURES.filter(({ sides }) => sides !== "distance");
  const number = (name: string, value: number, type = "i32") => `export const ${name}: ${type} = ${value};`;
  return `${[
    "// Generated from ../features.ts and ../fields.ts by `node server/detect/kernel/generate.ts`. Do not edit.",
    [
      "/** Features by number; each but the pattern has extremes of the same number. */",
      ...FEATURES.map(({ name }, k) => number(constant(name), k)),
      number("FEATURES", FEATURES.length),
    ].join("\n"),
    `/** Room for pairs of doubles for all features. */\n${number("FEATURES_BYTES", 16 * Math.ceil(FEATURES.length / 2))}`,
    `/** Features below this number may be abnormal on both sides. */\n${number("BOTH_SIDES", FEATURES.filter(({ sides }) => sides === "both").length)}`,
    `/** Features that have extremes. */\n${number("EXTREMES_SCORED", scored.length)}`,
    `/** The residual's second extremes, of readings outside incidents alone. */\n${number("BASELINE", scored.length)}\n${number("EXTREMES", EXTREMES)}`,
    Object.entries(reasons)
      .filter(([, value]) => typeof value === "number")
      .map(([name, value]) => number(name, value as number, "u32"))
      .join("\n"),
    `const REASON_OF: usize = memory.data<u8>([${FEATURES.map(({ reason }) => reason).join(", ")}]);\n/** Reason of a feature. */\nexport function reasonOf(k: i32): u32 {\n  return load<u8>(REASON_OF + k);\n}`,
    `/** Readings before a sensor is judged: its 24th is the first. */\n${number("WARM_READINGS", WARM_READINGS, "f64")}`,
    `/** Until then the cold start's judge speaks. */\n${number("COLD_START_READINGS", COLD_START_READINGS, "f64")}`,
  ].join("\n\n")}\n`;
}

function member({ name, type, meaning }: Placed): string[] {
  return [`  /** ${sentence(meaning)} */`, `  ${name}: ${type};`];
}

function place(structure: string, { name, type, count, meaning, at }: Placed): string[] {
  return [
    `/** ${count} × ${type}. ${sentence(meaning)} */`,
    `export const ${constant(structure)}_${constant(name)}: usize = ${at};`,
    ...(structure === "columns"
      ? []
      : [`export const ${constant(structure)}_${constant(name)}_COUNT: i32 = ${count};`]),
  ];
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

/** camelCase to UPPER_CASE. */
function constant(name: string): string {
  return name.replace(/([a-z])([A-Z])/g, "$1_$2").toUpperCase();
}

const FLAGS = ["-O3", "--noAssert", "--runtime", "stub", "--enable", "simd"];
/** 65,536 pages of 64 KiB: all that 32 bits can address. It grows as sensors come. */
const MEMORY = ["--initialMemory", "8", "--maximumMemory", "65536"];

async function compile(): Promise<Buffer> {
  let compiled: Uint8Array | undefined;
  const out = "kernel.wasm";
  const { error, stderr } = await asc.main(["assembly/index.ts", "--outFile", out, ...FLAGS, ...MEMORY], {
    readFile: (name, base) => (made.get(name) as string) ?? read(join(base, name)),
    writeFile: (name, content) => {
      if (name === out) compiled = content as Uint8Array;
    },
  });
  if (error !== null || compiled === undefined) throw new Error(`the kernel does not compile: ${stderr}`);
  return Buffer.from(compiled);
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

process.chdir(folder);
const check = process.argv.includes("--check");
const made = new Map<string, string | Buffer>([
  [LAYOUT, layoutSource()],
  [TABLES, tablesSource()],
]);
made.set(KERNEL, await compile());
for (const [name, content] of made) {
  if (!check) writeFileSync(name, content);
  else if (read(name) === null || !readFileSync(name).equals(Buffer.from(content))) {
    console.error(`differs: server/detect/kernel/${name}`);
    process.exitCode = 1;
  }
}
