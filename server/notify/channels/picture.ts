/** A picture beside the words of a message. */
import { randomUUID } from "node:crypto";
import type { HttpChannelConfig } from "../config/config.ts";
import type { Message } from "../message.ts";
import type { Picture } from "../pictures/picture.ts";
import type { Outgoing } from "./http-channel.ts";
import type { ChannelOptions } from "./options.ts";

/** By which a message names the file that comes with it. */
export const PICTURE_NAME = "alert.png";

/** Of the worst alert; undefined where none is wanted, or there is none in time. */
export async function pictureFor(
  { alerts: [worst], isPlain = false }: Message,
  { picture, timeoutMs }: Pick<HttpChannelConfig, "timeoutMs"> & { readonly picture: boolean },
  { pictureOf }: Pick<ChannelOptions, "pictureOf">,
  size: { readonly width?: number } = {},
): Promise<Picture | undefined> {
  if (!picture || isPlain || worst === undefined) return undefined;
  // The rest is for the message: a picture that is always late would let none through.
  return pictureOf?.(worst, { ...size, withinMs: Math.floor(timeoutMs / 2) });
}

/** Fields and the picture as a form (RFC 7578). The library's FormData would write line breaks of the fields anew. */
export function formWith(
  fields: Readonly<Record<string, string>>,
  { name, png }: { readonly name: string; readonly png: Uint8Array },
): Outgoing {
  const boundary = randomUUID();
  const part = (head: string, body: string | Uint8Array) => [
    Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; ${head}\r\n\r\n`),
    Buffer.from(body),
    Buffer.from("\r\n"),
  ];
  const parts = [
    ...Object.entries(fields).map(([field, value]) => part(`name="${field}"`, value)),
    part(`name="${name}"; filename="${PICTURE_NAME}"\r\ncontent-type: image/png`, png),
  ];
  const body = Buffer.concat([...parts.flat(), Buffer.from(`--${boundary}--\r\n`)]);
  return { headers: { "content-type": `multipart/form-data; boundary=${boundary}` }, body };
}
