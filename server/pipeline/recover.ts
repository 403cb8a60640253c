import { fromBinary } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import type { Store } from "../store/store.ts";
import { type PartitionState, PRODUCERS_CHUNK } from "./state.ts";

/** Loads a partition's state from the store; where it begins in the log then is `state.next`. */
export async function recover(state: PartitionState, partition: number, store: Store, logger: Logger): Promise<void> {
  state.row = await store.readPartition(partition);
  const { row, version } = state;
  const chunks = await store.readChunks(partition);
  const foreign = chunks.find((c) => c.version !== version);
  let point = { offset: row.replayOffset, tick: row.replayTick, receivedUs: row.replayReceivedUs };
  if (foreign === undefined) {
    for (const c of chunks) {
      if (c.chunk === PRODUCERS_CHUNK) state.producers.load(c.bytes);
      else state.sensors.load(c.chunk, c.asOf, c.bytes);
    }
  } else {
    logger.warn(
      { partition, found: foreign.version, wanted: version },
      "saved state is of another version: rebuilding it",
    );
    point = { offset: 0, tick: 0, receivedUs: 0 };
  }
  // What they did to sensors is in the chunks.
  for (const control of await store.readSettings(partition, point.offset)) {
    state.settings.apply(fromBinary(ControlSchema, control), state.sensors, () => false);
  }
  for (const s of await store.readSeries(partition)) state.series.known(s);
  state.startAt(point);
}
