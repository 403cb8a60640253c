/** Silences: whoever may operate keeps notifications of its sensors back for a time. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Sql } from "postgres";
import { type NotificationService, SilenceSchema } from "../../gen/es/telltale/v1/notification_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { fromLabelMatcher, toLabelMatcher } from "../lib/label-matcher.ts";
import { toTimestamp } from "../lib/time.ts";
import { isBrokenId } from "../notify/deliveries/broken.ts";
import { openAlerts } from "../notify/groups/store.ts";
import type { Silence } from "../notify/silences/silence.ts";
import { addSilence, expireSilence, findSilence, listSilences, updateSilence } from "../notify/silences/store.ts";
import { readTextPageToken } from "./page-token.ts";
import { FRAME_BYTES, page } from "./pages.ts";
import { principalOf } from "./principal.ts";
import { authorOf, silenceFields } from "./silence-fields.ts";

const DEFAULT_LIMIT = 100;
/** Named in an answer. */
const MAX_NAMED_ALERTS = 100;

type Names = "createSilence" | "listSilences" | "getSilence" | "updateSilence" | "expireSilence";

export function createSilenceMethods({
  sql,
  clock,
}: {
  sql: Sql;
  clock: Clock;
}): Pick<ServiceImpl<typeof NotificationService>, Names> {
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
      if (request.dryRun) return found;
      const { comment } = request;
      const author = authorOf(principal, request.author);
      const made = await addSilence(sql, { ...fields, sensorPrefix, author, comment }, nowUs);
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
      const wanted = { ...fields, sensorPrefix, author, comment };
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

type Item = MessageInitShape<typeof SilenceSchema>;

export function toMessage(silence: Silence): Item {
  const { id, author, comment, sensorPrefix, matchers } = silence;
  return {
    ...{ id, author, comment, sensorPrefix },
    matchers: matchers.map(toLabelMatcher),
    startsAt: toTimestamp(silence.startsUs),
    endsAt: toTimestamp(silence.endsUs),
    createdAt: toTimestamp(silence.createdUs),
    updatedAt: toTimestamp(silence.updatedUs),
  };
}
