/** Topic filters: as MQTT has them, and with names for their wildcards, as the rules of a mapping file have them. Pure. */
import { MAX_TOPIC_LEVELS } from "./limits.ts";

/** What the named wildcards of a filter stood for in a topic. */
export type Captures = Readonly<Record<string, string>>;

export interface TopicFilter {
  /** As the broker takes it, for example "plant/+/temperature". */
  readonly filter: string;
  readonly names: readonly string[];
  /** Undefined where a topic that the filter matches leaves nothing for one of the names. */
  capture(topic: string): Captures | undefined;
}

const NAMED = /^\{([A-Za-z][A-Za-z0-9_]*)\}$/;
const NAMED_REST = /^\{([A-Za-z][A-Za-z0-9_]*)\.\.\.\}$/;
const MAX_TOPIC_BYTES = 65_535;
const NONE: Captures = Object.freeze({});

/** What is wrong with a filter in MQTT's own form, as the end of a sentence; undefined where nothing is. */
export function filterFault(filter: string): string | undefined {
  if (filter === "") return "is empty";
  if (filter.includes("\0")) return "contains a NUL character";
  // A character takes three bytes of UTF-8 at most, but for those of two units, which take four.
  if (filter.length * 3 > MAX_TOPIC_BYTES) return "is too long";
  const levels = filter.split("/");
  if (levels.length > MAX_TOPIC_LEVELS) return `has ${levels.length} levels: at most ${MAX_TOPIC_LEVELS} are taken`;
  for (const [i, level] of levels.entries()) {
    if (level === "#" && i < levels.length - 1) return 'has "#" before its last level';
    if (level.length > 1 && /[+#]/.test(level))
      return `has a wildcard within the level "${level}": it must stand alone`;
  }
  if (levels[0] === "$share") return "is a shared subscription: name the group in MQTT_SHARED_GROUP";
  return undefined;
}

/** Whether a filter matches other topics than the one that it is. */
export function hasWildcard(filter: string): boolean {
  return filter.split("/").some((level) => level === "+" || level === "#");
}

/**
 * Filters in the order in which they count. A message is compared with those that have wildcards alone: the others are looked up, so
 * that thousands of them cost no more than one.
 */
export class FilterTable<T> {
  readonly #exact = new Map<string, { readonly item: T; readonly place: number }>();
  readonly #wild: { readonly levels: readonly string[]; readonly item: T; readonly place: number }[] = [];

  /** @param filterOf in MQTT's own form */
  constructor(items: readonly T[], filterOf: (item: T) => string) {
    for (const [place, item] of items.entries()) {
      const filter = filterOf(item);
      if (hasWildcard(filter)) this.#wild.push({ levels: filter.split("/"), item, place });
      else if (!this.#exact.has(filter)) this.#exact.set(filter, { item, place });
    }
  }

  /** Those whose filter matches the topic, in their order; of equal ones without wildcards the first. */
  *matching(topic: string): Generator<T> {
    let exact = this.#exact.get(topic);
    const levels = this.#wild.length === 0 ? [] : topic.split("/");
    for (const { levels: filter, item, place } of this.#wild) {
      if (!matchLevels(filter, levels)) continue;
      if (exact !== undefined && exact.place < place) {
        yield exact.item;
        exact = undefined;
      }
      yield item;
    }
    if (exact !== undefined) yield exact.item;
  }
}

/** Whether each topic that `narrow` matches is matched by `wide`. */
export function covers(wide: string, narrow: string): boolean {
  const w = wide.split("/");
  const n = narrow.split("/");
  // Wildcards of the first level do not match topics that begin with "$".
  if (narrow.startsWith("$") && /^[+#]/.test(wide)) return false;
  for (let i = 0; i < w.length; i++) {
    if (w[i] === "#") return true;
    if (i >= n.length || n[i] === "#") return false;
    if (w[i] !== "+" && w[i] !== n[i]) return false;
  }
  return w.length === n.length;
}

/** The filters without those that others cover: a broker may send a message once for each filter that it matches. */
export function widest(filters: readonly string[]): string[] {
  const all = [...new Set(filters)];
  // What has no wildcard covers nothing but itself, and of those there may be a hundred thousand.
  const wild = all.filter(hasWildcard);
  return all.filter((each) => !wild.some((other) => other !== each && covers(other, each)));
}

/**
 * A filter with names: `{name}` stands for one level, `{name...}` as the last one for all that follow (one at least).
 *
 * @returns the filter, or what is wrong with it, as the end of a sentence
 */
export function namedFilter(text: string): TopicFilter | string {
  const names: { readonly name: string; readonly level: number; readonly rest: boolean }[] = [];
  const levels = text.split("/");
  const plain: string[] = [];
  for (const [level, part] of levels.entries()) {
    const rest = NAMED_REST.exec(part)?.[1];
    const one = NAMED.exec(part)?.[1];
    const name = rest ?? one;
    if (name === undefined) {
      if (/[{}]/.test(part)) return `has "${part}": a name stands alone in its level, as in plant/{line}/temperature`;
      plain.push(part);
      continue;
    }
    if (rest !== undefined && level < levels.length - 1) return `has {${rest}...} before its last level`;
    if (names.some((other) => other.name === name)) return `names {${name}} twice`;
    names.push({ name, level, rest: rest !== undefined });
    plain.push(rest === undefined ? "+" : "#");
  }
  const filter = plain.join("/");
  const fault = filterFault(filter);
  if (fault !== undefined) return fault;
  return {
    filter,
    names: names.map(({ name }) => name),
    capture: (topic: string) => {
      if (names.length === 0) return NONE;
      const found = topic.split("/");
      const captures: Record<string, string> = {};
      for (const { name, level, rest } of names) {
        const value = rest ? found.slice(level).join("/") : found[level];
        // "a/{rest...}" is "a/#", which matches "a" as well: nothing to name there.
        if (value === undefined || (rest && found.length <= level)) return undefined;
        captures[name] = value;
      }
      return captures;
    },
  };
}

/** By levels, of both. */
function matchLevels(filter: readonly string[], topic: readonly string[]): boolean {
  if (topic[0]?.startsWith("$") && (filter[0] === "#" || filter[0] === "+")) return false;
  for (let i = 0; i < filter.length; i++) {
    if (filter[i] === "#") return true;
    if (i >= topic.length) return false;
    if (filter[i] !== "+" && filter[i] !== topic[i]) return false;
  }
  return topic.length === filter.length;
}
