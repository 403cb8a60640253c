/** The series of one sensor for a chart: loaded for each span, a little after the span stands still. */

import type { Span } from "../chart/range.ts";
import { type ChartData, chartDataOf, NOTHING } from "../chart/series.ts";
import { timestampOf } from "./format.ts";
import { pause } from "./pause.ts";
import { type Resource, resource } from "./resource.svelte.ts";
import { queryApi } from "./services/query.ts";

const SETTLE_MS = 120;
const MAX_COLUMNS = 2_000;
const PIXELS_PER_COLUMN = 1.5;
/** Columns are asked for in steps of so many: a chart that turns out a little wider than it was thought is not loaded twice. */
const STEP = 100;

export interface Loaded {
  readonly data: ChartData;
  /** What was asked for. */
  readonly span: Span;
}

/** @param of what to load, read as state; undefined: nothing yet  @param width of the chart in pixels; 0: not known yet */
export function seriesOf(
  of: () => { readonly sensorId: string; readonly span: Span } | undefined,
  width: () => number,
): Resource<Loaded | undefined> {
  let any = false;
  const columns = $derived(Math.min(MAX_COLUMNS, Math.ceil(width() / PIXELS_PER_COLUMN / STEP) * STEP));
  return resource("The chart", async (signal) => {
    const [wanted, many] = [of(), columns];
    if (wanted === undefined || many === 0) return undefined;
    const { sensorId, span } = wanted;
    if (any) await pause(SETTLE_MS, signal);
    any = true;
    const range = { startTime: timestampOf(span.from), endTime: timestampOf(span.to) };
    const response = await queryApi.getSeries({ sensorIds: [sensorId], ...range, columns: many }, { signal });
    const [series] = response.series;
    return { data: series === undefined ? NOTHING : chartDataOf(response, series), span };
  });
}
