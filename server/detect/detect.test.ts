import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createDetector, createScoreBatch, Episodes, type ScoreBatch, severityOf } from "./index.ts";

const MINUTE = 60e6;

/** Deterministic noise in [-1, 1). */
function noise(i: number): number {
  let x = (i + 1) * 2654435761;
  x ^= x >>> 15;
  return (Math.imul(x, 0x85ebca6b) >>> 0) / 2 ** 31 - 1;
}

interface Row {
  confidence: number;
  score: number;
  anomaly: number;
  expected: number;
  band: number;
}

function run(values: readonly number[], detector = createDetector(), start = 1.7e15, everyUs = MINUTE): Row[] {
  const batch = createScoreBatch(1);
  batch.length = 1;
  batch.slot[0] = detector.addSensor("temperature", "C");
  return values.map((value, i) => {
    batch.timeUs[0] = start + i * everyUs;
    batch.value[0] = value;
    detector.score(batch);
    return {
      confidence: batch.confidence[0]!,
      score: batch.score[0]!,
      anomaly: batch.anomaly[0]!,
      expected: batch.expected[0]!,
      band: batch.band[0]!,
    };
  });
}

const steady: Record<string, (i: number) => number> = {
  constant: () => 50,
  zero: () => 0,
  "small noise": (i) => 20 + 0.1 * noise(i),
  "two neighbouring values": (i) => 20 + (i % 2) * 0.1,
  "a large offset": (i) => 1e6 + noise(i),
  "tiny numbers": (i) => 1e-9 * (3 + 0.01 * noise(i)),
  "negative numbers": (i) => -40 + 0.5 * noise(i),
};
const deviations: Record<string, number> = {
  constant: 1,
  zero: 1,
  "small noise": 0.06,
  "two neighbouring values": 0.05,
  "a large offset": 0.6,
  "tiny numbers": 6e-12,
  "negative numbers": 0.3,
};

describe("a young sensor", () => {
  test.each(Object.keys(steady))("alerts on a jump of a hundred deviations after 48 steady readings (%s)", (kind) => {
    const values = Array.from({ length: 49 }, (_, i) => steady[kind]!(i));
    values[48] = values[48]! + 100 * deviations[kind]!;
    const rows = run(values);
    expect(rows.slice(0, 48).map((r) => r.anomaly)).toEqual(new Array(48).fill(0));
    expect(rows[48]!.anomaly).toBe(1);
    expect(rows[48]!.confidence).toBeGreaterThanOrEqual(9500);
  });

  test("is judged from its 24th reading: none before has a band or a score", () => {
    const rows = run(Array.from({ length: 23 }, (_, i) => 20 + 0.1 * noise(i)).concat(90));
    expect(rows.slice(0, 23).every((r) => Number.isNaN(r.expected) && r.score === 0)).toBe(true);
    expect(rows[23]!.anomaly).toBe(1);
  });

  test.each(Object.keys(steady))("stays calm through 2,000 steady readings (%s)", (kind) => {
    const rows = run(Array.from({ length: 2000 }, (_, i) => steady[kind]!(i)));
    expect(rows.filter((r) => r.anomaly === 1)).toEqual([]);
  });
});

test.each([1, 60])("all four severities occur, and rise with the size of the jump: a reading every %d s", (everyS) => {
  const severities = [0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.4, 2, 4, 40].map((jump) => {
    const values = Array.from({ length: 600 }, (_, i) => 20 + 0.1 * noise(i));
    values.push(20 + jump);
    return severityOf(run(values, createDetector(), 1.7e15, everyS * 1e6).at(-1)!.score);
  });
  expect([...severities].sort()).toEqual(severities);
  expect(new Set(severities.filter((s) => s > 0))).toEqual(new Set([1, 2, 3, 4]));
});

/** A plant of sensors with jumps in it, as rows of mixed slots. */
function plant(sensors: number, rounds: number): { slot: number; time: number; value: number }[] {
  const rows = [];
  for (let r = 0; r < rounds; r++) {
    for (let s = 0; s < sensors; s++) {
      const jump = (r + 31 * s) % 211 === 0 ? 9 : 0;
      rows.push({
        slot: s,
        time: 1.7e15 + r * MINUTE + s,
        value: s + noise(r * sensors + s) + jump + Math.sin(r / 40),
      });
    }
  }
  return rows;
}

