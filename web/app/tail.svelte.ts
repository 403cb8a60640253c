/** Readings of one sensor as they are stored, for a chart that ends now. Only while the page is shown: each stream is a connection. */
import { Code, ConnectError } from "@connectrpc/connect";
import type { ScoredReading } from "../../gen/web/telltale/v1/reading_pb.ts";
import { backoffMs } from "./backoff.ts";

/** Called with readings, and with "missed" where some may not have come. */
type Listener = (news: readonly ScoredReading[] | "missed") => void;

/** Answers with a function that ends it. */
export function watchSensor(sensorId: string, listener: Listener): () => void {
  let ending = new AbortController();
  const begin = () => {
    ending = new AbortController();
    void read(sensorId, listener, ending.signal);
  };
  const onVisibility = () => {
    ending.abort();
    if (document.hidden) return;
    // What came meanwhile is asked for as a whole.
    listener("missed");
    begin();
  };
  document.addEventListener("visibilitychange", onVisibility);
  if (!document.hidden) begin();
  return () => {
    ending.abort();
    document.removeEventListener("visibilitychange", onVisibility);
  };
}

async function read(sensorId: string, listener: Listener, signal: AbortSignal): Promise<void> {
  let token = "";
  let isFirst = true;
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      // Not before the chart is there: what it is drawn of has come by another call.
      const { watchApi } = await import("./services/watch.ts");
      for await (const { readings, resumeToken, missed } of watchApi.watchReadings(
        { sensorId, resumeToken: token },
        { signal },
      )) {
        failures = 0;
        if (resumeToken !== "") token = resumeToken;
        // The chart was asked for before this was in place.
        if (missed || isFirst) listener("missed");
        isFirst = false;
        if (readings.length > 0) listener(readings);
      }
    } catch (error) {
      const { code } = ConnectError.from(error);
      if (signal.aborted || code === Code.Unauthenticated || code === Code.PermissionDenied) return;
    }
    await new Promise((resolve) => setTimeout(resolve, backoffMs(failures, Math.random())));
  }
}
