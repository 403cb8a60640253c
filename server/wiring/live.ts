import { fromBinary } from "@bufbuild/protobuf";
import { RecordOutcomeSchema } from "../../gen/es/telltale/v1/notice_pb.ts";
import { isWhole } from "../config.ts";
import { LogSubmitter } from "../ingest/log-submitter.ts";
import { type EncodedReadings, piecesOf } from "../live/encoded-readings.ts";
import { Feed } from "../live/feed.ts";
import { Notices } from "../live/notices.ts";
import { fromNotice } from "../log/outcome-notice.ts";
import type { Storage } from "./storage.ts";
import type { Wiring } from "./wiring.ts";

/** Readings that this process has logged and that are not settled: past it, devices wait. */
const MAX_UNSETTLED_READINGS = 1_000_000;
/** Committed readings kept for watchers that lag or resume. */
const LIVE_LIMITS = { entries: 10_000, bytes: 64 * 1024 * 1024 };
/** Outcomes of other processes that are this late are looked up in the store: their notice was lost. */
const OVERDUE_MS = 300;
const OVERDUE_AT_ONCE = 500;

/** The way of batches into the log, and of what commits tell back to whoever waits or watches. */
export interface Live {
  readonly submitter: LogSubmitter;
  readonly notices: Notices;
  readonly readings: Feed<EncodedReadings>;
  readonly alertsChanged: Feed<null>;
  /** Also whenever there is something else for notifications to look at. */
  readonly notifiableChanged: Feed<null>;
  readonly incidentsChanged: Feed<null>;
  /** Whether no other process shares the log and the store. */
  readonly alone: boolean;
}

/** What a commit tells reaches this process's own waiters directly, and those of other processes over the bus. */
export async function wireLive(w: Wiring, storage: Storage): Promise<Live> {
  const { config, clock, logger, cleanups } = w;
  const { log, bus, names, room } = storage;
  const notices = new Notices(bus);
  cleanups.add("notices", () => notices.close());
  const submitter = new LogSubmitter({
    log,
    nowUs: clock.nowUs,
    logger,
    maxUnsettledReadings: MAX_UNSETTLED_READINGS,
    full: () => room.full,
  });
  const readings = new Feed<EncodedReadings>(LIVE_LIMITS, clock.nowUs());
  const alertsChanged = new Feed<null>({ entries: 1, bytes: 1 }, 0);
  await notices.onLive(
    (bytes) => {
      for (const piece of piecesOf(bytes)) readings.push(piece, piece.bytes.length);
    },
    () => readings.gap(),
  );
  const notifiableChanged = new Feed<null>({ entries: 1, bytes: 1 }, 0);
  await notices.onAlerts(() => {
    alertsChanged.push(null, 1);
    notifiableChanged.push(null, 1);
  });
  await notices.onNotifiable(() => notifiableChanged.push(null, 1));
  await notices.onNames(() => {
    names.refresh().catch((error: unknown) => logger.warn({ err: error }, "the names of sensors could not be read"));
  });
  const incidentsChanged = new Feed<null>({ entries: 1, bytes: 1 }, 0);
  await notices.onIncidents(() => incidentsChanged.push(null, 1));
  const alone = isWhole(config) && config.kafkaBootstrapServers === undefined;
  if (!alone) {
    await notices.onSettled((partition, outcomes) => submitter.settled(partition, outcomes));
    lookUpOverdue(w, storage, submitter);
  }
  return { submitter, notices, readings, alertsChanged, notifiableChanged, incidentsChanged, alone };
}

/** Notices may be lost with the bus; the store has the outcomes. */
function lookUpOverdue({ logger, cleanups }: Wiring, { queries }: Storage, submitter: LogSubmitter): void {
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    try {
      for (const [partition, offsets] of submitter.overdue(OVERDUE_MS, OVERDUE_AT_ONCE)) {
        const found = await queries.outcomes(partition, offsets);
        submitter.settled(
          partition,
          found.map((bytes) => fromNotice(fromBinary(RecordOutcomeSchema, bytes))),
        );
      }
    } catch (error) {
      logger.warn({ err: error }, "overdue outcomes could not be looked up");
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => void look(), OVERDUE_MS);
  cleanups.add("look for overdue outcomes", () => clearInterval(timer));
}
