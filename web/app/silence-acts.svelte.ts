/** Silences that a person makes and ends. One that was made can be ended at once; to end one waits, since what it hid is told then. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CreateSilenceRequestSchema } from "../../gen/web/telltale/v1/notification_pb.ts";
import { durationText } from "./format.ts";
import { inboxActs } from "./inbox-acts.svelte.ts";
import { notificationApi } from "./services/notification.ts";
import { toasts } from "./toasts.svelte.ts";
import { boundHeaders } from "./transport.ts";

class SilenceActs {
  /** Grows with each change of this tab: a list that reads it is loaded anew. */
  changes = $state(0);
  /** That will be ended in a moment. */
  endingIds = $state.raw<ReadonlySet<string>>(new Set());

  /** @throws ConnectError */
  async create(request: MessageInitShape<typeof CreateSilenceRequestSchema>): Promise<void> {
    const bound = { headers: boundHeaders() };
    const { silence } = await notificationApi.createSilence(request, bound);
    this.changes++;
    const undo = () => void this.#takeBack(silence!.id, bound);
    toasts.say(`Silenced for ${durationText((request.durationSeconds ?? 0) * 1_000)}`, "ok", undo);
  }

  async end(id: string): Promise<void> {
    this.endingIds = this.endingIds.union(new Set([id]));
    await inboxActs.once("End the silence", async (bound) => {
      await notificationApi.expireSilence({ id }, bound);
      this.changes++;
      return "The silence has ended";
    });
    this.endingIds = this.endingIds.difference(new Set([id]));
  }

  async #takeBack(id: string, bound: { readonly headers: Record<string, string> }): Promise<void> {
    try {
      await notificationApi.expireSilence({ id }, bound);
      toasts.say("The silence is taken back");
    } catch (error) {
      toasts.fail(error, "Take the silence back");
    }
    this.changes++;
  }
}

export const silenceActs = new SilenceActs();
