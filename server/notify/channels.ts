import type { Channel } from "./channel.ts";
import { openChannel } from "./channels/open.ts";
import type { ChannelOptions } from "./channels/options.ts";
import { channelKeys } from "./config/channel-keys.ts";
import type { NotifyConfig } from "./config/config.ts";

/** The channels of a configuration. */
export interface Channels {
  /** By the receiver's name and the channel's key. */
  find(receiver: string, key: string): Channel | undefined;
  close(): Promise<void>;
}

export function openChannels({ receivers }: Pick<NotifyConfig, "receivers">, options: ChannelOptions): Channels {
  const open = new Map(
    receivers.map(({ name, channels }) => {
      const keys = channelKeys(channels);
      return [name, new Map(channels.map((channel, i) => [keys[i]!, openChannel(channel, options)]))];
    }),
  );
  return {
    find: (receiver, key) => open.get(receiver)?.get(key),
    async close() {
      const all = [...open.values()].flatMap((channels) => [...channels.values()]);
      await Promise.all(all.map((channel) => channel.close()));
    },
  };
}
