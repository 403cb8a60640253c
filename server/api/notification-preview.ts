/** How often receivers would have been notified, had a configuration been in force. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { Sql } from "postgres";
import type { NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { DAY_US } from "../lib/time.ts";
import type { NotifyConfig } from "../notify/config/config.ts";
import type { ConfigInForce } from "../notify/config/in-force.ts";
import { parseNotifyConfig } from "../notify/config/parse.ts";
import { isZone, noZone } from "../notify/config/read/intervals.ts";
import { readOverrides } from "../notify/oncall/store.ts";
import { countMessages } from "../notify/preview/count.ts";
import { readHistory } from "../notify/preview/history.ts";
import { replay } from "../notify/preview/replay.ts";
import { invalid } from "./query.ts";

/** One at a time: it takes a core for seconds. */
const RETRY_MS = 2_000;

export interface PreviewOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly inForce: ConfigInForce;
}

export function createPreviewMethod({
  sql,
  clock,
  inForce,
}: PreviewOptions): Pick<ServiceImpl<typeof NotificationService>, "previewNotifications"> {
  let busy = false;
  return {
    async previewNotifications({ text, templates, days, timeZone }, { signal }) {
      if (timeZone !== "" && !isZone(timeZone)) throw invalid("time_zone", noZone(timeZone));
      const parsed = text === "" ? await applied(sql, inForce) : parseNotifyConfig(text, templates);
      if ("problems" in parsed) return { problems: [...parsed.problems] };
      if (busy) {
        throw new TelltaleError("exhausted", "another preview is being made: ask again", { retryAfterMs: RETRY_MS });
      }
      busy = true;
      try {
        const toUs = clock.nowUs();
        const fromUs = toUs - days * DAY_US;
        const { alerts, isTruncated, events } = await readHistory(sql, { fromUs, toUs });
        const overrides = await readOverrides(sql, { endAfterUs: fromUs });
        const sent = await replay(events, parsed.config, { overrides, untilUs: toUs, signal });
        return { alerts, truncated: isTruncated, receivers: countMessages(sent, parsed.config, timeZone || "UTC") };
      } finally {
        busy = false;
      }
    },
  };
}

async function applied(sql: Sql, inForce: ConfigInForce): Promise<{ readonly config: NotifyConfig }> {
  const { stored, config } = await inForce.readable(sql);
  if (stored.revision > 0) return { config };
  throw new TelltaleError("conflict", "no configuration was applied: give one to preview");
}
