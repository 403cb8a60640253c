/** InfluxData's own corpus of line protocol: what its parsers take and refuse, we do too. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import { parseLines, seriesOf, unescapeKey } from "../../server/ingest/protocols/influx/parse.ts";
import { fetched } from "../../testing/fetched.ts";
import { describeWith } from "../../testing/needs.ts";
import { program } from "../../testing/programs.ts";

const run = promisify(execFile);
const MODULE = "github.com/influxdata/line-protocol/v2@v2.2.1";

interface Point {
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Numbers and booleans, as 1 and 0. */
  readonly fields: Readonly<Record<string, number>>;
}

/** As the corpus has it. */
interface Case {
  readonly input: { readonly text: string | { readonly binary: string } };
  readonly output: {
    readonly error?: string;
    readonly result?: readonly {
      readonly name: string;
      readonly tags?: readonly { readonly key: string; readonly value: string }[];
      readonly fields?: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
    }[];
  };
}

async function corpus(): Promise<Case[]> {
  const { stdout } = await run(program("go")!, ["mod", "download", "-json", MODULE]);
  const { Dir: folder } = JSON.parse(stdout) as { Dir: string };
  const file = join(folder, "lineprotocol/testdata/corpus.json");
  return Object.values((JSON.parse(await readFile(file, "utf8")) as { decode: Record<string, Case> }).decode);
}

function read(text: string): readonly Point[] | "refused" {
  const points: Point[] = [];
  const { faulty } = parseLines(text, ({ series, fields }) => {
    const { measurement, tags } = seriesOf(series);
    const numbers = Object.fromEntries(fields.map(({ key, value }) => [unescapeKey(key), value]));
    points.push({ name: measurement, tags: Object.fromEntries(tags), fields: numbers });
  });
  return faulty > 0 ? "refused" : points;
}

/** Lines that hold texts alone make no point. */
function wanted({ output }: Case): readonly Point[] | "refused" {
  if (output.error !== undefined) return "refused";
  const points = (output.result ?? []).map(({ name, tags = [], fields = [] }) => ({
    ...{ name, tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])) },
    fields: Object.fromEntries(
      fields.flatMap(({ key, value }) => ("string" in value ? [] : [[key, Number(Object.values(value)[0])] as const])),
    ),
  }));
  return points.filter(({ fields }) => Object.keys(fields).length > 0);
}

/** What is taken all the same: control characters in names, and times past 2262, which are no mistakes of a parser. */
function isLenient({ output }: Case, text: string): boolean {
  return (
    output.error !== undefined && (/\p{Cc}/u.test(text.replaceAll(/[\r\n]/g, "")) || /timestamp/.test(output.error))
  );
}

describeWith(["go"], "InfluxData's corpus of line protocol", () => {
  vi.setConfig({ testTimeout: 120_000 });

  test("is read as its own parsers read it", async (context) => {
    const cases = await fetched(context, MODULE, corpus);
    expect(cases.length).toBeGreaterThan(5_000);
    const others: unknown[] = [];
    for (const each of cases) {
      // Bytes that are no UTF-8 have no text to compare.
      if (typeof each.input.text !== "string") continue;
      const found = read(each.input.text);
      if (JSON.stringify(sorted(found)) === JSON.stringify(sorted(wanted(each)))) continue;
      if (!isLenient(each, each.input.text)) others.push({ text: each.input.text, found, ...each.output });
    }
    expect(others).toEqual([]);
  });
});

/** With names in their order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  );
}
