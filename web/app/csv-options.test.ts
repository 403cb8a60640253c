import { expect, test } from "vitest";
import { bulkOptions } from "../../server/ingest/protocols/bulk/parameters.ts";
import { columnChoices, EACH_COLUMN, emptyForm, fieldOf, idOfFile, queryOfForm, rolesOf } from "./csv-options.ts";

test("what is left empty is not asked for, and all that a form can say the upload takes", () => {
  expect(queryOfForm(emptyForm()).toString()).toBe("format=csv");
  const filled = {
    ...{ sensor_id: " a ", sensor_column: "1", sensor_type: "t", unit: "C", location: "hall", time_column: "2" },
    ...{ value_column: "3", header: "true", delimiter: ";", decimal: ",", encoding: "windows-1252" },
    ...{ day_order: "month_first", time_zone: "Europe/Berlin", dst: "earlier", time_unit: "ms" },
    ...{ interval: "60", start: "2026-01-01" },
  };
  expect(Object.keys(filled).sort()).toEqual(Object.keys(emptyForm()).sort());
  const { csv } = bulkOptions(queryOfForm(filled), new Headers());
  expect(csv).toMatchObject({ sensorId: "a", valueColumn: ["3"], dayOrder: "month-first", intervalUs: 60e6 });
  const wide = bulkOptions(queryOfForm({ ...emptyForm(), value_column: EACH_COLUMN }), new Headers());
  expect(wide.csv).toMatchObject({ wide: true, valueColumn: undefined });
});

test("a parameter that decides is found in the form", () => {
  expect(["day_first", "wide", "value_column", "allow_loss"].map(fieldOf)).toEqual([
    ...["day_order", "value_column", "value_column"],
    undefined,
  ]);
});

test("a file that names no sensor is called as the file is, below the caller's prefix", () => {
  expect(idOfFile("boiler 7 (north).csv", "")).toBe("boiler-7-(north)");
  expect(idOfFile("export.CSV.gz", "line-3/")).toBe("line-3/export");
  expect(idOfFile(".csv", "")).toBe("sensor");
  expect(idOfFile("x".repeat(300), "")).toHaveLength(200);
});

test("columns are shown with what they were taken for", () => {
  const rows = [
    ["when", "temp (C)", "note"],
    ["2026-01-01", "3", ""],
  ];
  const none = { sensor_type_column: null, unit_column: null, location_column: null, sensor_column: null };
  const understood = { description: "", header: true, time_columns: ["when"], value_columns: ["temp (C)"], ...none };
  expect(rolesOf(understood, rows)).toEqual(["time", "value", ""]);
  expect(rolesOf({ ...understood, header: false, time_columns: ["1"], value_columns: ["3"] }, rows)).toEqual([
    ...["time", ""],
    "value",
  ]);
  expect(rolesOf(null, rows)).toEqual(["", "", ""]);
  expect(columnChoices(rows)[1]).toEqual({ value: "2", text: "2: temp (C)" });
});
