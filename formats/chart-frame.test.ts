import { expect, test } from "vitest";
import { breaksIn, spanAround, valueRange } from "./chart-frame.ts";

test("the line breaks where nothing came for much longer than usual", () => {
  expect([...breaksIn([0, 1, 2, 3, 100, 101])]).toEqual([3]);
  expect([...breaksIn([0, 60, 600], 60)]).toEqual([1]);
});

test("a wide band does not press the values flat, and a band of which some is missing counts where it is there", () => {
  const [bottom, top] = valueRange({ low: [0, 1], high: [0, 1], lower: [-1e6, -0.1], upper: [1e6, 1.1] });
  expect([bottom > -2, top < 3]).toEqual([true, true]);
  const none = { low: [10, 20], high: [10, 20] };
  const [low, high] = valueRange({ ...none, lower: [null, Number.NaN, 8], upper: [Number.NaN, null, 22] });
  expect([low > 6 && low < 8, high > 22 && high < 24]).toEqual([true, true]);
  expect(valueRange({ low: [], high: [], lower: [], upper: [] })).toEqual([0, 1]);
});

test("the time around an alert reaches behind its end as far as that is past", () => {
  const alert = { openedMs: 900_000, endedMs: 1_800_000, earlierMs: 890_000 };
  expect(spanAround(alert)).toEqual({ fromMs: 600_000, toMs: 1_900_000 });
  expect(spanAround({ ...alert, nowMs: 1_850_000 })).toEqual({ fromMs: 600_000, toMs: 1_850_000 });
  expect(spanAround({ openedMs: 0, endedMs: 0, earlierMs: undefined })).toEqual({
    ...{ fromMs: -3_600_000, toMs: 1_200_000 },
  });
});
