/** The topics of MQTT_TOPICS: what follows a filter's fixed beginning is the sensor id. Pure. */
import type { Mapped, Mapper, Message } from "./message.ts";
import { readPayload } from "./payload.ts";
import { FilterTable } from "./topics.ts";

export class TopicMapper implements Mapper {
  readonly #filters: FilterTable<{ readonly filter: string; readonly fixed: number }>;

  /** @param filters in MQTT's own form; the first that matches counts */
  constructor(filters: readonly string[]) {
    const all = filters.map((filter) => ({ filter, fixed: fixedLength(filter) }));
    this.#filters = new FilterTable(all, ({ filter }) => filter);
  }

  map(message: Message): Mapped | undefined {
    const { topic } = message;
    const [found] = this.#filters.matching(topic);
    if (found === undefined) return undefined;
    // "telltale/#" matches "telltale" too, and a filter without wildcards is a sensor by itself: the whole topic then.
    const sensorId = topic.slice(found.fixed) || topic;
    return readPayload(message, { sensorId });
  }
}

/** Characters before the first wildcard; 0 where there is none. */
function fixedLength(filter: string): number {
  const levels = filter.split("/");
  const first = levels.findIndex((level) => level === "+" || level === "#");
  return first <= 0 ? 0 : levels.slice(0, first).join("/").length + 1;
}
