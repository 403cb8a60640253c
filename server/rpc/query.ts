import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  GetPlatformStatsResponseSchema,
  type ListReadingsRequest,
  type ListSensorsRequest,
  ListSensorsResponseSchema,
  type QueryService,
  SensorStatus,
} from "../../gen/es/telltale/v1/query_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { toMicros } from "../ingest/accept.ts";
import { shown } from "../ingest/check.ts";
import { MAX_TIME_US } from "../ingest/limits.ts";
import type { HealthChecks } from "../observe/health.ts";
import { toTimestamp } from "../pipeline/alert.ts";
import { metadataOf, scoredReading } from "../pipeline/scored.ts";
import type { Queries } from "../store/queries.ts";
import { type FoundReadings, metadataKey, type ReadingFilter } from "../store/reading-queries.ts";
import type { AnswerCache } from "./answers.ts";
import { maySee, type Principal, principalOf } from "./principal.ts";

const DEFAULT_LIMIT = 100;
const DEFAULT_SENSORS = 10_000;
/** A sensor that was seen this long ago or longer is stale. */
const STALE_AFTER_US = 3_600_000_000;
const DAY_US = 86_400_000_000;
/** Most buckets of one aggregate: a chart shows fewer. */
const MAX_BUCKETS = 10_000;
/** Readings that a list may skip; deeper pages go by token. */
const MAX_SKIP = 1_000_000;

export interface QueryOptions {
  readonly queries: Queries;
  readonly clock: Clock;
  readonly health: HealthChecks;
  /** Answers that dashboards poll, as stale as the configuration allows. */
  readonly answers: AnswerCache;
}

export function createQueryService(o: QueryOptions): ServiceImpl<typeof QueryService> {
  return {
    async listReadings(request, context) {
      const limit = request.limit ?? DEFAULT_LIMIT;
      const skip = Number(request.offset);
      const filter = filterOf(request, principalOf(context));
      if (filter === undefined) return { readings: [], nextPageToken: "" };
      if (skip > MAX_SKIP) {
        if ((await o.queries.mostReadings(filter)) > skip) throw tooDeep(skip);
        return { readings: [], nextPageToken: "" }; // behind the end, however deep
      }
      const found = await o.queries.readings(filter, limit + 1, skip);
      const more = found.order.length > limit;
      const readings = toMessages({ ...found, order: found.order.slice(0, limit) });
      const last = readings[readings.length - 1];
      return { readings, nextPageToken: more && last !== undefined ? pageToken(last) : "" };
    },

    async getLatestReading({ sensorId }, context) {
      const [reading] = toMessages(await o.queries.latest([sensorId], principalOf(context).sensorPrefix));
      if (reading === undefined) throw noReading(sensorId);
      return { reading };
    },

    async batchGetLatestReadings({ sensorIds }, context) {
      return { readings: toMessages(await o.queries.latest(sensorIds, principalOf(context).sensorPrefix)) };
    },

    async getSensorStats({ sensorId }, context) {
      const visible = maySee(principalOf(context), sensorId);
      const stats = visible ? await o.queries.sensorStats(sensorId) : undefined;
      if (stats === undefined) throw noReading(sensorId);
      return {
        sensorId,
        totalReadings: BigInt(stats.readings),
        avgValue: stats.mean,
        minValue: stats.smallest,
        maxValue: stats.largest,
        anomalyCount: BigInt(stats.anomalies),
        lastReading: toTimestamp(stats.lastUs),
        lateCount: BigInt(stats.late),
      };
    },

    getPlatformStats: (_, context) =>
      o.answers.get(`stats`, GetPlatformStatsResponseSchema, context, async () => {
        const nowUs = o.clock.nowUs();
        const [counts, uptime] = await Promise.all([o.queries.platformCounts(nowUs - DAY_US), o.queries.uptime(nowUs)]);
        const rate = counts.readings === 0 ? 0 : (100 * counts.anomalies) / counts.readings;
        return {
          totalDataPoints: BigInt(counts.readings),
          totalAnomalies: BigInt(counts.anomalies),
          activeSensors: BigInt(counts.activeSensors),
          recentAnomalies24h: BigInt(counts.recentAnomalies),
          anomalyRatePercent: round4(rate),
          platformUptimePercent: round4(100 * uptime),
          timestamp: toTimestamp(nowUs),
          totalLate: BigInt(counts.late),
        };
      }),

    listSensors: (request, context) =>
      o.answers.get(sensorsKey(request, context), ListSensorsResponseSchema, context, async () => {
        const freshSinceUs = o.clock.nowUs() - STALE_AFTER_US;
        const found = await o.queries.sensors({
          sensorPrefix: principalOf(context).sensorPrefix,
          sensorType: orAny(request.sensorType),
          location: orAny(request.location),
          after: request.afterSensorId,
          limit: request.limit ?? DEFAULT_SENSORS,
          freshSinceUs,
        });
        return {
          sensors: found.sensors.map((s) => ({
            sensorId: s.sensorId,
            sensorType: s.sensorType,
            lastSeen: toTimestamp(s.lastUs),
            status: s.lastUs > freshSinceUs ? SensorStatus.HEALTHY : SensorStatus.STALE,
            latestValue: s.lastValue,
            unit: s.unit,
            ...(s.location === undefined ? {} : { location: s.location }),
            isAnomaly: s.lastAnomaly,
            anomalyScore: s.lastScore / 10000,
            totalReadings: BigInt(s.readings),
          })),
          totalCount: BigInt(found.total),
          healthyCount: BigInt(found.fresh),
          staleCount: BigInt(found.total - found.fresh),
        };
      }),

    async aggregateReadings(request, context) {
      const widthUs = request.bucketSeconds * 1e6;
      const fromUs = Math.floor(timeOf("start_time", request.startTime, 0) / widthUs) * widthUs;
      const toUs = timeOf("end_time", request.endTime, MAX_TIME_US);
      if ((toUs - fromUs) / widthUs > MAX_BUCKETS) {
        const n = Math.ceil((toUs - fromUs) / widthUs);
        throw invalid("bucket_seconds", `the range has ${n} buckets: give at most ${MAX_BUCKETS}, by wider ones`);
      }
      if (!maySee(principalOf(context), request.sensorId)) return { buckets: [] };
      const buckets = await o.queries.buckets(request.sensorId, fromUs, toUs, widthUs);
      return {
        buckets: buckets.map((b) => ({
          startTime: toTimestamp(b.startUs),
          count: BigInt(b.count),
          avgValue: b.total / b.count,
          minValue: b.smallest,
          maxValue: b.largest,
          anomalyCount: BigInt(b.anomalies),
        })),
      };
    },

    async getPlatformHealth() {
      return { components: await o.health.check(), timestamp: toTimestamp(o.clock.nowUs()) };
    },
  };
}

