import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { AlertSchema } from "../../gen/web/telltale/v1/alert_pb.ts";
import { spanAround } from "./around.ts";

const at = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 });

test("an alert is shown with what came before and what came after", () => {
  const span = spanAround(
    create(AlertSchema, { openedAt: at(10_000), lastSeenAt: at(10_060), closedAt: at(10_120) }),
    10_000_000 - 900_000,
    20_000_000,
  );
  expect(span).toEqual({ from: 9_100_000, to: 10_420_000 });
});

test("a long alert leaves room before it, and one of a single reading has some too", () => {
  const long = spanAround(
    create(AlertSchema, { openedAt: at(100_000), lastSeenAt: at(130_000) }),
    99_999_000,
    200_000_000,
  );
  expect(long.from).toBe(90_000_000);
  const short = spanAround(
    create(AlertSchema, { openedAt: at(100_000), lastSeenAt: at(100_000) }),
    99_999_000,
    200_000_000,
  );
  expect(short.from).toBe(100_000_000 - 30_000);
});

test("an alert that is open is not shown with a future in which nothing can be seen", () => {
  const alert = create(AlertSchema, { openedAt: at(10_000), lastSeenAt: at(10_060) });
  expect(spanAround(alert, 9_100_000, 10_070_000)).toEqual({ from: 9_100_000, to: 10_070_000 });
});
