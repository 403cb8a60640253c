import { create, toBinary } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { MAX_TIME_US } from "../../formats/time.ts";
import {
  GetPlatformStatsResponseSchema,
  type ListReadingsRequest,
  type ListSensorsRequest,
  ListSensorsResponseSchema,
  type QueryService,
  type Sensor,
  SensorSchema,
  SensorStatus,
} from "../../gen/es/telltale/v1/query_pb.ts";
import { type ScoredReading, ScoredReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";
import { DAY_US, toMicros, toTimestamp } from "../lib/time.ts";
import type { HealthChecks } from "../observe/health.ts";
import { metadataOf, scoredReading } from "../scoring/scored.ts";
import { canAccessSensor, type Principal } from "../security/principal.ts";
import type { Queries, SensorRow, UnitStats } from "../store/queries.ts";
import { type FoundReadings, metadataKey, type ReadingFilter } from "../store/reading-queries.ts";
import { meanOf } from "../store/sums.ts";
import type { AnswerCache } from "./answers.ts";
import { type Filters, readPageToken, readTextPageToken, writePageToken } from "./page-token.ts";
import { FRAME_BYTES, fitting, page, roomFor } from "./pages.ts";
import { principalOf } from "./principal.ts";

const DEFAULT_LIMIT = 100;
const DEFAULT_SENSORS = 10_000;
/** A sensor that was seen this long ago or longer is stale. */
const STALE_AFTER_US = 3_600_000_000;
/** Most buckets of one aggregate: a chart shows fewer. */
const MAX_BUCKETS = 10_000;
/** Readings that a list may skip; deeper pages go by token. */
const MAX_SKIP = 1_000_000;
/** Units of a sensor that are named: whoever sends each reading in another one must not make an answer that nobody can take. */
const MAX_UNITS = 1000;

export interface QueryOptions {
  readonly queries: Queries;
  readonly clock: Clock;
  readonly health: HealthChecks;
  /** Answers that dashboards poll, as stale as the configuration allows. */
  readonly answers: AnswerCache;
}

/** Beside charts, see `charts.ts`. */
export function createQueryService(
  o: QueryOptions,
): Omit<ServiceImpl<typeof QueryService>, "getSeries" | "getAnomalyHeatmap"> {
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
      const all = toMessages({ ...found, order: found.order.slice(0, limit) });
      const readings = all.slice(0, fitting(all, readingBytes, context));
      const more = found.order.length > readings.length;
      const last = readings[readings.length - 1];
      return { readings, nextPageToken: more && last !== undefined ? tokenBehind(last, request) : "" };
    },

    async getLatestReading({ sensorId }, context) {
      const [reading] = toMessages(await o.queries.latest([sensorId], principalOf(context).sensorPrefix));
      if (reading === undefined) throw noReading(sensorId);
      return { reading };
    },

    async batchGetLatestReadings({ sensorIds }, context) {
      const all = toMessages(await o.queries.latest(sensorIds, principalOf(context).sensorPrefix));
      const count = fitting(all, readingBytes, context);
      return { readings: all.slice(0, count), sensorIdsLeft: all.slice(count).map(({ sensorId }) => sensorId) };
    },

    async getSensorStats({ sensorId }, context) {
      const visible = canAccessSensor(principalOf(context), sensorId);
      const units = visible ? await o.queries.sensorStats(sensorId) : [];
      const [current] = units;
      if (current === undefined) throw noReading(sensorId);
      const count = (of: (u: UnitStats) => number) => BigInt(units.reduce((n, u) => n + of(u), 0));
      const newest = current.currentUs >= 0 ? current.currentUs : current.lastUs;
      return {
        sensorId,
        totalReadings: count((u) => u.readings),
        avgValue: current.mean,
        minValue: current.smallest,
        maxValue: current.largest,
        anomalyCount: count((u) => u.anomalies),
        lastReading: toTimestamp(newest),
        lateCount: count((u) => u.late),
        unit: current.unit,
        units: units.slice(0, MAX_UNITS).map(unitStatistics),
        unitCount: BigInt(units.length),
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
        const limit = request.limit ?? DEFAULT_SENSORS;
        const filters = sensorsPagedBy(request);
        const found = await o.queries.sensors({
          sensorPrefix: principalOf(context).sensorPrefix,
          sensorType: emptyToUndefined(request.sensorType),
          location: emptyToUndefined(request.location),
          after: readTextPageToken(request.pageToken, filters)?.id ?? request.afterSensorId,
          limit: limit === 0 ? 0 : limit + 1,
          freshSinceUs,
        });
        const toItem = (row: SensorRow) => sensorOf(row, freshSinceUs);
        const placeOf = ({ sensorId }: SensorRow) => ({ timeUs: 0, id: sensorId });
        const list = { rows: found.sensors, limit, toItem, bytesOf: sensorBytes, placeOf, filters };
        const { items, nextPageToken } = page(list, context);
        return {
          sensors: items,
          nextPageToken,
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
      if (!canAccessSensor(principalOf(context), request.sensorId)) return { buckets: [] };
      const units = await o.queries.sensorStats(request.sensorId);
      const unit = request.unit === "" ? units[0]?.unit : request.unit;
      const buckets = await o.queries.buckets({ sensorId: request.sensorId, unit, fromUs, toUs, widthUs });
      return {
        unit: unit ?? "",
        otherUnits: units
          .filter((u) => u.unit !== unit && u.firstUs < toUs && u.lastUs >= fromUs)
          .slice(0, MAX_UNITS)
          .map((u) => u.unit),
        buckets: buckets.map((b) => ({
          startTime: toTimestamp(b.startUs),
          count: BigInt(b.count),
          avgValue: meanOf(b),
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
  const { sensorType, location, limit, afterSensorId, pageToken } = r;
  const asked = [principalOf(context).sensorPrefix, sensorType, location, limit, afterSensorId, pageToken];
  return `sensors/${JSON.stringify([...asked, roomFor(context)])}`;
}

function sensorsPagedBy({ sensorType, location, afterSensorId }: ListSensorsRequest): Filters {
  return { list: "sensors", sensor_type: sensorType, location, after_sensor_id: afterSensorId };
}

function sensorOf(s: SensorRow, freshSinceUs: number): Sensor {
  return create(SensorSchema, {
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
    attributes: s.attributes,
  });
}

function sensorBytes({ sensorId, sensorType, unit, location = "", attributes }: Sensor): number {
  let bytes = SENSOR_NUMBERS_BYTES + Buffer.byteLength(`${sensorId}${sensorType}${unit}${location}`);
  for (const key in attributes) bytes += ATTRIBUTE_BYTES + Buffer.byteLength(`${key}${attributes[key]}`);
  return bytes;
}

/** All that is not text in a sensor, with the tags and lengths of the texts and of the sensor itself. */
const SENSOR_NUMBERS_BYTES = 80;
/** Tags and lengths of an attribute. */
const ATTRIBUTE_BYTES = 9;

/** What the pages of a list have in common. */
function pagedBy(r: ListReadingsRequest): Filters {
  return {
    sensor_id: r.sensorId,
    sensor_type: r.sensorType,
    location: r.location,
    start_time: timeOf("start_time", r.startTime, -1),
    end_time: timeOf("end_time", r.endTime, -1),
    anomalies_only: r.anomaliesOnly,
  };
}

function tokenBehind(last: ScoredReading, r: ListReadingsRequest): string {
  return writePageToken(pagedBy(r), { timeUs: toMicros(last.observedAt!), id: Number(last.id) });
}

/** Undefined where the caller may see nothing of what is asked for. */
function filterOf(r: ListReadingsRequest, principal: Principal): ReadingFilter | undefined {
  if (r.sensorId !== "" && !canAccessSensor(principal, r.sensorId)) return undefined;
  const fromUs = timeOf("start_time", r.startTime, 0);
  const toUs = timeOf("end_time", r.endTime, MAX_TIME_US);
  const after = readPageToken(r.pageToken, pagedBy(r));
  return {
    sensorId: emptyToUndefined(r.sensorId),
    sensorPrefix: principal.sensorPrefix,
    sensorType: emptyToUndefined(r.sensorType),
    location: emptyToUndefined(r.location),
    fromUs,
    toUs: after === undefined ? toUs : Math.min(toUs, after.timeUs),
    anomaliesOnly: r.anomaliesOnly,
    after,
  };
}

export function emptyToUndefined(text: string): string | undefined {
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
  return new TelltaleError("not_found", `sensor ${quoted(sensorId)} has no reading`);
}

function unitStatistics(u: UnitStats) {
  return {
    unit: u.unit,
    totalReadings: BigInt(u.readings),
    avgValue: u.mean,
    minValue: u.smallest,
    maxValue: u.largest,
    anomalyCount: BigInt(u.anomalies),
    firstReading: toTimestamp(u.firstUs),
    lastReading: toTimestamp(u.lastUs),
  };
}

/** A sensor's stored reading at a time, for whoever sent it. */
export function readingAt(queries: Queries): (sensorId: string, timeUs: number) => Promise<ScoredReading | undefined> {
  const any = { sensorPrefix: "", sensorType: undefined, location: undefined, anomaliesOnly: false, after: undefined };
  return async (sensorId, timeUs) => {
    const [reading] = toMessages(await queries.readings({ ...any, sensorId, fromUs: timeUs, toUs: timeUs }, 1, 0));
    return reading;
  };
}

/** The found readings in their order, as messages. */
export function toMessages(found: FoundReadings): ScoredReading[] {
  return found.order.map((i) => {
    const series = found.series[i]!;
    const struct = found.metadata.get(metadataKey(series.sensorId, found.points.timeUs[i]!));
    return scoredReading(found.points, i, series, found.model[i]!, struct && metadataOf(struct));
  });
}

/** Without metadata a reading is a few hundred bytes, and an estimate from above will do. */
function readingBytes(reading: ScoredReading): number {
  if (reading.metadata !== undefined) return toBinary(ScoredReadingSchema, reading).length + FRAME_BYTES;
  const { sensorId, sensorType, unit, location = "", reason, modelVersion } = reading;
  const characters = [sensorId, sensorType, unit, location, reason, modelVersion].join("").length;
  return NUMBERS_BYTES + MAX_UTF8_BYTES * characters;
}

/** All that is not text in a reading, with the tags and lengths of the texts. */
const NUMBERS_BYTES = 160;
const MAX_UTF8_BYTES = 3;

function round4(x: number): number {
  return Math.round(x * 10_000) / 10_000;
}
