import { describe, expect, it } from "vitest";
import { canonicalAuthority, hostOf, urlHost } from "./authority.ts";

describe("an authority", () => {
  it.each([
    ["localhost:8000", "localhost:8000"],
    ["127.0.0.1", "127.0.0.1"],
    ["[::1]:50051", "[::1]:50051"],
    ["[::1]", "[::1]"],
    ["[::1]:", "[::1]:"],
    ["::1:50051", "[::1]:50051"],
    ["::1:8000", "[::1]:8000"],
    ["::1", "[::1]"],
    ["2001:db8::1:443", "[2001:db8::1:443]"],
    ["2001:db8::7:8000", "[2001:db8::7]:8000"],
    ["fe80::1%eth0:8000", "[fe80::1]:8000"],
    ["fe80::1%eth0", "[fe80::1]"],
    ["[fe80::1%25eth0]:8000", "[fe80::1]:8000"],
    ["[fe80::1%eth0]", "[fe80::1]"],
    ["::ffff:127.0.0.1:8000", "[::ffff:127.0.0.1]:8000"],
    ["0:0:0:0:0:0:0:1:8000", "[0:0:0:0:0:0:0:1]:8000"],
    // No address: whoever looks next refuses it.
    ["[nonsense]:8000", "[nonsense]:8000"],
    ["a:b:c", "a:b:c"],
    ["", ""],
  ])("%j on port 8000 is %j", (given, wanted) => expect(canonicalAuthority(given, 8_000)).toBe(wanted));

  it.each([
    ["LOCALHOST.:8000", "localhost"],
    ["localhost:", "localhost"],
    ["127.0.0.1:1", "127.0.0.1"],
    ["[0:0:0:0:0:0:0:1]:8000", "[::1]"],
    ["::1:50051", "[::1]"],
    ["evil.example@localhost", ""],
    ["localhost/evil", ""],
    ["a b", ""],
    ["", ""],
  ])("%j is of the host %j", (authority, host) => expect(hostOf(authority)).toBe(host));

  it("has brackets in a printed address", () => {
    expect(["127.0.0.1", "localhost", "::1", "[::1]", "fe80::1%eth0"].map(urlHost)).toEqual([
      "127.0.0.1",
      "localhost",
      "[::1]",
      "[::1]",
      "[fe80::1%25eth0]",
    ]);
  });
});
