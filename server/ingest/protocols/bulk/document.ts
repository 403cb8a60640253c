/** What the bulk upload says of itself. */
import { COUNT, ENCODINGS, type EndpointDocument, objectSchema, TEXT } from "../../../lib/endpoint-document.ts";
import { FORMATS, NAMED_FORMATS, PARAMETERS } from "./parameters.ts";

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  format: NAMED_FORMATS,
  decimal: [".", ","],
  dst: ["refuse", "earlier", "later"],
  time_unit: ["s", "ms", "us", "ns"],
};

const MEANINGS: Readonly<Record<(typeof PARAMETERS)[number], string>> = {
  format: "Of the body, where its content type does not say it.",
  dry_run: "true: nothing is stored; the answer says how the beginning would be understood.",
  time_zone: "Of times without one, such as Europe/Berlin.",
  dst: "Which of the two, for local times that occur twice.",
  time_unit: "Of times that are numbers.",
  sensor_id: "Of all rows.",
  sensor_type: "Of all rows.",
  unit: "Of all rows.",
  location: "Of all rows.",
  encoding: "Of the text.",
  decimal: "The decimal mark of numbers that are text.",
  time_column: "Name of the column, or its number from 1.",
  value_column: "Name of the column, or its number from 1; several are a sensor each.",
  sensor_column: "Name of the column, or its number from 1.",
  wide: "true: each column of numbers is a sensor.",
  day_first: "true: 01/02/2026 is the first of February.",
  month_first: "true: 01/02/2026 is the second of January.",
  interval: "Seconds between rows without times.",
  start: "Time of the first row without times.",
  delimiter: "Between cells.",
  header: "Whether the first line names the columns.",
};

const OPTIONAL_TEXT = { type: ["string", "null"] } as const;
const REFUSAL = objectSchema({ line: COUNT, reason: TEXT, message: TEXT });
const REFUSALS = { type: "array", items: REFUSAL, maxItems: 100 } as const;
const COUNTS = { accepted: COUNT, duplicate: COUNT, conflicting: COUNT, rejected: COUNT, late: COUNT, missing: COUNT };
const STORED = {
  ...{ sensors: COUNT, sensor_ids: { type: "array", items: TEXT }, from: OPTIONAL_TEXT, to: OPTIONAL_TEXT },
  refusals: REFUSALS,
  understood: { type: ["object", "null"], properties: { format: TEXT, description: TEXT } },
};

const DRY_RUN = objectSchema({
  dry_run: { const: true },
  whole: { type: "boolean" },
  readings: COUNT,
  refusals: REFUSALS,
});

const JSON_TYPES = ["application/json"];

export const DOCUMENT: EndpointDocument = {
  operationId: "bulk_upload",
  summary: "Files of readings: CSV, JSON lines, Parquet, Arrow",
  description:
    "Stored while it is read; the answer comes when all is stored and scored. Sending again stores nothing twice. With `dry_run` the answer has other fields. Guide: docs/guides/bulk.md.",
  body: { types: [...FORMATS.keys()], encodings: ENCODINGS },
  query: PARAMETERS.map((name) => ({
    ...{ name, description: MEANINGS[name] },
    ...(CHOICES[name] === undefined ? {} : { choices: CHOICES[name] }),
    ...(name === "value_column" ? { isList: true as const } : {}),
  })),
  answers: {
    200: {
      description: "Every reading is stored, now or before; or nothing, by a dry run.",
      types: JSON_TYPES,
      schema: { anyOf: [objectSchema({ ...COUNTS, ...STORED }), DRY_RUN] },
    },
    422: {
      description: "Some or all readings are not stored: which, and why. The others are stored and stay so.",
      types: JSON_TYPES,
      schema: objectSchema({ detail: TEXT }),
    },
  },
  refusal: {
    description: "In `detail`; part may be stored.",
    types: JSON_TYPES,
    schema: objectSchema({ detail: TEXT }),
  },
  credentials: ["bearer", "session"],
};
