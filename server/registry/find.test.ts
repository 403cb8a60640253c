import fc from "fast-check";
import { expect, test } from "vitest";
import { parseMatchers } from "../../formats/matchers.ts";
import { type Cursor, findSensors, type Sort, type Wanted } from "./find.ts";
import { type AlertEntry, Fleet, type KnownEntry, type SeriesEntry } from "./fleet.ts";
import { compareBytes, merged, placeOf } from "./order.ts";
import { FoldedTexts } from "./texts.ts";

const HOUR_US = 3_600e6;
const NOW_US = 1_000 * HOUR_US;

/** Ids that are in another order in UTF-16 than in bytes are among them. */
const ids = fc.constantFrom("a", "A/1", "a/1", "a/10", "b", "é", "\uffee", "🔥", "🔥x", "");
const texts = fc.constantFrom("1", "2", "x", "X1", "");
const seriesEntries = fc.record<SeriesEntry>({
  sensorId: ids,
  sensorType: texts,
  unit: texts,
  location: fc.option(texts, { nil: undefined }),
  lastUs: fc.integer({ min: 997, max: 1_000 }).map((hour) => hour * HOUR_US),
});
const knownEntries = fc.record<KnownEntry>({
  sensorId: ids,
  profile: fc.option(
    fc.record({
      ...{ displayName: texts, owner: texts, asset: texts, tags: fc.uniqueArray(texts.filter((t) => t !== "")) },
      attributes: fc.dictionary(fc.constantFrom("line", "unit"), texts),
    }),
    { nil: undefined },
  ),
  sent: fc.dictionary(fc.constantFrom("line", "room"), texts),
});
const alerts = fc.record<AlertEntry>({
  sensorId: ids,
  severity: fc.integer({ min: 1, max: 4 }),
  alertType: fc.constantFrom("silence", "anomaly_detection"),
});
const matchers = fc
  .tuple(
    fc.constantFrom(
      "sensor_id",
      "sensor_type",
      "unit",
      "location",
      "owner",
      "asset",
      "tag",
      "state",
      "line",
      "room",
      "display_name",
    ),
    fc.constantFrom("=", "!=", "=~", "!~"),
    fc.constantFrom("", "1", "x", "x|1", ".+", "a.*", "ok", "alerting|stale"),
  )
  .map(([name, operator, value]) => parseMatchers(`${name}${operator}"${value}"`)[0]!);

/** A sensor with what a person would say of it, value by value. */
interface Plain {
  id: string;
  values: Map<string, string[]>;
  searched: string[];
  lastUs: number;
  severity: number;
}

function plainOf(series: SeriesEntry[], known: KnownEntry[], open: AlertEntry[]): Plain[] {
  const all = [...new Set([...series, ...known].map(({ sensorId }) => sensorId))].sort((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  return all.flatMap((id) => {
    const own = series.filter(({ sensorId }) => sensorId === id);
    const said = known.findLast(({ sensorId }) => sensorId === id);
    const profile = said?.profile;
    if (own.length === 0 && profile === undefined) return [];
    const attributes: Record<string, string> = { ...said?.sent, ...profile?.attributes };
    for (const [name, value] of Object.entries(profile?.attributes ?? {})) if (value === "") delete attributes[name];
    const given = open.filter(({ sensorId }) => sensorId === id);
    const lastUs = Math.max(-1, ...own.map((s) => s.lastUs));
    const fresh = lastUs > NOW_US - HOUR_US;
    const state = given.some((a) => a.alertType !== "silence")
      ? "alerting"
      : given.length > 0 || !fresh
        ? "stale"
        : "ok";
    const one = (text = "") => (text === "" ? [] : [text]);
    const values = new Map([
      ...Object.entries(attributes).map(([name, value]) => [name, [value]] as const),
      ...([
        ["sensor_id", [id]],
        ["sensor_type", own.map((s) => s.sensorType)],
        ["unit", own.map((s) => s.unit)],
        ["location", own.flatMap((s) => (s.location === undefined ? [] : [s.location]))],
        ["owner", one(profile?.owner)],
        ["asset", one(profile?.asset)],
        ["display_name", one(profile?.displayName)],
        ["tag", [...(profile?.tags ?? [])]],
        ["state", [state]],
      ] as const),
    ] as [string, string[]][]);
    const searched = [id, profile?.displayName ?? "", ...Object.values(attributes)];
    return [{ id, values, searched, lastUs, severity: Math.max(0, ...given.map((a) => a.severity)) }];
  });
}

function matchesPlain({ values }: Plain, { name, operator, value }: Wanted["matchers"][number]): boolean {
  const given = values.get(name) ?? [];
  const expression = new RegExp(`^(?:${value})$`);
  const fits = (text: string) => (operator.endsWith("~") ? expression.test(text) : text === value);
  return (given.length === 0 ? fits("") : given.some(fits)) === !operator.startsWith("!");
}

function sortedPlain(sensors: Plain[], sort: Sort, descending: boolean): Plain[] {
  const nameOf = ({ id, values }: Plain) => (values.get("display_name")![0] ?? id).toLowerCase();
  const value = { id: () => 0, name: nameOf, last_reading: (s: Plain) => s.lastUs, severity: (s: Plain) => s.severity }[
    sort
  ];
  const compared = [...sensors].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return (x < y ? -1 : x > y ? 1 : 0) * (descending ? -1 : 1);
  });
  return sort === "id" && descending ? compared.reverse() : compared;
}

