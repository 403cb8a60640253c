import { expect, test } from "vitest";
import { pageOf, sensorPath } from "./console-routes.ts";

test("each path is one page", () => {
  expect(pageOf("/")).toEqual({ name: "overview" });
  expect(pageOf("/alerts")).toEqual({ name: "alerts" });
  expect(pageOf("/alerts/9007199254740991")).toEqual({ name: "alert", id: 9007199254740991n });
  expect(pageOf("/incidents/7")).toEqual({ name: "incident", id: 7n });
});

test("what is no page is not found", () => {
  for (const path of ["/alerts/x", "/alerts/99999999999999999", "/nowhere", "/sensors/%zz", "/constructor"])
    expect(pageOf(path)).toEqual({ name: "not-found" });
});

test("a sensor's path comes back to its id, whatever the id contains", () => {
  for (const id of ["a", "site/line 3/°C?&#", "..", "täst", "%2F"])
    expect(pageOf(sensorPath(id))).toEqual({ name: "sensor", id });
});
