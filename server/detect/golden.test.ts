import { expect, test } from "vitest";
import { playGolden, readGoldenScores } from "../../ml/goldenScores.ts";

test("scores, reasons, bounds, explanations and saved state of 1.76 million readings are the golden ones to the bit", () => {
  const golden = readGoldenScores();
  const played = playGolden();
  expect(played).toEqual(golden);
}, 300_000);
