import type { ChannelConfig } from "../config/config.ts";
import type { Message } from "../message.ts";

/** A message on its way to one channel. */
export interface Planned {
  readonly message: Message;
  /** Messages with the same to the same channel keep their order, by `sequence`. */
  readonly groupKey: string;
  readonly sequence: number;
  /** It tells of several groups, and keeps its place among all messages to the channel. */
  readonly isMerged: boolean;
  /** Its place among the receiver's channels. */
  readonly channel: number;
  readonly channelKey: string;
  readonly kind: ChannelConfig["kind"];
}
