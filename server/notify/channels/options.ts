import type { Clock } from "../../clock.ts";
import type { Environment } from "../../environment.ts";
import type { NotifiedAlert } from "../message.ts";
import type { Picture, PictureOptions } from "../pictures/picture.ts";
import type { Browsers } from "../push/browsers.ts";
import type { AddressGuard } from "./addresses.ts";
import type { Tokens } from "./tokens.ts";

/** What all channels of a process share. */
export interface ChannelOptions {
  readonly addresses: AddressGuard;
  /** Where secrets by name are. */
  readonly environment: Environment;
  readonly clock: Clock;
  /** The installation, as receivers tell it from others: `ce-source` of webhooks. */
  readonly source: string;
  /** Of OAuth 2.0, of this one channel; absent: it has none so far. */
  readonly tokens?: Tokens;
  /** Who is told by web push; absent: nobody. */
  readonly browsers?: Browsers;
  /** Draws an alert, soon or not at all; absent: messages have no pictures. */
  readonly pictureOf?: (alert: NotifiedAlert, options?: PictureOptions) => Promise<Picture | undefined>;
}
