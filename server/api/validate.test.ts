import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { SensorProfileSchema } from "../../gen/es/telltale/v1/registry_pb.ts";
import { validate } from "./validate.ts";

test.each([
  [{ "": "x" }, 'attributes[""]: must be at least 1 characters, but it is ""'],
  [{ line: "x".repeat(257) }, 'attributes["line"]: must be at most 256 characters, but it is "xxxx'],
])("of an entry of a map the key or the value is named, whichever is wrong", (attributes, message) => {
  const profile = create(SensorProfileSchema, { sensorId: "a", attributes });
  expect(() => validate(SensorProfileSchema, profile)).toThrow(message);
});
