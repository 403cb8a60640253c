/** Whom messages may be sent to, and that no name leads elsewhere. */
import type { LookupAddress } from "node:dns";
import { isIP } from "node:net";
import { describe, expect, test } from "vitest";
import { notification } from "../../../testing/notification.ts";
import { startWebhookSink } from "../../../testing/webhook-sink.ts";
import { systemClock } from "../../clock.ts";
import { AddressGuard, isAllowedHost } from "./addresses.ts";
import { openChannel } from "./open.ts";

/** Names of hosts that have these addresses, one list for each time they are asked for. */
function guardOf(allowed: readonly string[], ...answers: readonly (readonly string[])[]) {
  let asked = 0;
  const guard = new AddressGuard(allowed, (_host, done) => {
    const addresses = answers[Math.min(asked++, answers.length - 1)]!;
    done(
      null,
      addresses.map((address) => ({ address, family: isIP(address) })),
    );
  });
  return { guard, asked: () => asked };
}

/** What `net.connect` would be given. */
function found(guard: AddressGuard, host = "hook.example"): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    guard.lookup(host, { all: true }, (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses as LookupAddress[]);
    });
  });
}

describe("addresses of no host of the internet are refused, by address and by name", () => {
  test.each([
    ["10.0.0.5", "a private"],
    ["172.16.0.1", "a private"],
    ["172.31.255.255", "a private"],
    ["192.168.1.1", "a private"],
    ["100.64.0.1", "a private"],
    ["127.0.0.1", "a loopback"],
    ["127.255.255.254", "a loopback"],
    ["169.254.169.254", "a link-local"],
    ["224.0.0.1", "a multicast"],
    ["239.255.255.250", "a multicast"],
    ["255.255.255.255", "a broadcast"],
    ["0.0.0.0", "an unspecified"],
    ["0.1.2.3", "an unspecified"],
    ["198.18.0.1", "a reserved"],
    ["240.0.0.1", "a reserved"],
    ["::", "an unspecified"],
    ["::1", "a loopback"],
    ["fe80::1", "a link-local"],
    ["fe80::1%lo", "a link-local"],
    ["fc00::1", "a private"],
    ["fd12:3456::1", "a private"],
    ["fec0::1", "a private"],
    ["ff02::1", "a multicast"],
    ["::ffff:127.0.0.1", "a loopback"],
    ["::ffff:10.0.0.5", "a private"],
    ["::ffff:a9fe:a9fe", "a link-local"],
    ["::127.0.0.1", "a loopback"],
    ["::7f00:1", "a reserved"],
    ["64:ff9b::10.0.0.5", "a private"],
    ["64:ff9b::7f00:1", "a loopback"],
    ["64:ff9b:1::1", "a reserved"],
    ["2002:7f00:1::1", "a reserved"],
    ["2001:0:1::1", "a reserved"],
    ["2001:db8::1", "a reserved"],
    ["100::1", "a reserved"],
    ["4000::1", "a reserved"],
  ])("%s is %s address", async (address, range) => {
    const { guard } = guardOf([], [address]);
    expect(() => guard.checkLiteral(address)).toThrow(`${address} is ${range} address`);
    await expect(found(guard)).rejects.toThrow(`hook.example is at ${address}, which is ${range} address`);
  });
});

test.each(["93.184.215.14", "172.32.0.1", "2606:2800:21f::1", "64:ff9b::93.184.215.14", "::ffff:93.184.215.14"])(
  "%s is of the internet",
  async (address) => {
    const { guard } = guardOf([], [address]);
    guard.checkLiteral(address);
    expect(await found(guard)).toEqual([{ address, family: isIP(address) }]);
  },
);

test.each([
  ["10.1.0.0/16", "10.1.255.255", "10.2.0.0"],
  ["10.1.0.7", "10.1.0.7", "10.1.0.8"],
  ["10.1.0.0/16", "::ffff:10.1.2.3", "::ffff:10.2.2.3"],
  ["10.1.0.0/16", "64:ff9b::10.1.2.3", "64:ff9b::10.2.2.3"],
  ["fd00:1::/32", "fd00:1::5", "fd00:2::5"],
  ["::ffff:10.1.0.7", "10.1.0.7", "10.1.0.8"],
])("%s allows %s and not %s", async (entry, inside, outside) => {
  await expect(found(guardOf([entry], [inside]).guard)).resolves.toHaveLength(1);
  await expect(found(guardOf([entry], [outside]).guard)).rejects.toThrow("NOTIFY_ALLOWED_HOSTS");
});

test("a name allows its addresses, and those of no other name", async () => {
  const { guard } = guardOf(["Mail.Plant.example"], ["10.0.0.5"]);
  await expect(found(guard, "mail.plant.example.")).resolves.toHaveLength(1);
  await expect(found(guard, "evil-mail.plant.example")).rejects.toThrow("add evil-mail.plant.example to");
  await expect(found(guard, "mail.plant.example.evil.example")).rejects.toThrow("NOTIFY_ALLOWED_HOSTS");
});

test("of a name's addresses only those are called that may be", async () => {
  const { guard } = guardOf([], ["10.0.0.5", "93.184.215.14", "::1"]);
  expect(await found(guard)).toEqual([{ address: "93.184.215.14", family: 4 }]);
  const one = new Promise((resolve) => guard.lookup("hook.example", {}, (_error, ...address) => resolve(address)));
  expect(await one).toEqual(["93.184.215.14", 4]);
});

test("a name that means another address when it is asked again does not lead there", async () => {
  const sink = await startWebhookSink();
  // As an attacker's name server answers: first an address that passes, then the one that is meant.
  const { guard, asked } = guardOf(["127.0.0.2"], ["127.0.0.2"], ["127.0.0.1"]);
  const config = { kind: "webhook", sendResolved: true, maxAlerts: 0, picture: false, timeoutMs: 2_000 } as const;
  const url = { value: `http://rebind.example:${sink.port}/` };
  const options = { addresses: guard, environment: {}, clock: systemClock, source: "/telltale" };
  const send = () => openChannel({ ...config, url }, options).send(notification(), new AbortController().signal);
  expect(await send()).toMatchObject({ kind: "retry", reason: expect.stringContaining("ECONNREFUSED 127.0.0.2") });
  expect(asked()).toBe(1);
  expect(await send()).toMatchObject({ kind: "failed", reason: expect.stringContaining("is at 127.0.0.1") });
  expect(sink.posted).toEqual([]);
  await sink.close();
});

test.each([
  "localhost",
  "mail.plant.example",
  "mail-1_a.plant.example.",
  "10.0.0.1",
  "10.0.0.0/8",
  "::1",
  "fd00::/8",
  "x",
])("%s may be an entry of the setting", (entry) => expect(isAllowedHost(entry)).toBe(true));

test.each([
  "",
  "*",
  "*.plant.example",
  "http://plant.example",
  "plant.example:25",
  "10.0.0",
  "10.0.0.256",
  "10.0.0.0/33",
  "a b",
])("%j may not", (entry) => expect(isAllowedHost(entry)).toBe(false));
