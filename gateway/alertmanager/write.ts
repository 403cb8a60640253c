import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";

/** As Alertmanager writes times: to the millisecond. */
export function time(at: Timestamp): string {
  return new Date(timestampMs(at)).toISOString();
}
