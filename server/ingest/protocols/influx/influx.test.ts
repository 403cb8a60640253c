import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Points } from "../points.ts";
import { LineMapper, precisionOf } from "./map.ts";
import { parseLines } from "./parse.ts";

/** Points by sensor, faults by line. */
function read(text: string, precision: string | null = null) {
  const points = new Points();
  const mapper = new LineMapper();
  const time = precisionOf(precision);
  const { strings, faults } = parseLines(text, (line) => mapper.map(line, time, points));
  const batches = points.batches();
  const timed = batches
    .flatMap(({ blocks }) => blocks)
    .flatMap(({ sensorId, baseTimeUs, timeDeltasUs, values }) => {
      let at = Number(baseTimeUs);
      return values.map((value, i) => {
        at += timeDeltasUs[i]!;
        return [sensorId, value, at] as const;
      });
    });
  const untimed = batches.flatMap(({ readings }) => readings).map(({ sensorId, value }) => [sensorId, value] as const);
  return { timed, untimed, strings, faults: faults.map(({ line }) => line), messages: faults.map((f) => f.message) };
}

const ids = (text: string) => read(text).untimed.map(([id]) => id);

describe("a line", () => {
  it.each([
    ["cpu value=1", [["cpu.value", 1]]],
    ["cpu,host=a value=1", [['cpu.value{host="a"}', 1]]],
    [
      "cpu,host=a,core=0 user=1.5,idle=98",
      [
        ['cpu.user{core="0",host="a"}', 1.5],
        ['cpu.idle{core="0",host="a"}', 98],
      ],
    ],
    ["m i=12i,u=12u,n=-3i,f=-1.5e3,p=+2,d=.5,e=5.", [12, 12, -3, -1500, 2, 0.5, 5]],
    ["m a=t,b=T,c=true,d=True,e=TRUE", [1, 1, 1, 1, 1]],
    ["m a=f,b=F,c=false,d=False,e=FALSE", [0, 0, 0, 0, 0]],
  ])("%s", (line, wanted) => {
    const { untimed, faults } = read(line);
    expect(faults).toEqual([]);
    expect(wanted.every(Array.isArray) ? untimed : untimed.map(([, value]) => value)).toEqual(wanted);
  });

  it.each([
    // Escapes of the specification: a comma, a space and an equals sign, each where it would end something.
    ["my\\ measurement,tag\\ key=tag\\ value field\\ key=1", '"my measurement"."field key"{"tag key"="tag value"}'],
    ["a\\,b v=1", '"a,b".v'],
    ["m,a\\=b=c\\,d v=1", 'm.v{"a=b"="c,d"}'],
    ["m,a=b\\=c v=1", 'm.v{a="b=c"}'],
    ["m,a=b=c v=1", 'm.v{a="b=c"}'],
    ["m f\\=g=1", 'm."f=g"'],
    ["m f\\,g=1", 'm."f,g"'],
    // An equals sign is none to escape in a measurement; other backslashes are themselves.
    ["m\\=n v=1", '"m\\\\=n".v'],
    ["m,path=C:\\temp v=1", 'm.v{path="C:\\\\temp"}'],
    ['m,q="quoted" v=1', 'm.v{q="\\"quoted\\""}'],
    ['"m",t=1 v=1', '"\\"m\\"".v{t="1"}'],
    ["wetter,stadt=Köln grad=1", 'wetter.grad{stadt="Köln"}'],
    ["🌡,o=🔥 v=1", '"🌡".v{o="🔥"}'],
    // A point is between measurement and field alone.
    ["a.b c=1", '"a.b".c'],
    ["a b.c=1", 'a."b.c"'],
    ["m,z=1,a=2 v=1", 'm.v{a="2",z="1"}'],
  ])("%s names %s", (line, id) => {
    expect(ids(line)).toEqual([id]);
  });

  it.each([
    ['m s="text"', 0],
    ['m s="a, b=c d",v=1', 1],
    ['m s="say \\"hi\\"",v=1', 1],
    ['m s="back\\\\",v=1', 1],
    ['m s="two\nlines",v=1', 1],
    ['m s="",v=1', 1],
  ])("%j has a text, which is counted, and %d other fields", (line, fields) => {
    const { untimed, strings, faults } = read(line);
    expect([untimed.length, strings, faults]).toEqual([fields, 1, []]);
  });

  it.each([
    ["1790000000123456789", null, 1_790_000_000_123_456],
    ["1790000000123456789", "ns", 1_790_000_000_123_456],
    ["1790000000123456", "us", 1_790_000_000_123_456],
    ["1790000000123", "ms", 1_790_000_000_123_000],
    ["1790000000", "s", 1_790_000_000_000_000],
    ["29833333", "m", 1_789_999_980_000_000],
    ["497222", "h", 1_789_999_200_000_000],
  ])("has the time %s in %s", (time, precision, us) => {
    expect(read(`m v=1 ${time}`, precision).timed).toEqual([["m.v", 1, us]]);
  });

  it.each([
    ["m", "no fields"],
    ["m v", "a field without a value"],
    ["m v=", "an empty value"],
    ["m =1", "a field without a key"],
    [",t=1 v=1", "no measurement"],
    ["m,t v=1", "a tag without a value"],
    ["m,t= v=1", "an empty tag value"],
    ["m,=1 v=1", "an empty tag key"],
    ["m,t=1,t=2 v=1", "a tag twice"],
    ["m v=1,", "a comma too many"],
    ["m v=1 x", "a time that is none"],
    ["m v=1 1.5", "a time that is not whole"],
    ["m v=1 12345678901234567890", "a time of more than 64 bits"],
    ["m v=NaN", "a value that is no number"],
    ["m v=Infinity", "an infinite value"],
    ["m v=0x10", "a number in another base"],
    ["m v=1.5i", "an integer that is none"],
    ["m v=-1u", "a negative unsigned integer"],
    ["m v=9223372036854775808i", "an integer beyond 64 bits"],
    ["m v=18446744073709551616u", "an unsigned integer beyond 64 bits"],
    ["m v=1e309", "a number beyond double precision"],
    ["m v=tRUE", "a boolean that is none"],
    ["m v='text'", "a text in other quotes"],
    ['m v="text', "a text that does not end"],
    ['m v="text"x', "something behind a text"],
  ])("%s is refused (%s), alone and as a whole", (line) => {
    const { untimed, timed, faults, messages } = read(`before v=1\n${line}\nafter v=2 1790000000000000000`);
    expect([untimed, timed, faults]).toEqual([[["before.v", 1]], [["after.v", 2, 1_790_000_000_000_000]], [2]]);
    expect(messages[0]).not.toBe("");
  });

  it.each([
    ["press value=21,5", "21,5", "21.5"],
    ["press value=-0,25 1790000000000000000", "-0,25", "-0.25"],
    ["press value=21,5,oil=3", "21,5", "21.5"],
    ["press oil=3,value=+3,5 oil=3", "+3,5", "+3.5"],
  ])("%s is refused with what to write for its decimal comma", (line, found, wanted) => {
    expect(read(line)).toMatchObject({
      untimed: [],
      messages: [`${JSON.stringify(found)} has a decimal comma: write ${wanted}`],
    });
  });

  it.each(["m v=1,a", "m v=1,5a", "m v=t,5", "m v=1e3,5", 'm s="x",5'])("%s has no decimal comma", (line) => {
    expect(read(line).messages).toEqual(["a field has no value: write KEY=VALUE"]);
  });

  it("stores none of its fields where one is wrong", () => {
    expect(read("m a=1,b=x,c=3").untimed).toEqual([]);
  });
});

