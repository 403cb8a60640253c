/** Reading Parquet and Arrow: for commands and for routes that take uploads, as formats/csv. */
export { MAX_COLUMNAR_BYTES } from "./limits.ts";
export { openColumnarFile, openColumnarStream } from "./open.ts";
export type { RandomAccess } from "./random-access.ts";
export { type ColumnarOptions, ColumnarReader } from "./reader.ts";
export { type ColumnarFormat, type Recognised, recognise, recognised } from "./recognise.ts";
export { randomAccess, SpoolFull, spool } from "./spool.ts";
