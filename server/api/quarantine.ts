/** What is set aside: listed, submitted again by the ordinary way of a reading, or discarded. */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type AdminService,
  QuarantinedKind,
  QuarantinedReadingSchema,
  type QuarantinedState,
} from "../../gen/es/telltale/v1/admin_pb.ts";
import {
  type SubmitReadingsRequest,
  SubmitReadingsRequestSchema,
  type SubmitReadingsResponse,
} from "../../gen/es/telltale/v1/ingest_pb.ts";
import { SeriesKeySchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { type Reading, ReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { toTimestamp } from "../lib/time.ts";
import { decodeRecord, readInt64 } from "../log/record/decode.ts";
import { metadataOf } from "../scoring/scored.ts";
import {
  DISCARDED,
  type QuarantinedItem,
  type QuarantineQueries,
  SUBMITTED_AGAIN,
  WAITING,
} from "../store/quarantine.ts";
import { CONTROL_PLACE, RECORD_PLACE } from "../store/store.ts";
import { readPageToken } from "./page-token.ts";
import { FRAME_BYTES, page, roomFor } from "./pages.ts";
import { principalOf } from "./principal.ts";

const DEFAULT_LIMIT = 100;
/** A list leaves larger ones out: with one of them alone an answer could be larger than a client takes. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;

/** Takes readings as `IngestService.SubmitReadings` does. */
export type Submit = (request: SubmitReadingsRequest, context: HandlerContext) => Promise<SubmitReadingsResponse>;

type Names = "listQuarantinedReadings" | "replayQuarantinedReading" | "discardQuarantinedReading";
export type QuarantineMethods = Pick<ServiceImpl<typeof AdminService>, Names>;

export function createQuarantineMethods(o: {
  queries: QuarantineQueries;
  clock: Clock;
  submit: Submit;
}): QuarantineMethods {
  const { queries, clock, submit } = o;
  async function waiting(id: bigint): Promise<QuarantinedItem> {
    const item = await queries.get(Number(id));
    if (item === undefined) throw new TelltaleError("not_found", `Nothing in the quarantine has the id ${id}`);
    if (item.state !== WAITING) throw decided(item);
    return item;
  }
  async function decide(id: bigint, state: number, context: HandlerContext): Promise<QuarantinedItem> {
    const done = await queries.decide(Number(id), state, principalOf(context).name, clock.nowUs());
    if (done === undefined) throw decided((await queries.get(Number(id)))!);
    return done;
  }
  return {
    async listQuarantinedReadings({ limit = DEFAULT_LIMIT, beforeId, includeDecided, pageToken }, context) {
      const filters = { list: "quarantined readings", include_decided: includeDecided };
      const rows = await queries.list({
        beforeId: readPageToken(pageToken, filters)?.id ?? Number(beforeId),
        all: includeDecided,
        limit: limit === 0 ? 0 : limit + 1,
        maxPayloadBytes: MAX_PAYLOAD_BYTES,
        // One row more than fits, at least the second: what a page leaves out is seen by it.
        maxBytes: Math.max(roomFor(context), MAX_PAYLOAD_BYTES),
      });
      const placeOf = ({ id }: QuarantinedItem) => ({ timeUs: 0, id });
      const { items, nextPageToken } = page({ rows, limit, toItem: toMessage, bytesOf, placeOf, filters }, context);
      return { readings: items, waiting: BigInt(await queries.waiting()), nextPageToken };
    },

    // Submitted before it is marked: a crash between leaves it waiting, and its readings are duplicates when it is submitted again.
    async replayQuarantinedReading({ id }, context) {
      const item = await waiting(id);
      const readings = readingsOf(item);
      if (readings.length === 0) {
        throw new TelltaleError("conflict", `${id} holds no reading that can be submitted again: discard it`);
      }
      const { counts, refusals } = await submit(
        create(SubmitReadingsRequestSchema, { readings }) as SubmitReadingsRequest,
        context,
      );
      const done = await decide(id, SUBMITTED_AGAIN, context);
      return { reading: toMessage(done), ...(counts && { counts }), refusals };
    },

    async discardQuarantinedReading({ id }, context) {
      await waiting(id);
      return { reading: toMessage(await decide(id, DISCARDED, context)) };
    },
  };
}

function decided({ id, state, decidedBy }: QuarantinedItem): TelltaleError {
  const what = state === DISCARDED ? "discarded" : "submitted again";
  return new TelltaleError("conflict", `${id} was ${what} by ${decidedBy} already`);
}

/** The readings that it stands for; none where they cannot be read, or where it is what a person did. */
function readingsOf({ fragment, payload, receivedUs }: QuarantinedItem): Reading[] {
  try {
    if (fragment === CONTROL_PLACE) return [];
    return fragment === RECORD_PLACE ? readingsOfRecord(payload, receivedUs) : [fromBinary(ReadingSchema, payload)];
  } catch (error) {
    if (error instanceof Error) return [];
    throw error;
  }
}

function readingsOfRecord(bytes: Uint8Array, receivedUs: number): Reading[] {
  const { fragments, view } = decodeRecord(bytes);
  return fragments.flatMap(({ runs }) =>
    runs.flatMap((run) => {
      const key = fromBinary(SeriesKeySchema, Buffer.from(run.key, "latin1"));
      return Array.from({ length: run.count }, (_, i) => {
        const us = run.timesAt < 0 ? receivedUs : readInt64(view, run.timesAt + 8 * i);
        const struct = run.metadata?.get(i);
        return create(ReadingSchema, {
          ...{ sensorId: key.sensorId, sensorType: key.sensorType, unit: key.unit },
          ...(key.location === undefined ? {} : { location: key.location }),
          ...(struct === undefined ? {} : { metadata: metadataOf(struct) }),
          value: view.getFloat64(run.valuesAt + 8 * i, true),
          observedAt: toTimestamp(us),
        });
      });
    }),
  );
}

function kindOf(fragment: number): QuarantinedKind {
  if (fragment === CONTROL_PLACE) return QuarantinedKind.CONTROL;
  return fragment === RECORD_PLACE ? QuarantinedKind.RECORD : QuarantinedKind.READING;
}

type Item = MessageInitShape<typeof QuarantinedReadingSchema>;

function bytesOf(item: Item): number {
  return toBinary(QuarantinedReadingSchema, create(QuarantinedReadingSchema, item)).length + FRAME_BYTES;
}

function toMessage(item: QuarantinedItem): Item {
  const kind = kindOf(item.fragment);
  const [reading] = kind === QuarantinedKind.READING ? readingsOf(item) : [];
  return {
    id: BigInt(item.id),
    kind,
    ...(reading === undefined ? {} : { reading }),
    readingCount: item.readings,
    reason: item.reason,
    sqlstate: item.sqlstate,
    partition: item.partition,
    offset: BigInt(item.offset),
    receivedAt: toTimestamp(item.receivedUs),
    state: item.state as QuarantinedState,
    ...(item.decidedUs === undefined ? {} : { decidedAt: toTimestamp(item.decidedUs) }),
    decidedBy: item.decidedBy,
    ...(item.payload.length > MAX_PAYLOAD_BYTES ? {} : { payload: item.payload }),
    payloadBytes: BigInt(item.payloadBytes),
  };
}