describe("lines", () => {
  it("may have empty ones, comments, indents and line breaks of Windows between them", () => {
    expect(ids("\n# v=1\n  a v=1\r\n\r\n\tb v=2 \n#\nc v=3")).toEqual(["a.v", "b.v", "c.v"]);
  });

  it("are numbered as they stand in the body", () => {
    expect(read('# one\n\na v=x\nb s="x\ny\\\nz"\nc v=x\n').faults).toEqual([3, 7]);
  });

  it("of one sensor keep their order, also where times go back", () => {
    const { timed } = read("m v=1 3000\nn v=9 1000\nm v=2 2000\nm v=3 4000");
    expect(timed.filter(([id]) => id === "m.v")).toEqual([
      ["m.v", 1, 3],
      ["m.v", 2, 2],
      ["m.v", 3, 4],
    ]);
  });

  it("are read back as they were written, whatever they hold", () => {
    const text = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 8 })
      .filter((s) => !/[\\\n\r\t\0]|^[ #]/.test(s));
    const escapeWith = (s: string, special: RegExp) => s.replace(special, "\\$&");
    const series = fc.record({ measurement: text, tags: fc.dictionary(text, text, { maxKeys: 3 }), field: text });
    fc.assert(
      fc.property(
        fc.array(series, { minLength: 1, maxLength: 5 }),
        fc.double({ noNaN: true, noDefaultInfinity: true }).map((v) => (v === 0 ? 0 : v)),
        (all, value) => {
          const lines = all.map(({ measurement, tags, field }) => {
            const given = Object.entries(tags).map(
              ([k, v]) => `,${escapeWith(k, /[,= ]/g)}=${escapeWith(v, /[,= ]/g)}`,
            );
            return `${escapeWith(measurement, /[, ]/g)}${given.join("")} ${escapeWith(field, /[,= ]/g)}=${value}`;
          });
          const points = new Points();
          const mapper = new LineMapper();
          const { faults } = parseLines(lines.join("\n"), (line) => mapper.map(line, precisionOf(null), points));
          expect(faults).toEqual([]);
          const read = points.batches().flatMap(({ readings }) => readings);
          expect(read.map((r) => [r.value, r.attributes])).toEqual(
            all.map(({ measurement, tags, field }) => [value, { __name__: `${measurement}.${field}`, ...tags }]),
          );
        },
      ),
    );
  });

  it("end with a result, whatever text comes", () => {
    const pieces = fc.array(fc.constantFrom("m", ",", "=", " ", "\n", '"', "\\", "1", "i", "t", "#", "\r", "é", "\0"), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(pieces, (given) => {
        const { untimed, timed } = read(given.join(""));
        for (const [id, value] of [...untimed, ...timed])
          expect([typeof id, typeof value]).toEqual(["string", "number"]);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("a time", () => {
  const seconds = 1_790_000_000;
  it.each([
    [null, `${seconds}`, "s"],
    [null, `${seconds}123`, "ms"],
    ["", `${seconds}123456`, "us"],
    ["s", `${seconds}123`, "ms"],
    ["s", `${seconds}123456789`, "ns"],
    ["ms", `${seconds}123456`, "us"],
    ["us", `${seconds}123456789`, "ns"],
    ["h", `${seconds}`, "s"],
  ])("of precision %s that is in another unit is refused with it: %s", (precision, digits, unit) => {
    expect(() => precisionOf(precision)(digits)).toThrow(
      new RegExp(`^the time ${digits} is .*: give precision=${unit}$`),
    );
  });

  it.each([
    [null, "1790000000123456789", 1_790_000_000_123_456],
    [null, "1000", 1],
    ["ns", String(seconds), 1_790_000],
    ["s", String(seconds), seconds * 1e6],
    ["m", "29833333", 1_789_999_980e6],
  ])("of precision %s is taken as it says: %s", (precision, digits, timeUs) => {
    expect(precisionOf(precision)(digits)).toBe(timeUs);
  });
});

// Each with each is 10^11 comparisons: more than a test has time for.
it("reads a line with hundreds of thousands of tags", () => {
  const tags = Array.from({ length: 400_000 }, (_, i) => `t${i}=1`);
  expect(ids(`m,${tags.join(",")} f=1`)).toHaveLength(1);
  expect(read(`m,${[...tags, "t7=1"].join(",")} f=1`).messages).toEqual(['tag "t7" is there twice']);
});
