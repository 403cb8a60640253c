import { create, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  IncidentEventType,
  IncidentSchema,
  type WatchIncidentsRequest,
  type WatchIncidentsResponse,
  WatchIncidentsResponseSchema,
} from "../../gen/es/telltale/v1/incident_pb.ts";
import { EVERY_INCIDENT, type IncidentView, type IncidentViews } from "../incidents/views.ts";
import { quoted } from "../lib/quoted.ts";
import type { Feed } from "../live/feed.ts";
import { toIncident } from "./incident-messages.ts";
import { principalOf } from "./principal.ts";
import { invalid } from "./query.ts";

/** A quiet watch says that it lives this often. */
const SIGN_OF_LIFE_MS = 15_000;
/** Incidents read from the store at once. */
const INCIDENTS_AT_ONCE = 200;
/** Incidents of which a watch remembers what it sent last. */
const REMEMBERED = 1_000;

/** Where a watch is: behind which event, and of which derivation. */
interface Place {
  generation: number;
  seq: number;
}

/**
 * Each incident as it is after the changes that have come together, the oldest change first. What happens to alerts that the caller may not
 * see changes nothing that he is sent, and is not told by a repetition.
 */
export async function* watchIncidents(
  { views, changed }: { views: IncidentViews; changed: Feed<null> },
  r: WatchIncidentsRequest,
  context: HandlerContext,
): AsyncGenerator<WatchIncidentsResponse> {
  const { signal } = context;
  const { sensorPrefix } = principalOf(context);
  // Taken before the first look, so that nothing derived in between goes unseen.
  let seen = changed.next;
  const sent = new Sent();
  const place = placeOf(r.resumeToken, await views.progress());
  yield create(WatchIncidentsResponseSchema, { resumeToken: tokenOf(place) });
  let sentMs = performance.now();
  for (;;) {
    const { generation, seq } = await views.progress();
    if (generation !== place.generation) {
      Object.assign(place, { generation, seq });
      yield create(WatchIncidentsResponseSchema, { resumeToken: tokenOf(place), missed: true });
      sentMs = performance.now();
    }
    for (;;) {
      const changes = await views.changedAfter(place.seq, { sensorPrefix, limit: INCIDENTS_AT_ONCE });
      const byId = new Map(changes.map((change) => [change.incidentId, change]));
      const { minSeverity, sensorId, asset } = r;
      const filter = { ...EVERY_INCIDENT, minSeverity, sensorId, asset };
      const before = place.seq;
      for (const view of await views.ofIncidents([...byId.keys()], filter, sensorPrefix)) {
        signal.throwIfAborted();
        // One that has changed again since comes again.
        place.seq = Math.min(view.changedSeq, changes.at(-1)!.seq);
        const incident = toIncident(view, views.settings);
        if (!sent.isNew(view.id, toBinary(IncidentSchema, incident))) continue;
        yield create(WatchIncidentsResponseSchema, {
          ...{ type: typeOf(view, before), incident, resumeToken: tokenOf(place) },
        });
        sentMs = performance.now();
      }
      if (changes.length === 0) break;
      place.seq = changes.at(-1)!.seq;
    }
    if (performance.now() - sentMs >= SIGN_OF_LIFE_MS) {
      yield create(WatchIncidentsResponseSchema, { resumeToken: tokenOf(place) });
      sentMs = performance.now();
    }
    await changed.changed(seen, Math.max(0, sentMs + SIGN_OF_LIFE_MS - performance.now()), signal);
    seen = changed.next;
  }
}

function typeOf({ firstSeq, open }: IncidentView, before: number): IncidentEventType {
  if (firstSeq > before) return IncidentEventType.OPENED;
  return open > 0 ? IncidentEventType.CHANGED : IncidentEventType.CLOSED;
}

/** What was sent last, of the incidents that were sent last. */
class Sent {
  readonly #last = new Map<number, string>();

  isNew(id: number, bytes: Uint8Array): boolean {
    const text = Buffer.from(bytes).toString("base64");
    const before = this.#last.get(id);
    this.#last.delete(id);
    this.#last.set(id, text);
    if (this.#last.size > REMEMBERED) this.#last.delete(this.#last.keys().next().value!);
    return before !== text;
  }
}

function tokenOf({ generation, seq }: Place): string {
  return `${generation}:${seq}`;
}

function placeOf(token: string, now: Place): Place {
  if (token === "") return { generation: now.generation, seq: now.seq };
  const match = /^(\d{1,15}):(\d{1,16})$/.exec(token);
  const place = { generation: Number(match?.[1]), seq: Number(match?.[2]) };
  // Of another installation, or of one restored from an older copy.
  if (
    match === null ||
    place.generation > now.generation ||
    (place.generation === now.generation && place.seq > now.seq)
  )
    throw invalid("resume_token", `${quoted(token)} is not valid: use resume_token of a response, or leave it empty`);
  return place;
}
