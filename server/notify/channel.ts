import type { Message } from "./message.ts";

/** What became of a message. */
export type Sent =
  /** `note`: what of it is not as the configuration wants it. */
  | { readonly kind: "ok"; readonly note?: string }
  /** It may be taken later: after `afterMs` where the other side names a time. */
  | { readonly kind: "retry"; readonly reason: string; readonly afterMs?: number }
  /** It will never be taken as it is: trying again is of no use. */
  | {
      readonly kind: "failed";
      readonly reason: string;
      /** Whatever its texts are. */
      readonly isNotOfTexts?: true;
    };

/** A way to reach people or programs: one file each under `channels/`. */
export interface Channel {
  /** For logs, metrics and the delivery log: `webhook`, `email` … */
  readonly kind: string;
  /** Sends one message within the time of the signal. Never rejects for what the other side does; reasons carry no secret. */
  send(message: Message, signal: AbortSignal): Promise<Sent>;
  close(): Promise<void>;
}
