import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { NotificationRouteSchema } from "../../gen/web/telltale/v1/notification_pb.ts";
import { routeTree } from "./routing.ts";

const TIMES = { groupWaitMs: 30_000n, groupIntervalMs: 300_000n, repeatIntervalMs: 14_400_000n };

test("routes become the tree that they were, each with what differs from the one above", () => {
  const route = (id: string, more = {}) =>
    create(NotificationRouteSchema, { id, receiver: `r${id}`, groupBy: ["asset"], ...TIMES, ...more });
  const tree = routeTree([
    route("0", { escalation: "standard" }),
    route("0/0", { escalation: "standard", groupWaitMs: 0n, continue: true }),
    route("0/0/0", { groupWaitMs: 0n, groupBy: [], groupByAll: true, muteTimeIntervals: ["nights"] }),
    ...Array.from({ length: 10 }, (_, i) => route(`0/${i + 1}`, { escalation: "standard" })),
  ]);
  expect(tree?.facts).toEqual([
    "grouped by asset",
    "first after 30 s",
    "news every 5 min",
    "again after 4 h",
    "escalation standard",
  ]);
  // "0/10" is a child of the root, and not of "0/1".
  expect(tree?.below.map(({ route }) => route.id)).toEqual(Array.from({ length: 11 }, (_, i) => `0/${i}`));
  const [first] = tree!.below;
  expect(first?.facts).toEqual(["first after 0 s", "further routes are tried"]);
  expect(first?.below[0]?.facts).toEqual(["each alert by itself", "muted in nights", "escalation none"]);
  expect(first?.below[0]?.below).toEqual([]);
  expect(routeTree([])).toBeUndefined();
});
