import type { Channel } from "../channel.ts";

/** A channel of a receiver. */
export interface Target {
  readonly receiver: string;
  readonly channelKey: string;
}

/** The channel of a receiver by its key; undefined where the configuration has it no longer. */
export type FindChannel = (receiver: string, key: string) => Channel | undefined;