function play(rows: { slot: number; time: number; value: number }[], cuts: readonly number[], sensors: number) {
  const detector = createDetector();
  for (let s = 0; s < sensors; s++) detector.addSensor("t", "C");
  const batch = createScoreBatch(rows.length);
  const columns = ["confidence", "score", "anomaly", "reason", "expected", "band", "signal"] as const;
  const out: number[] = [];
  let at = 0;
  for (const size of [...cuts, rows.length]) {
    const part = rows.slice(at, at + size);
    at += part.length;
    fill(batch, part);
    detector.score(batch);
    for (let i = 0; i < part.length; i++) for (const column of columns) out.push(batch[column][i]!);
  }
  return { out, state: detector.saveChunk(0) };
}

function fill(batch: ScoreBatch, part: { slot: number; time: number; value: number }[]): void {
  batch.length = part.length;
  part.forEach((row, i) => {
    batch.slot[i] = row.slot;
    batch.timeUs[i] = row.time;
    batch.value[i] = row.value;
  });
}

test("scores and state are the same to the bit however the readings are cut into batches", () => {
  const sensors = 5;
  const rows = plant(sensors, 260);
  const whole = play(rows, [], sensors);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 12 }), (cuts) => {
      const cut = play(rows, cuts, sensors);
      expect(cut.out).toEqual(whole.out);
      expect(cut.state).toEqual(whole.state);
    }),
    { numRuns: 20 },
  );
});

test("a restored state goes on to the bit as the one that was saved", () => {
  const sensors = 70;
  const rows = plant(sensors, 300);
  const half = sensors * 170;
  const first = createDetector();
  for (let s = 0; s < sensors; s++) first.addSensor("t", "C");
  const batch = createScoreBatch(rows.length);
  fill(batch, rows.slice(0, half));
  first.score(batch);
  const second = createDetector();
  second.loadChunk(0, first.saveChunk(0), 64);
  second.loadChunk(1, first.saveChunk(1), sensors - 64);
  expect(second.sensors).toBe(sensors);
  const other = createScoreBatch(rows.length);
  fill(batch, rows.slice(half));
  fill(other, rows.slice(half));
  first.score(batch);
  second.score(other);
  const rest = rows.length - half;
  expect(other.signal.slice(0, rest)).toEqual(batch.signal.slice(0, rest));
  expect(other.band.slice(0, rest)).toEqual(batch.band.slice(0, rest));
  expect(second.saveChunk(1)).toEqual(first.saveChunk(1));
});

test("a state of another layout is refused with the sizes", () => {
  expect(() => createDetector().loadChunk(0, new Uint8Array(8), 1)).toThrow(/8 bytes of state, wanted/);
});

describe("values at the edge of what a double holds", () => {
  test.each([1e308, -1e308, 5e-324, 1e-300])("%d neither alarms nor breaks the state", (scale) => {
    const rows = run(Array.from({ length: 400 }, (_, i) => scale * (1 - 0.1 * Math.abs(noise(i)))));
    for (const row of rows.slice(23)) {
      expect(Number.isNaN(row.expected)).toBe(false);
      expect(Number.isNaN(row.band)).toBe(false);
      expect(row.anomaly).toBe(0);
    }
  });
});

