/**
 * Tokens that go on behind the last row of a page. Rows are in the order of their times and ids, newest first, and both never change:
 * what comes in meanwhile shifts nothing, and every row that was there at the first page is in one page.
 */

import { createHash } from "node:crypto";
import { TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";

/** Where the next page begins: behind this row. */
export interface Place<Id extends number | string = number> {
  /** Microseconds; 0 in a list that is in the order of ids alone. */
  readonly timeUs: number;
  readonly id: Id;
}

/** The filters of a list, by their names in the contract; a page goes on with the same ones only. */
export type Filters = Readonly<Record<string, unknown>>;

/** A token of another form says so by another number. */
const VERSION = 1;
/** Of each filter: tells a mistake from a match; what a caller may see never depends on it. */
const HASH_CHARACTERS = 6;
/** PostgreSQL's text has no NUL. */
const TOKEN = /^1\/([\w.-]{0,100})\/(\d{1,18})\/([^\0]+)$/;
const NUMBER = /^\d{1,16}$/;

export function writePageToken(filters: Filters, { timeUs, id }: Place<number | string>): string {
  return Buffer.from(`${VERSION}/${hashes(filters).join(".")}/${timeUs}/${id}`).toString("base64url");
}

/**
 * Undefined where the token is empty: the first page.
 *
 * @throws TelltaleError "invalid" that names page_token, and the filter that differs from those that the token was made with
 */
export function readPageToken(token: string, filters: Filters): Place | undefined {
  const place = readTextPageToken(token, filters);
  if (place === undefined) return undefined;
  if (!NUMBER.test(place.id)) throw notOurs(token);
  return { timeUs: place.timeUs, id: Number(place.id) };
}

/** The same for rows whose ids are texts. */
export function readTextPageToken(token: string, filters: Filters): Place<string> | undefined {
  if (token === "") return undefined;
  const match = TOKEN.exec(Buffer.from(token, "base64url").toString());
  if (match === null) throw notOurs(token);
  const made = match[1]!.split(".");
  const now = hashes(filters);
  if (made.length !== now.length) throw bad("it is of another list: use next_page_token of a response of this one");
  const other = Object.keys(filters).filter((_, index) => made[index] !== now[index]);
  if (other.length > 0) {
    throw bad(`it was made with another ${other.join(" and ")}: give the same filters, or begin without a token`);
  }
  return { timeUs: Number(match[2]), id: match[3]! };
}

function notOurs(token: string): TelltaleError {
  return bad(`${quoted(token)} is not valid: use next_page_token of a response`);
}

function hashes(filters: Filters): string[] {
  return Object.entries(filters).map(([name, value]) => {
    const text = JSON.stringify([name, value ?? null]);
    return createHash("sha256").update(text).digest("base64url").slice(0, HASH_CHARACTERS);
  });
}

function bad(description: string): TelltaleError {
  const violations = [{ field: "page_token", description }];
  return new TelltaleError("invalid", `page_token: ${description}`, { violations });
}
