/** Pictures of alerts for messages: what the sensor sent around the alert, and the band in which that would have passed as normal. */
import { READINGS_BEFORE, valueRange } from "../../../formats/chart-frame.ts";
import type { Clock } from "../../clock.ts";
import { figure, instant, withUnit } from "../../detect/index.ts";
import { orAbort } from "../../lib/signals.ts";
import type { Logger } from "../../observe/logger.ts";
import type { Queries } from "../../store/queries.ts";
import type { NotifiedAlert } from "../message.ts";
import { FIRST_RECEIVED_ID } from "../received/received-alert.ts";
import { type Curve, curveOf, spanAroundAlert } from "./curve.ts";
import { drawCurve, WIDTH } from "./draw.ts";
import type { Picture, PictureOptions } from "./picture.ts";
import { Rasteriser } from "./rasteriser.ts";

/** A message waits no longer than this for its pictures. */
export const MAX_WAIT_MS = 3_000;
/** Alerts that are looked up and drawn at once, one after the other; who comes then gets no picture. A storm needs none. */
const MAX_WAITING = 16;
/** As many as are told apart on a phone. */
const COLUMNS = 300;

/** made; none: there is nothing to draw; busy: too many are asked for; late: not in time; failed. */
export type PictureOutcome = "made" | "none" | "busy" | "late" | "failed";

export interface PicturesOptions {
  readonly queries: Pick<Queries, "chart" | "readings">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onOutcome: (outcome: PictureOutcome) => void;
  readonly maxWaitMs?: number;
}

export class Pictures {
  readonly #o: PicturesOptions;
  readonly #rasteriser = new Rasteriser();
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: PicturesOptions) {
    this.#o = options;
  }

  /** Of an alert of ours; undefined where there is none in time, whatever the reason. Never rejects. */
  async of(alert: NotifiedAlert, options: PictureOptions = {}): Promise<Picture | undefined> {
    if (!isDrawn(alert)) return undefined;
    const { onOutcome, logger, maxWaitMs = MAX_WAIT_MS } = this.#o;
    const { width = WIDTH, withinMs = maxWaitMs } = options;
    if (this.#waiting >= MAX_WAITING) {
      onOutcome("busy");
      return undefined;
    }
    const signal = AbortSignal.timeout(Math.min(maxWaitMs, withinMs));
    try {
      const picture = await orAbort(this.#inTurn(alert, width, signal), signal);
      onOutcome(picture === undefined ? "none" : "made");
      return picture;
    } catch (error) {
      onOutcome(signal.aborted ? "late" : "failed");
      logger.warn({ err: error, alert: alert.id }, "a message is sent without its picture");
      return undefined;
    }
  }

  close(): Promise<void> {
    return this.#rasteriser.close();
  }

  /** One after the other: a place is free again once the work on it has really ended, however long whoever asked for it has waited. */
  #inTurn(alert: NotifiedAlert, width: number, signal: AbortSignal): Promise<Picture | undefined> {
    this.#waiting++;
    const made = this.#last.then(() => this.#make(alert, width, signal)).finally(() => this.#waiting--);
    this.#last = made.catch(() => undefined); // whoever asked for it hears of it
    return made;
  }

  async #make(alert: NotifiedAlert, width: number, signal: AbortSignal): Promise<Picture | undefined> {
    signal.throwIfAborted();
    this.#rasteriser.start();
    const { queries, clock } = this.#o;
    const sensorId = alert.labels.sensor_id!;
    const before = {
      ...{ sensorId, sensorPrefix: "", sensorType: undefined, location: undefined, after: undefined },
      ...{ fromUs: 0, toUs: alert.startsUs, anomaliesOnly: false },
    };
    const { points, order } = await queries.readings(before, READINGS_BEFORE, 0);
    signal.throwIfAborted();
    const earliest = order.at(-1);
    const earlierUs = earliest === undefined ? undefined : points.timeUs[earliest]!;
    const span = spanAroundAlert(alert, earlierUs, clock.nowUs());
    // The last reading too, which is often the one that opened the alert.
    const { series } = await queries.chart([sensorId], { ...span, toUs: span.toUs + 1, columns: COLUMNS });
    const curve = series[0] && curveOf(series[0], span, alert);
    if (curve === undefined) return undefined;
    const png = await this.#rasteriser.draw(drawCurve(curve), width, signal);
    return { png, ...words(alert, curve) };
  }
}

function isDrawn({ id, labels }: NotifiedAlert): boolean {
  return labels.sensor_id !== undefined && Number(id) > 0 && Number(id) < FIRST_RECEIVED_ID;
}

function words({ labels, annotations }: NotifiedAlert, curve: Curve): Omit<Picture, "png"> {
  const { unit, fromUs, toUs, low, high, lower, upper } = curve;
  const quantity = (value: number) => withUnit(figure(value), unit);
  const [bottom, top] = valueRange(curve);
  const least = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const known = (values: readonly number[]) => values.filter((value) => !Number.isNaN(value));
  const hasBand = known(lower).length > 0;
  const normal = hasBand ? `; normal ${quantity(least(known(lower)))} to ${quantity(most(known(upper)))}` : "";
  const [from, to] = [instant(fromUs), instant(toUs)];
  const name = annotations.display_name || labels.sensor_id;
  return {
    summary: `${name} from ${from} to ${to}: ${quantity(least(low))} to ${quantity(most(high))}${normal}`,
    ...{ top: quantity(top), bottom: quantity(bottom), from, to, hasBand },
  };
}
