/** `/api/v2/status` and `/api/v2/receivers`. */
import description from "../../package.json" with { type: "json" };
import type { Answer } from "../http.ts";
import type { CallContext } from "../mesh/call.ts";
import type { Calls } from "./calls.ts";
import { time } from "./write.ts";

/** In place of a configuration that the caller may not see: a comment of YAML. */
const HIDDEN = "# The configuration is shown to the scope admin alone.\n";

export async function getStatus(calls: Calls, context: CallContext): Promise<Answer> {
  const { text, startedAt } = await calls.call("getNotificationStatus", {}, context);
  const none = "";
  return {
    status: 200,
    body: {
      // Processes share a database, and need not talk to one another.
      cluster: { peers: [], status: "disabled" },
      config: { original: text === "" ? HIDDEN : text },
      uptime: time(startedAt!),
      versionInfo: {
        version: description.version,
        revision: "telltale",
        ...{ branch: none, buildDate: none, buildUser: none },
        goVersion: "none",
      },
    },
  };
}

export async function getReceivers(calls: Calls, context: CallContext): Promise<Answer> {
  const { receivers } = await calls.call("getNotificationStatus", {}, context);
  return { status: 200, body: receivers.map((name) => ({ name })) };
}