describe("an episode", () => {
  const batch = createScoreBatch(1);
  const observe = (episodes: Episodes, time: number, score: number) => {
    batch.length = 1;
    batch.timeUs[0] = time;
    batch.value[0] = score / 100;
    batch.score[0] = score;
    batch.anomaly[0] = score > 0 ? 1 : 0;
    batch.confidence[0] = score > 0 ? 9900 : 10;
    return episodes.observe(batch, 0, time);
  };

  test("opens, rises but never falls, and recovers after ten normal readings in a row", () => {
    const episodes = new Episodes();
    episodes.addSensor();
    const scores = [0, 5500, 8500, 6500, 0, 0, 0, 0, 5600, ...new Array<number>(11).fill(0)];
    expect(scores.map((score, i) => observe(episodes, i + 1, score))).toEqual([
      ..."none opened raised continued none none none none continued".split(" "),
      ...new Array<string>(9).fill("none"),
      "recovered",
      "none",
    ]);
    const episode = episodes.get(0)!;
    expect(episode).toMatchObject({
      state: "recovered",
      id: 2,
      openedAtUs: 2,
      lastSeenAtUs: 9,
      closedAtUs: 19,
      count: 4,
    });
    expect(episode).toMatchObject({ peakScore: 8500, severity: 3 });
  });

  test("comes back on the same side within three hours, then lasts until it has been calm for half as long again", () => {
    const MINUTE = 60e6;
    const openings = (after: number, sign: number) => {
      const episodes = new Episodes();
      episodes.addSensor();
      const opened: number[] = [];
      batch.expected[0] = 20;
      for (let minute = 0; minute < 40 * after; minute++) {
        batch.length = 1;
        batch.timeUs[0] = minute * MINUTE;
        const isAbnormal = minute % after === after - 1;
        const turn = Math.floor(minute / after) % 2 === 0 ? 1 : sign;
        batch.value[0] = isAbnormal ? 20 + 10 * turn : 20;
        batch.anomaly[0] = Number(isAbnormal);
        batch.score[0] = isAbnormal ? 5500 : 0;
        if (episodes.observe(batch, 0, minute) === "opened") opened.push(minute);
      }
      expect(episodes.get(0)!.closedAtUs).toBeNaN();
      return opened.length;
    };
    // The first is over before the second comes, which stays open.
    expect(openings(120, 1)).toBe(2);
    expect(openings(181, 1)).toBe(40);
    expect(openings(120, -1)).toBe(40);
    batch.expected[0] = 0;
  });

  test("of a repeated fault is over once it has been calm for long enough, and says when", () => {
    const episodes = new Episodes();
    episodes.addSensor();
    const HOUR = 3600e6;
    for (const at of [0, HOUR]) {
      expect(observe(episodes, at, 5500)).toBe("opened");
      for (let k = 1; k < 12; k++) observe(episodes, at + k * 60e6, 0);
    }
    expect(episodes.get(0)!).toMatchObject({ state: "open", closedAtUs: Number.NaN });
    expect(observe(episodes, 2.49 * HOUR, 0)).toBe("none");
    expect(observe(episodes, 2.5 * HOUR, 0)).toBe("recovered");
    expect(episodes.get(0)!.closedAtUs).toBe(2.5 * HOUR);
  });

  test("closed by a person, does not open again while the same excursion goes on", () => {
    const episodes = new Episodes();
    episodes.addSensor();
    observe(episodes, 1, 5500);
    expect(episodes.resolve(0, 99, 2)).toBe(false);
    expect(episodes.resolve(0, 1, 2)).toBe(true);
    expect(episodes.resolve(0, 1, 2)).toBe(false);
    expect(observe(episodes, 3, 7000)).toBe("none");
    for (let t = 4; t < 14; t++) observe(episodes, t, 0);
    expect(observe(episodes, 14, 5500)).toBe("opened");
    expect(episodes.get(0)!.id).toBe(14);
  });

  test("closed by a person, opens again when it becomes much worse", () => {
    const episodes = new Episodes();
    episodes.addSensor();
    observe(episodes, 1, 5500);
    episodes.resolve(0, 1, 2);
    expect(observe(episodes, 3, 9500)).toBe("opened");
  });

  const last = { id: 7, timeUs: 5, value: 20 };

  test("is over after two normal readings that span 25 minutes: a sensor that reads rarely need not wait for ten", () => {
    const minute = 60e6;
    for (const [everyUs, calm] of [
      [minute, 10],
      [5 * minute, 5],
      [10 * minute, 3],
      [15 * minute, 2],
      [60 * minute, 2],
    ] as const) {
      const episodes = new Episodes();
      episodes.addSensor();
      observe(episodes, everyUs, 5500);
      let readings = 0;
      while (observe(episodes, (2 + readings++) * everyUs, 0) !== "recovered");
      expect(readings).toBe(calm);
    }
  });

  test("of silence is ended by one reading, at the time at which that arrived, however old it is", () => {
    for (const [receivedUs, closedAtUs] of [
      [112, 112],
      [90, 100],
    ] as const) {
      const episodes = new Episodes();
      episodes.addSensor();
      expect(episodes.silent(0, 100, last, 6000, 17)).toBe("opened");
      expect(episodes.silent(0, 101, last, 6000, 17)).toBe("none");
      expect(episodes.isSilent(0)).toBe(true);
      expect(episodes.heard(0, receivedUs)).toBe(true);
      expect(episodes.heard(0, receivedUs + 1)).toBe(false);
      expect(episodes.silence(0)).toMatchObject({ state: "recovered", openedAtUs: 100, lastSeenAtUs: 100, closedAtUs });
    }
  });

  test("of silence opens whatever an anomaly of the sensor is: open, resolved or over", () => {
    for (const before of ["open", "resolved", "recovered"]) {
      const episodes = new Episodes();
      episodes.addSensor();
      observe(episodes, 1, 0);
      observe(episodes, 2, 5500);
      if (before === "resolved") episodes.resolve(0, 2, 3);
      if (before === "recovered") for (let t = 3; t < 13; t++) observe(episodes, t, 0);
      expect(episodes.get(0)!.state).toBe(before);
      expect(episodes.silent(0, 100, { ...last, id: 2 }, 7000, 17)).toBe("opened");
      const silence = episodes.silence(0)!;
      expect(silence.id).not.toBe(episodes.get(0)!.id);
      expect(episodes.open(0).map(({ id }) => id)).toEqual(before === "open" ? [2, silence.id] : [silence.id]);
      expect(episodes.get(0)!.state).toBe(before);
      expect(episodes.acknowledge(0, silence.id, 101)).toBe(true);
      expect(episodes.resolve(0, silence.id, 102)).toBe(true);
      expect(episodes.silent(0, 103, last, 7000, 17)).toBe("none");
      expect(episodes.heard(0, 104)).toBe(false);
      expect(observe(episodes, 104, 0)).not.toBe("opened");
      expect(episodes.silent(0, 200, last, 7000, 17)).toBe("opened");
    }
  });

  test("of silence keeps its severity and its words, whatever the reading says that ends it; the next one may open another", () => {
    const episodes = new Episodes();
    episodes.addSensor();
    observe(episodes, 1, 0);
    episodes.silent(0, 100, last, 7000, 17);
    const { severity, peakValue, reason } = episodes.silence(0)!;
    const returned = episodes.heard(0, 200);
    batch.score[0] = 9900;
    batch.anomaly[0] = 1;
    batch.timeUs[0] = 200;
    expect(episodes.observe(batch, 0, 200, returned)).toBe("none");
    expect(episodes.silence(0)).toMatchObject({ severity, peakValue, reason, closedAtUs: 200 });
    expect(observe(episodes, 201, 9900)).toBe("opened");
    expect(episodes.get(0)!.id).toBe(201);
    // Each silence has an id of its own, even where only the reading that ended the last one came between.
    expect(episodes.silent(0, 300, { ...last, id: 201 }, 7000, 17)).toBe("opened");
    expect(new Set([1, 201, episodes.silence(0)!.id]).size).toBe(3);
  });

  test("is acknowledged once, and its state survives saving", () => {
    const episodes = new Episodes();
    episodes.addSensor();
    observe(episodes, 1, 5500);
    expect(episodes.acknowledge(0, 1, 5)).toBe(true);
    expect(episodes.acknowledge(0, 1, 6)).toBe(false);
    const restored = new Episodes();
    restored.loadChunk(0, episodes.saveChunk(0), 1);
    expect(restored.get(0)).toEqual(episodes.get(0));
    expect(restored.open(0)).toHaveLength(1);
  });
});
