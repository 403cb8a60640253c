/** How outsiders see charts: what the contract says by NaN, which JSON has not, is null. */
import type { DescMessage } from "@bufbuild/protobuf";
import { messageOf, outsideName } from "./contracts.ts";
import type { Facade, FieldRule, TypeRule } from "./tables.ts";

/** Fields whose elements may be NaN. */
const NULLABLE: Readonly<Record<string, readonly string[]>> = {
  "telltale.v1.SeriesColumns": [
    "first_values",
    "last_values",
    "expected_values",
    "lower_bounds",
    "upper_bounds",
    "max_anomaly_scores",
  ],
  "telltale.v1.SeriesReadings": ["expected_values", "lower_bounds", "upper_bounds"],
  "telltale.v1.HeatmapRow": ["max_anomaly_scores"],
};

/** Messages of charts by their names outside. */
const NAMES: Readonly<Record<string, string>> = {
  "telltale.v1.SeriesColumns": "SeriesColumns",
  "telltale.v1.SeriesReadings": "SeriesReadings",
  "telltale.v1.HeatmapRow": "HeatmapRow",
  "telltale.v1.GetSeriesResponse": "SeriesChart",
  "telltale.v1.GetAnomalyHeatmapResponse": "AnomalyHeatmap",
};

/** Rules of the messages of charts by their full names. */
export function chartTypes(naming: Facade["naming"]): Readonly<Record<string, TypeRule>> {
  return Object.fromEntries(
    Object.entries(NAMES).map(([typeName, name]) => [
      typeName,
      { name, fields: rulesOf(messageOf(typeName), naming), others: true },
    ]),
  );
}

function rulesOf(desc: DescMessage, naming: Facade["naming"]): Record<string, FieldRule> {
  const nullable = NULLABLE[desc.typeName] ?? [];
  const rules = desc.fields.map((field): [string, FieldRule | undefined] => [
    outsideName(field, naming),
    field.name === "first_column_time"
      ? { from: field.name, type: "DateTime!" }
      : nullable.includes(field.name)
        ? { from: field.name, type: "[Float]!", value: (get) => (get(field.name) as readonly number[]).map(orNull) }
        : undefined,
  ]);
  return Object.fromEntries(rules.filter((rule): rule is [string, FieldRule] => rule[1] !== undefined));
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
