/** A backtest under way, and what it found. */
import type { Alert } from "../../gen/web/telltale/v1/alert_pb.ts";
import type { BacktestPicture, BacktestSummary } from "../../gen/web/telltale/v1/detector_pb.ts";
import type { Span } from "../chart/range.ts";
import { bandOf, type TriedBand } from "../chart/tried.ts";
import { type Compared, compared } from "./backtest.ts";
import { configOf, type SettingsForm } from "./detector-settings.ts";
import { timestampOf } from "./format.ts";
import { isCanceled, type Problem, problemOf } from "./problems.ts";
import { alertApi } from "./services/alert.ts";
import { detectorApi } from "./services/detector.ts";

const PAGE = 1_000;
/** Of the band: as many as a wide screen has room for. */
const COLUMNS = 1_000;

export interface Outcome {
  readonly all: readonly Compared[];
  readonly summary: BacktestSummary;
  readonly band: TriedBand;
}

export class BacktestRun {
  outcome = $state.raw<Outcome>();
  problem = $state.raw<Problem>();
  /** Of the readings, 0 to 1; undefined where nothing runs. */
  share = $state<number>();
  readonly #ending = new AbortController();

  /** Answers nothing: what is found is in `outcome`. */
  async run(sensorId: string, span: Span, form: SettingsForm): Promise<void> {
    const { signal } = this.#ending;
    const range = { startTime: timestampOf(span.from), endTime: timestampOf(span.to) };
    this.share = 0;
    try {
      const [stored, { alerts, summary, picture }] = await Promise.all([
        storedAlerts({ sensorId, ...range }, signal),
        this.#replay(
          { sensorIds: [sensorId], ...range, config: configOf(sensorId, form), pictureColumns: COLUMNS },
          signal,
        ),
      ]);
      this.outcome = { all: compared(stored, alerts), summary, band: bandOf(picture) };
    } catch (error) {
      if (!isCanceled(error)) this.problem = problemOf(error, "The backtest");
      // What else is under way would go on telling how far it is.
      this.close();
    }
    this.share = undefined;
  }

  close(): void {
    this.#ending.abort();
  }

  async #replay(request: Parameters<typeof detectorApi.backtest>[0], signal: AbortSignal) {
    const alerts: Alert[] = [];
    let summary: BacktestSummary | undefined;
    let picture: BacktestPicture | undefined;
    for await (const response of detectorApi.backtest(request, { signal })) {
      alerts.push(...response.alerts);
      summary = response.summary ?? summary;
      picture = response.picture ?? picture;
      if (response.readingsTotal > 0n) this.share = Number(response.readingsDone) / Number(response.readingsTotal);
    }
    if (summary === undefined) throw new Error("The platform ended the backtest without a result");
    return { alerts, summary, picture };
  }
}

export async function storedAlerts(filter: Parameters<typeof alertApi.listAlerts>[0], signal: AbortSignal) {
  const all: Alert[] = [];
  let pageToken = "";
  do {
    const { alerts, nextPageToken } = await alertApi.listAlerts({ ...filter, limit: PAGE, pageToken }, { signal });
    all.push(...alerts);
    pageToken = nextPageToken;
  } while (pageToken !== "");
  return all;
}
