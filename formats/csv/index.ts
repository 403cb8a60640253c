/**
 * Reading and writing CSV. Whoever takes in files imports this: the commands, and routes that take uploads. It knows neither of
 * them, so that both may: it imports nothing of server, gateway, cli or client.
 */
export { describeContent, describeForm, describeTimes } from "./describe.ts";
export { type Loss, Losses, type LossKind } from "./losses.ts";
export { NumberReader } from "./numbers.ts";
export { CsvProblem, quoted } from "./problem.ts";
export { type CsvOptions, CsvReader, type CsvRow, type RowReader } from "./read.ts";
export { type CsvRecord, isBadRecord } from "./records.ts";
export type { CsvSeries } from "./series.ts";
export { type Reading, SortedReadings } from "./sorted.ts";
export { type CsvTable, openTable, type TableOptions } from "./table.ts";
export { decodeText } from "./text.ts";
export { type TimeOptions, TimeReader } from "./times.ts";
export { csvRow, originalText } from "./write.ts";
