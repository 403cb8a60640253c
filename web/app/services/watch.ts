import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type AlertEvent, AlertEventSchema, WatchService } from "../../../gen/web/telltale/v1/watch_pb.ts";
import { client } from "../transport.ts";

export const watchApi = client(WatchService);

/** As one tab tells the others. */
export function bytesOf(event: AlertEvent): Uint8Array {
  return toBinary(AlertEventSchema, event);
}

export function eventOf(bytes: Uint8Array): AlertEvent {
  return fromBinary(AlertEventSchema, bytes);
}
