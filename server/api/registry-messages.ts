/** Sensors in the form of the contract. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Severity } from "../../gen/es/telltale/v1/reading_pb.ts";
import {
  type RegisteredSensor,
  RegisteredSensorSchema,
  SensorSeriesSchema,
  type SensorState,
} from "../../gen/es/telltale/v1/registry_pb.ts";
import { toTimestamp } from "../lib/time.ts";
import type { SensorDetails, SeriesDetails } from "../registry/details.ts";
import { attributesInForce } from "../registry/profile.ts";
import { type StateCounts, stateOf } from "../registry/state.ts";
import { canAccessSensor, type Principal } from "../security/principal.ts";
import { FRAME_BYTES } from "./pages.ts";

/** A sensor in the form of the contract, with its other ids as far as the caller may see them. */
export function sensorMessage(details: SensorDetails, nowUs: number, principal: Principal): RegisteredSensor {
  const { sensorId, profile, sent, series, firstUs, lastUs, open, retired, otherIds } = details;
  return create(RegisteredSensorSchema, {
    sensorId,
    ...(profile === undefined ? {} : profileFields(profile)),
    attributes: attributesInForce(sent, profile?.attributes ?? {}),
    sentAttributes: sent,
    editedAttributes: profile?.attributes ?? {},
    series: series.map(seriesMessage),
    ...(lastUs < 0 ? {} : { firstReading: toTimestamp(firstUs), lastReading: toTimestamp(lastUs) }),
    otherIds: otherIds.filter((id) => canAccessSensor(principal, id)),
    openAlerts: BigInt(open.count),
    worstSeverity: open.worst as Severity,
    state: stateOf({ kind: open.kind, lastUs, retired: retired !== undefined }, nowUs) as SensorState,
    ...(retired === undefined ? {} : { retiredAt: toTimestamp(retired.atUs), retiredBy: retired.by }),
  });
}

function seriesMessage({ sensorType, unit, location, readings, firstUs, lastUs }: SeriesDetails) {
  return create(SensorSeriesSchema, {
    ...{ sensorType, unit },
    ...(location === undefined ? {} : { location }),
    totalReadings: BigInt(readings),
    firstReading: toTimestamp(firstUs),
    lastReading: toTimestamp(lastUs),
  });
}

function profileFields(
  profile: NonNullable<SensorDetails["profile"]>,
): MessageInitShape<typeof RegisteredSensorSchema> {
  const { displayName, description, owner, runbookUrl, asset, tags, revision, updatedUs, updatedBy } = profile;
  return {
    ...{ displayName, description, owner, runbookUrl, asset, updatedBy },
    tags: [...tags],
    revision: BigInt(revision),
    updatedAt: toTimestamp(updatedUs),
  };
}

/** Of a sensor in a list. */
export function sensorBytes(sensor: RegisteredSensor): number {
  return toBinary(RegisteredSensorSchema, sensor).length + FRAME_BYTES;
}

export function countsMessage({ total, alerting, stale, ok, retired }: StateCounts) {
  return {
    ...{ total: BigInt(total), alerting: BigInt(alerting), stale: BigInt(stale) },
    ...{ ok: BigInt(ok), retired: BigInt(retired) },
  };
}
