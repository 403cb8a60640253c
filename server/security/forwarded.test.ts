import { expect, it } from "vitest";
import { payerOf } from "../lib/payer.ts";
import { createForwarding } from "./forwarded.ts";

const headers = (value: string) => new Headers({ "telltale-client": value });
const secret = "a secret of gateways and services";

it("a gateway's word for its caller is believed by services with the same secret alone", () => {
  const value = createForwarding(secret).sign("192.0.2.7");
  expect(createForwarding(secret).read(headers(value))).toBe("192.0.2.7");
  expect(createForwarding("another secret").read(headers(value))).toBeUndefined();
  expect(createForwarding(undefined).read(headers(value))).toBeUndefined();
});

it.each([
  ["another address", (value: string) => value.replace("192.0.2.7", "192.0.2.8")],
  ["no signature", () => "192.0.2.7"],
  ["an empty signature", () => "192.0.2.7;"],
  ["a part of the signature", (value: string) => value.slice(0, -1)],
  ["two addresses", (value: string) => `192.0.2.8;${value}`],
  ["a second value after a comma", (value: string) => `${value}, ${value}`],
])("the header with %s is nobody's word", (_, change) => {
  const one = createForwarding(secret);
  expect(one.read(headers(change(one.sign("192.0.2.7"))))).toBeUndefined();
});

it("each gateway that shares no secret is believed by its own process", () => {
  const own = createForwarding(undefined);
  expect(own.read(headers(own.sign("2001:db8::1")))).toBe("2001:db8::1");
});

it("the addresses that one customer of a network has count as one", () => {
  expect(payerOf("192.0.2.7")).toBe("192.0.2.7");
  expect(payerOf("::ffff:192.0.2.7")).toBe("192.0.2.7");
  expect(payerOf("2001:db8:0:a::1")).toBe("2001:db8:0:a::/64");
  expect(payerOf("2001:0db8:0000:000a:ffff:1:2:3")).toBe("2001:db8:0:a::/64");
  expect(payerOf("2001:db8:0:b::1")).not.toBe(payerOf("2001:db8:0:a::1"));
  expect(payerOf("::1")).toBe("0:0:0:0::/64");
});