function sensorsKey(r: ListSensorsRequest, context: HandlerContext): string {
  return `sensors/${JSON.stringify([principalOf(context).sensorPrefix, r.sensorType, r.location, r.limit, r.afterSensorId])}`;
}

/** Undefined where the caller may see nothing of what is asked for. */
function filterOf(r: ListReadingsRequest, principal: Principal): ReadingFilter | undefined {
  if (r.sensorId !== "" && !maySee(principal, r.sensorId)) return undefined;
  const after = r.pageToken === "" ? undefined : readToken(r.pageToken);
  const toUs = timeOf("end_time", r.endTime, MAX_TIME_US);
  return {
    sensorId: orAny(r.sensorId),
    sensorPrefix: principal.sensorPrefix,
    sensorType: orAny(r.sensorType),
    location: orAny(r.location),
    fromUs: timeOf("start_time", r.startTime, 0),
    toUs: after === undefined ? toUs : Math.min(toUs, after.timeUs),
    anomaliesOnly: r.anomaliesOnly,
    after,
  };
}

export function orAny(text: string): string | undefined {
  return text === "" ? undefined : text;
}

export function invalid(field: string, description: string): TelltaleError {
  return new TelltaleError("invalid", `${field}: ${description}`, { violations: [{ field, description }] });
}

export function timeOf(field: string, t: Timestamp | undefined, absent: number): number {
  if (t === undefined) return absent;
  const us = toMicros(t);
  if (Number.isNaN(us)) throw invalid(field, `nanos is ${t.nanos}: give 0 to 999999999`);
  return Math.min(Math.max(us, 0), MAX_TIME_US);
}

function tooDeep(skip: number): TelltaleError {
  return invalid("offset", `offset is ${skip}: give at most ${MAX_SKIP}, and go further by page_token`);
}

function noReading(sensorId: string): TelltaleError {
  return new TelltaleError("not_found", `sensor ${shown(sensorId)} has no reading`);
}

/** The found readings in their order, as messages. */
export function toMessages(found: FoundReadings): ScoredReading[] {
  return found.order.map((i) => {
    const series = found.series[i]!;
    const struct = found.metadata.get(metadataKey(series.sensorId, found.points.timeUs[i]!));
    return scoredReading(found.points, i, series, found.model[i]!, struct && metadataOf(struct));
  });
}

function pageToken(r: ScoredReading): string {
  return Buffer.from(`${toMicros(r.observedAt!)}/${r.id}`).toString("base64url");
}

function readToken(token: string): { timeUs: number; id: number } {
  const match = /^(\d{1,18})\/(\d{1,16})$/.exec(Buffer.from(token, "base64url").toString());
  if (match === null) throw invalid("page_token", `${shown(token)} is none of ours: use next_page_token of a response`);
  return { timeUs: Number(match[1]), id: Number(match[2]) };
}

function round4(x: number): number {
  return Math.round(x * 10_000) / 10_000;
}
