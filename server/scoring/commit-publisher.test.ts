import { expect, test } from "vitest";
import { recordingLogger } from "../../testing/logger.ts";
import { CommitPublisher } from "./commit-publisher.ts";
import type { CommitNotice } from "./messages.ts";

test("every subscriber hears of every commit in the order given, also behind one that throws, which is named", () => {
  const { logger, lines } = recordingLogger();
  const heard: string[] = [];
  const hears = (name: string) => ({
    name,
    committed: (n: CommitNotice) => void heard.push(`${name} ${n.nextOffset}`),
  });
  const broken = {
    name: "broken",
    committed: () => {
      throw new Error("out of memory");
    },
  };
  const publisher = new CommitPublisher([hears("first"), broken, hears("last")], logger);
  for (const nextOffset of [1, 2]) publisher.publish({ partition: 3, nextOffset } as CommitNotice);
  expect(heard).toEqual(["first 1", "last 1", "first 2", "last 2"]);
  expect(lines()).toMatchObject([
    { subscriber: "broken", partition: 3, nextOffset: 1 },
    { subscriber: "broken", partition: 3, nextOffset: 2 },
  ]);
});
