import { describe, expect, it } from "vitest";
import { manualClock } from "../../clock.ts";
import { StartupError } from "../../errors.ts";
import { linkSecrets } from "./keys.ts";
import { linkKey, readLink, writeLink } from "./link.ts";
import { LinkPace } from "./pace.ts";
import { loadLinkSettings } from "./settings.ts";

const KEY = linkKey(Buffer.from("a".repeat(32)));
const OTHER = linkKey(Buffer.from("b".repeat(32)));
const LINK = { alertId: 2 ** 53 - 1, receiver: "Nachtschicht – Süd", expiresS: 4_000_000_000 };

describe("a link", () => {
  it("says which alert it is about, whom it was sent to and until when", () => {
    const link = writeLink(LINK, KEY);
    expect(link).toMatch(/^[\w-]+$/);
    expect(readLink(link, [OTHER, KEY])).toEqual(LINK);
  });

  it("is none where any of its bits is another, or another key signed it", () => {
    const link = writeLink(LINK, KEY);
    expect(readLink(link, [OTHER])).toBeUndefined();
    const bytes = Buffer.from(link, "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(readLink(changed.toString("base64url"), [KEY])).toBeUndefined();
    }
    for (const text of ["", "x", link.slice(0, -1), `${link}A`, `${link}=`, link.slice(0, 20), "%00"])
      expect(readLink(text, [KEY])).toBeUndefined();
  });
});

it("keys are refused that are too short, with what to do", () => {
  expect(linkSecrets(`${"a".repeat(32)},\n${"b".repeat(40)}\n`, "x").map(String)).toEqual([
    "a".repeat(32),
    "b".repeat(40),
  ]);
  expect(() => linkSecrets(`${"a".repeat(32)},short`, "/run/keys")).toThrow(
    /\/run\/keys must hold .*key 2 has 5 characters/,
  );
  expect(() => loadLinkSettings({ NOTIFY_LINK_KEYS: "short" })).toThrow(StartupError);
  expect(() => loadLinkSettings({ NOTIFY_LINK_KEYS: "a".repeat(32), NOTIFY_LINK_KEYS_FILE: "/k" })).toThrow(
    /set one of them/,
  );
});

it("a link is used to act twenty times in a row, and then once in six seconds", () => {
  const clock = manualClock(0);
  const pace = new LinkPace(clock);
  for (let i = 0; i < 20; i++) expect(pace.take("a")).toBe(0);
  expect(pace.take("a")).toBe(6_000);
  expect(pace.take("b")).toBe(0);
  clock.advanceMs(6_000);
  expect(pace.take("a")).toBe(0);
  expect(pace.take("a")).toBeGreaterThan(0);
});
