/** Pages that a client can take: gRPC libraries refuse messages over 4 MiB unless configured otherwise. */
import type { HandlerContext } from "@connectrpc/connect";
import { type Filters, type Place, writePageToken } from "./page-token.ts";

/** gRPC's default bound on what a client takes. */
const CLIENT_BYTES = 4 * 1024 * 1024;
/** The fields around the list, and what an estimate may miss. */
const SPARE_BYTES = 64 * 1024;
/** A client that takes more says so, in bytes. */
const MAX_RESPONSE_HEADER = "telltale-max-response-bytes";
/** 1,000 readings with 16 KiB of metadata each: no list is larger. */
const MAX_RESPONSE_BYTES = 32 * 1024 * 1024;
/** An item in a list: its tag and length. */
export const FRAME_BYTES = 6;

export interface PageOf<Row, Item> {
  /** One more than `limit` where there are more. */
  readonly rows: readonly Row[];
  readonly limit: number;
  readonly toItem: (row: Row) => Item;
  /** Of the item as a message, its frame included; from above. */
  readonly bytesOf: (item: Item) => number;
  readonly placeOf: (row: Row) => Place<number | string>;
  /** The list's name among them, where another list has the same filters. */
  readonly filters: Filters;
}

/** As many rows as were asked for and fit into one answer, and the token that goes on behind them. */
export function page<Row, Item>(
  o: PageOf<Row, Item>,
  context: HandlerContext,
): { items: Item[]; nextPageToken: string } {
  const items = o.rows.slice(0, o.limit).map(o.toItem);
  const count = fitting(items, o.bytesOf, context);
  const last = count < o.rows.length ? o.rows[count - 1] : undefined;
  return {
    items: items.slice(0, count),
    nextPageToken: last === undefined ? "" : writePageToken(o.filters, o.placeOf(last)),
  };
}

/** How many of the items, from the first on, fit into one answer; at least one. */
export function fitting<T>(items: readonly T[], bytesOf: (item: T) => number, context: HandlerContext): number {
  let room = roomFor(context);
  const over = items.findIndex((item, index) => {
    room -= bytesOf(item);
    return room < 0 && index > 0;
  });
  return over === -1 ? items.length : over;
}

/** Bytes that the items of an answer may have. */
export function roomFor(context: HandlerContext): number {
  return bytesWanted(context) - SPARE_BYTES;
}

function bytesWanted({ requestHeader }: HandlerContext): number {
  const given = requestHeader.get(MAX_RESPONSE_HEADER);
  const bytes = given !== null && /^\d{1,12}$/.test(given) ? Number(given) : CLIENT_BYTES;
  return Math.min(Math.max(bytes, 2 * SPARE_BYTES), MAX_RESPONSE_BYTES);
}
