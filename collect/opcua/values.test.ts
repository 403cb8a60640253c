import type * as Client from "node-opcua-client";
import { expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import type { NodeSettings } from "./config.ts";
import { hasOverflowed, numberOf, readingOf } from "./values.ts";

const node: NodeSettings = {
  ...{ nodeId: "ns=2;s=a", sensorId: "a", sensorType: "t", unit: "C", location: undefined, attributes: { line: "3" } },
  ...{ samplingMs: 100, queueSize: 1, deadband: 0 },
};

describeWith(["npm:node-opcua-client"], "values of OPC UA", async () => {
  const { DataType, DataValue, StatusCodes, Variant, VariantArrayType } = await import("node-opcua-client");
  const value = (dataType: Client.DataType, of: unknown) =>
    new Variant({ dataType, arrayType: VariantArrayType.Scalar, value: of });

  test.each([
    [value(DataType.Double, 1.5), 1.5],
    [value(DataType.Boolean, true), 1],
    [value(DataType.Int64, [0xffff_ffff, 0xffff_ffff]), -1],
    [value(DataType.Int64, [1, 2]), 4_294_967_298],
    [value(DataType.UInt64, [0xffff_ffff, 0]), 0xffff_ffff * 2 ** 32],
    [value(DataType.String, "1.5"), undefined],
    [new Variant({ dataType: DataType.Double, arrayType: VariantArrayType.Array, value: [1, 2] }), undefined],
    [new Variant(), undefined],
  ])("the number of %s is %d", (variant, number) => {
    expect(numberOf(variant)).toBe(number);
  });

  test("a reading has the time of its source, else of the server, else of now", () => {
    const at = (more: object) => readingOf(node, new DataValue({ value: value(DataType.Double, 1.5), ...more }), 7);
    const source = { sourceTimestamp: new Date(1_000), sourcePicoseconds: 456_000_000 };
    const server = { serverTimestamp: new Date(2_000) };
    expect(at({ ...source, ...server })).toEqual({
      ...{ sensorId: "a", sensorType: "t", unit: "C", value: 1.5, observedAtUs: 1_000_456, attributes: { line: "3" } },
    });
    expect(at(server)).toMatchObject({ observedAtUs: 2_000_000 });
    expect(at({})).toMatchObject({ observedAtUs: 7 });
  });

  test("a bad value is no reading, an uncertain one says so, and one that is no number is named", () => {
    const of = (statusCode: Client.DataValue["statusCode"], number: number) =>
      readingOf(node, new DataValue({ value: value(DataType.Double, number), statusCode }), 0);
    expect(of(StatusCodes.BadSensorFailure, 1)).toEqual({
      ...{ reason: "bad_status", why: "the server calls it BadSensorFailure", observedAtUs: 0 },
    });
    expect(of(StatusCodes.UncertainLastUsableValue, 1)).toMatchObject({
      value: 1,
      metadata: { opcua_status: "UncertainLastUsableValue" },
    });
    expect(of(StatusCodes.Good, Number.NaN)).toMatchObject({ reason: "not_a_number", why: "the value is NaN" });
  });

  test("that values were lost in the server's queue shows in the status", () => {
    const overflow = StatusCodes.GoodWithOverflowBit;
    expect(hasOverflowed(new DataValue({ statusCode: overflow }))).toBe(true);
    expect(hasOverflowed(new DataValue({ statusCode: StatusCodes.Good }))).toBe(false);
  });
});
