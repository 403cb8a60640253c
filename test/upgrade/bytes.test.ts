/**
 * What earlier versions wrote to the log and to the disk, as their programs made it and understood it: this version has to understand
 * the same. A file is added when a form changes, and none is ever edited.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { toJson } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { decodeRecord, type LoggedRun, readInt64 } from "../../server/log/record/decode.ts";
import { decodeBlock } from "../../server/store/block.ts";
import { createPoints } from "../../server/store/points.ts";
import { pointColumns } from "../../testing/points.ts";

interface Earlier {
  readonly version: string;
  readonly records: readonly {
    readonly bytes: string;
    readonly read: { readonly controls: readonly Record<string, unknown>[] };
  }[];
  readonly blocks: readonly {
    readonly layout: number;
    readonly points: number;
    readonly firstUs: number;
    readonly firstId: number;
    /** Of the points as JSON, columns in the order below. */
    readonly sha256: string;
    readonly bytes: string;
  }[];
}

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".json"));
const versions: Earlier[] = files.map((name) => JSON.parse(readFileSync(join(import.meta.dirname, name), "utf8")));

/** Kinds of control that were removed, by the version that still wrote them: they read as a control that does nothing. */
const REMOVED: Readonly<Record<string, readonly string[]>> = { "0.1.0": ["model"] };

describe.each(versions)("what version $version wrote", ({ version, records, blocks }) => {
  test("to the log is understood alike: readings, their series, ticks, and what people did", () => {
    expect(records.length).toBeGreaterThan(2);
    const removed = REMOVED[version] ?? [];
    const written = new Set(records.flatMap(({ read }) => read.controls.flatMap((control) => Object.keys(control))));
    expect(removed.filter((kind) => !written.has(kind))).toEqual([]);
    for (const { bytes, read } of records) {
      const controls = read.controls.map((control) => without(control, removed));
      expect(recordOf(Buffer.from(bytes, "base64"))).toEqual({ ...read, controls });
    }
  });

  test("to the disk, in both layouts of blocks, comes back to the bit", () => {
    expect(new Set(blocks.map(({ layout }) => layout))).toEqual(new Set([1, 2]));
    for (const { bytes, points: count, firstUs, firstId, sha256 } of blocks) {
      const points = createPoints(count);
      decodeBlock(Buffer.from(bytes, "base64"), firstUs, firstId, points);
      const columns = pointColumns.map((name) => [name, Array.from(points[name].subarray(0, points.length))]);
      const hash = createHash("sha256")
        .update(JSON.stringify(Object.fromEntries(columns)))
        .digest("hex");
      expect(hash).toBe(sha256);
    }
  });
});

function without(control: Record<string, unknown>, kinds: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(control).filter(([kind]) => !kinds.includes(kind)));
}

function recordOf(bytes: Buffer) {
  const record = decodeRecord(bytes);
  const { receivedAtUs, tick, readings } = record;
  const runOf = ({ key, firstIndex, count, timesAt, valuesAt, metadata }: LoggedRun) => ({
    key: Buffer.from(key, "latin1").toString("hex"),
    firstIndex,
    timesUs: timesAt < 0 ? null : Array.from({ length: count }, (_, i) => readInt64(record.view, timesAt + 8 * i)),
    // As bits: a minus zero is one.
    values: Array.from({ length: count }, (_, i) => record.view.getBigUint64(valuesAt + 8 * i, true).toString(16)),
    metadata: [...(metadata ?? [])].map(([at, struct]) => [at, Buffer.from(struct).toString("hex")]),
  });
  return {
    receivedAtUs,
    tick,
    readings,
    controls: record.controls.map((control) => toJson(ControlSchema, control)),
    fragments: record.fragments.map(({ producer, epoch, sequence, traceparent, echo, runs }) => {
      return { producer, epoch: String(epoch), sequence, traceparent, echo, runs: runs.map(runOf) };
    }),
  };
}
