/** `/api/v2/silences` and `/api/v2/silence/{id}`. */

import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { excludes, isExpression } from "../../formats/matchers.ts";
import type { LabelMatcher, Silence } from "../../gen/es/telltale/v1/notification_pb.ts";
import { fromLabelMatcher } from "../../server/lib/label-matcher.ts";
import type { Answer } from "../http.ts";
import type { CallContext } from "../mesh/call.ts";
import { UpstreamError } from "../mesh/errors.ts";
import { DONE, refused, required, wrongType } from "./answers.ts";
import type { Calls } from "./calls.ts";
import { type Fields, filters, matchersOf, objectOf, textOf, timeOf } from "./read.ts";
import { time } from "./write.ts";

/** Of one call: the contract's bound. */
const PAGE = 1_000;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const NOT_FOUND = "silence not found";
/** As Alertmanager lists them. */
const ORDER = { active: 0, pending: 1, expired: 2 } as const;

export async function getSilences(calls: Calls, query: URLSearchParams, context: CallContext): Promise<Answer> {
  const request = { matchers: filters(query), includeExpired: true, limit: PAGE };
  const found: Silence[] = [];
  for (let pageToken = ""; ; ) {
    const page = await calls.call("listSilences", { ...request, pageToken }, context);
    found.push(...page.silences);
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  const nowMs = Date.now();
  return { status: 200, body: found.sort((a, b) => compare(a, b, nowMs)).map((each) => silenceOf(each, nowMs)) };
}

export async function getSilence(calls: Calls, id: string, context: CallContext): Promise<Answer> {
  checkId(id);
  const silence = await orNone(calls.call("getSilence", { id }, context));
  if (silence === undefined) return { status: 404, body: "" };
  return { status: 200, body: silenceOf(silence.silence!, Date.now()) };
}

/** One that is over already is none to complain about. */
export async function deleteSilence(calls: Calls, id: string, context: CallContext): Promise<Answer> {
  checkId(id);
  const ended = await orNone(calls.call("expireSilence", { id }, context));
  if (ended !== undefined) return DONE;
  // Whoever may end silences and not read them learns no more than that there is none to end.
  const known = await orNone(calls.call("getSilence", { id }, context), [Code.NotFound, Code.PermissionDenied]);
  return known === undefined ? refused(404, NOT_FOUND) : DONE;
}

export async function postSilence(calls: Calls, body: unknown, context: CallContext): Promise<Answer> {
  const fields = objectOf(body, "silence", "it");
  const text = (name: string) => textOf(fields[name], "silence", name);
  const given = {
    comment: text("comment"),
    author: text("createdBy"),
    endsAt: timeIn(fields, "endsAt"),
    matchers: matchersOf(fields.matchers),
    startsAt: timeIn(fields, "startsAt"),
  };
  const id = textOf(fields.id ?? "", "silence", "id");
  if (id === "") {
    const { silence } = await calls.call("createSilence", given, context);
    return { status: 200, body: { silenceID: silence!.id } };
  }
  const updated = UUID.test(id) ? await orNone(calls.call("updateSilence", { ...given, id }, context)) : undefined;
  if (updated === undefined) return refused(404, NOT_FOUND);
  return { status: 200, body: { silenceID: updated.silence!.id } };
}

function timeIn(fields: Fields, name: string) {
  const found = timeOf(fields[name], "silence", name);
  if (found === undefined) throw required(name);
  return found;
}

function checkId(id: string): void {
  if (!UUID.test(id)) throw wrongType("silenceID in path", "uuid", id);
}

async function orNone<T>(answer: Promise<T>, codes: readonly Code[] = [Code.NotFound]): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof UpstreamError && codes.includes(error.code)) return undefined;
    throw error;
  }
}

function stateOf({ startsAt, endsAt }: Silence, nowMs: number): keyof typeof ORDER {
  if (nowMs < ms(startsAt)) return "pending";
  return nowMs < ms(endsAt) ? "active" : "expired";
}

/** The next to end, the next to begin, the last that ended. */
function compare(a: Silence, b: Silence, nowMs: number): number {
  const [state, other] = [stateOf(a, nowMs), stateOf(b, nowMs)];
  if (state !== other) return ORDER[state] - ORDER[other];
  if (state === "pending") return ms(a.startsAt) - ms(b.startsAt);
  return (ms(a.endsAt) - ms(b.endsAt)) * (state === "active" ? 1 : -1);
}

function ms(at: Timestamp | undefined): number {
  return timestampMs(at!);
}

function silenceOf(silence: Silence, nowMs: number) {
  const { id, comment, author, matchers } = silence;
  return {
    ...{ id, comment },
    status: { state: stateOf(silence, nowMs) },
    updatedAt: time(silence.updatedAt!),
    createdBy: author,
    endsAt: time(silence.endsAt!),
    matchers: matchers.map(matcherOf),
    startsAt: time(silence.startsAt!),
  };
}

function matcherOf(given: LabelMatcher) {
  const matcher = fromLabelMatcher(given);
  const { name, value } = matcher;
  return { isEqual: !excludes(matcher), isRegex: isExpression(matcher), name, value };
}
