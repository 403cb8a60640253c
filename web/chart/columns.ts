/** How many columns a chart asks for. */

const MAX_COLUMNS = 2_000;
const PIXELS_PER_COLUMN = 1.5;
/** Columns are asked for in steps of so many: a chart that turns out a little wider than it was thought is not loaded twice. */
const STEP = 100;

/** @param width of the chart in pixels; 0: not known yet */
export function columnsOf(width: number): number {
  return Math.min(MAX_COLUMNS, Math.ceil(width / PIXELS_PER_COLUMN / STEP) * STEP);
}

/** As the styles of the shell have them: below this width the navigation is at the foot of the page. */
const NARROW = 960;
const NAV = 202;
/** What stands beside the chart of a page. */
const BESIDE = 92;
const BESIDE_NARROW = 62;

/** What the chart of a page will be wide, before it is there: what it shows is asked for by then. @param width of the window in pixels */
export function firstChartWidth(width: number): number {
  return Math.max(0, width - (width <= NARROW ? BESIDE_NARROW : NAV + BESIDE));
}
