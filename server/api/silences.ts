/** Silences: whoever may operate keeps notifications of its sensors back for a time. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Sql } from "postgres";
import { type NotificationService, SilenceSchema } from "../../gen/es/telltale/v1/notification_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { fromLabelMatcher, toLabelMatcher } from "../lib/label-matcher.ts";
import { quoted } from "../lib/quoted.ts";
import { didYouMean } from "../lib/suggest.ts";
import { MINUTE_US, toTimestamp } from "../lib/time.ts";
import type { ConfigInForce } from "../notify/config/in-force.ts";
import { isBrokenId } from "../notify/deliveries/broken.ts";
import { openAlerts } from "../notify/groups/store.ts";
import type { Silence } from "../notify/silences/silence.ts";
import { addSilence, expireSilence, findSilence, listSilences, updateSilence } from "../notify/silences/store.ts";
import { readTextPageToken } from "./page-token.ts";
import { FRAME_BYTES, page } from "./pages.ts";
import { principalOf } from "./principal.ts";
import { invalid } from "./query.ts";
import { authorOf, silenceFields } from "./silence-fields.ts";

const DEFAULT_LIMIT = 100;
/** Long enough to prolong it. */
const TELL_BEFORE_US = 15 * MINUTE_US;
/** Named in an answer. */
const MAX_NAMED_ALERTS = 100;

type Names = "createSilence" | "listSilences" | "getSilence" | "updateSilence" | "expireSilence";

export function createSilenceMethods(
  { sql, clock }: { sql: Sql; clock: Clock },
  inForce: ConfigInForce,
): Pick<ServiceImpl<typeof NotificationService>, Names> {
  /** @throws TelltaleError "invalid" where the configuration has no such receiver */
  async function checkReceiver(name: string): Promise<void> {
    if (name === "") return;
    const names = (await inForce.readable(sql)).config.receivers.map((each) => each.name);
    if (names.includes(name)) return;
    const why = `the configuration has no receiver ${quoted(name)}${didYouMean(name, names)}`;
    throw invalid("tell", why);
  }

  return {
    async createSilence(request, context) {
      const nowUs = clock.nowUs();
      const principal = principalOf(context);
      const { sensorPrefix } = principal;
      const { matches, ...fields } = silenceFields(request, nowUs);
      const hidden = (await openAlerts(sql)).filter(
        ({ labels }) => (labels.sensor_id ?? "").startsWith(sensorPrefix) && matches(labels),
      );
      const found = {
        matchingAlerts: hidden.length,
        alertIds: hidden
          .filter(({ id }) => !isBrokenId(id))
          .slice(0, MAX_NAMED_ALERTS)
          .map(({ id }) => BigInt(id)),
      };
      const { comment, tell } = request;
      await checkReceiver(tell);
      if (request.dryRun) return found;
      const author = authorOf(principal, request.author);
      const made = await addSilence(
        sql,
        { ...fields, sensorPrefix, author, comment, tell, tellBeforeUs: tellBefore(request, fields) },
        nowUs,
      );
      return { ...found, silence: toMessage(made) };
    },

    async listSilences({ includeExpired, limit = DEFAULT_LIMIT, pageToken, matchers }, context) {
      const { sensorPrefix } = principalOf(context);
      const having = matchers.map(fromLabelMatcher);
      const filters = { list: "silences", include_expired: includeExpired, matchers: having };
      const rows = await listSilences(sql, {
        limit: limit === 0 ? 0 : limit + 1,
        ...{ sensorPrefix, having },
        ...(includeExpired ? {} : { notOverAtUs: clock.nowUs() }),
        before: readTextPageToken(pageToken, filters),
      });
      const bytesOf = (item: Item) => toBinary(SilenceSchema, create(SilenceSchema, item)).length + FRAME_BYTES;
      const placeOf = ({ createdUs, id }: Silence) => ({ timeUs: createdUs, id });
      const { items, nextPageToken } = page({ rows, limit, toItem: toMessage, bytesOf, placeOf, filters }, context);
      return { silences: items, nextPageToken };
    },

    async getSilence({ id }, context) {
      const { sensorPrefix } = principalOf(context);
      const found = await findSilence(sql, { id, sensorPrefix });
      if (found === undefined) throw noSilence(id);
      return { silence: toMessage(found) };
    },

    async updateSilence(request, context) {
      const nowUs = clock.nowUs();
      const principal = principalOf(context);
      const { sensorPrefix } = principal;
      const { id, comment } = request;
      const { matches: _, ...fields } = silenceFields(request, nowUs);
      const author = authorOf(principal, request.author);
      const before = await findSilence(sql, { id, sensorPrefix });
      if (before === undefined) throw noSilence(id);
      const { tell = before.tell, tellBeforeSeconds } = request;
      if (tell !== before.tell) await checkReceiver(tell);
      const isNew = tellBeforeSeconds !== undefined || before.tell === "" || tell === "";
      const tellBeforeUs = isNew ? tellBefore({ tell, tellBeforeSeconds }, fields) : before.tellBeforeUs;
      const wanted = { ...fields, sensorPrefix, author, comment, tell, tellBeforeUs };
      const updated = await updateSilence(sql, { id, ...wanted }, nowUs);
      if (updated === undefined) throw noSilence(id);
      return { silence: toMessage(updated), replaced: updated.id !== id };
    },

    async expireSilence({ id }, context) {
      const { sensorPrefix } = principalOf(context);
      const ended = await expireSilence(sql, { id, sensorPrefix }, clock.nowUs());
      if (ended === undefined) throw new TelltaleError("not_found", `there is no silence ${id} that is not over`);
      return { silence: toMessage(ended) };
    },
  };
}

function noSilence(id: string): TelltaleError {
  return new TelltaleError("not_found", `there is no silence ${id}`);
}

/** Microseconds before the end. */
function tellBefore(
  { tell, tellBeforeSeconds }: { readonly tell: string; readonly tellBeforeSeconds?: number | undefined },
  { startsUs, endsUs }: { readonly startsUs: number; readonly endsUs: number },
): number {
  if (tell === "") return 0;
  return tellBeforeSeconds === undefined
    ? Math.min(TELL_BEFORE_US, Math.floor((endsUs - startsUs) / 2))
    : tellBeforeSeconds * 1e6;
}

type Item = MessageInitShape<typeof SilenceSchema>;

export function toMessage(silence: Silence): Item {
  const { id, author, comment, sensorPrefix, matchers } = silence;
  return {
    ...{ id, author, comment, sensorPrefix, tell: silence.tell },
    tellBeforeSeconds: Math.round(silence.tellBeforeUs / 1e6),
    matchers: matchers.map(toLabelMatcher),
    startsAt: toTimestamp(silence.startsUs),
    endsAt: toTimestamp(silence.endsUs),
    createdAt: toTimestamp(silence.createdUs),
    updatedAt: toTimestamp(silence.updatedUs),
  };
}