test("any page of any filter and sort is what going through all sensors one by one gives", async () => {
  const asked = fc.record({
    sensorPrefix: fc.constantFrom("", "", "a", "🔥"),
    search: fc.constantFrom("", "", "x", "A/1"),
    matchers: fc.array(matchers, { maxLength: 2 }),
    sort: fc.constantFrom<Sort>("id", "name", "last_reading", "severity"),
    descending: fc.boolean(),
    limit: fc.integer({ min: 1, max: 4 }),
    withCounts: fc.boolean(),
  });
  const entries = fc.tuple(fc.array(seriesEntries), fc.array(knownEntries), fc.array(alerts));
  await fc.assert(
    fc.asyncProperty(entries, asked, async ([series, known, open], wanted) => {
      const fleet = new Fleet();
      for (const entry of series) fleet.putSeries(entry);
      expect(fleet.order.length).toBe(new Set(series.map((s) => s.sensorId)).size);
      for (const entry of known) fleet.putKnown(entry);
      fleet.putAlerts([{ sensorId: "a", severity: 4, alertType: "silence" }]); // closed since
      fleet.putAlerts(open);
      const matching = plainOf(series, known, open)
        .filter(({ id }) => id.startsWith(wanted.sensorPrefix))
        .filter((sensor) => wanted.matchers.every((matcher) => matchesPlain(sensor, matcher)))
        .filter(({ searched }) => searched.some((text) => text.toLowerCase().includes(wanted.search.toLowerCase())));
      const seen: string[] = [];
      for (let after: Cursor | undefined, more = true; more; ) {
        const { page, counts } = await findSensors(fleet, { ...wanted, after, nowUs: NOW_US });
        if (wanted.withCounts) expect(counts?.total).toBe(matching.length);
        const shown = page.slice(0, wanted.limit);
        seen.push(...shown.map(({ sensorId }) => sensorId));
        after = shown.at(-1);
        more = page.length > wanted.limit;
      }
      expect(seen).toEqual(sortedPlain(matching, wanted.sort, wanted.descending).map(({ id }) => id));
    }),
    { numRuns: 1_000 },
  );
});

test("texts are in the order of their bytes", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" })), fc.array(fc.string({ unit: "binary" })), (a, b) => {
      const byBytes = (x: string, y: string) => Buffer.compare(Buffer.from(x), Buffer.from(y));
      expect([...a].sort(compareBytes)).toEqual([...a].sort(byBytes));
      const all = [...new Set([...a, ...b])].sort(byBytes);
      const isOdd = (_: string, place: number) => place % 3 === 1;
      const numbers = all.map((_, place) => place);
      const [odd, even] = [numbers.filter((n) => isOdd("", n)), numbers.filter((n) => !isOdd("", n))];
      expect([...merged(Uint32Array.from(odd), even, (n) => all[n]!)]).toEqual(numbers);
      for (const [place, text] of all.entries()) expect(placeOf((n) => all[n]!, all.length, text)).toBe(place);
    }),
    { numRuns: 30 },
  );
});

test("texts that have a part in them are found, across blocks", () => {
  const texts = new FoldedTexts();
  const all = Array.from({ length: 2_500 }, (_, i) => (i % 7 === 0 ? `SN-${i}` : i % 11 === 0 ? "" : `x${i}`));
  for (const text of all) texts.push(text);
  for (const part of ["sn-", "SN-14", "x2499", "n", "", "nothing"]) {
    const found = new Uint8Array(all.length);
    for (const _ of texts.search(part, found));
    expect([...found].map((n) => n === 1)).toEqual(all.map((text) => text.toLowerCase().includes(part.toLowerCase())));
  }
});
