/**
 * Which machines messages may be sent to. Whoever configures a receiver names a host, and the platform stands inside a network that
 * trusts it: hosts of that network are refused unless the operator allows them. The connection goes to the very address that was
 * checked, so that a name cannot mean one address when it is checked and another when it is used.
 */
import { type LookupAddress, lookup as systemLookup } from "node:dns";
import { connect, isIP, type LookupFunction, type Socket } from "node:net";
import ipaddr from "ipaddr.js";

export const ALLOWED_HOSTS_SETTING = "NOTIFY_ALLOWED_HOSTS";

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Block = readonly [Address, number];
/** All addresses of a name; `lookup` of `node:dns` with `all`. */
export type Resolve = (
  host: string,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** An address that may not be called. */
export class AddressProblem extends Error {
  constructor(message: string) {
    super(message);
    this.name = "AddressProblem";
  }
}

/** What people call the ranges of `ipaddr.js`; others are called reserved. */
const RANGES: Readonly<Record<string, string>> = {
  private: "a private",
  uniqueLocal: "a private",
  carrierGradeNat: "a private",
  deprecatedSiteLocal: "a private",
  loopback: "a loopback",
  linkLocal: "a link-local",
  multicast: "a multicast",
  broadcast: "a broadcast",
  unspecified: "an unspecified",
};
/** Addresses of IPv6 that are given out to machines of the internet; all others have special meanings, known or to come. */
const GLOBAL_IPV6: Block = ipaddr.parseCIDR("2000::/3");
/** Where NAT64 puts an address of IPv4 (RFC 6052). */
const NAT64: Block = ipaddr.parseCIDR("64:ff9b::/96");

/** Whether an entry of the setting is a host's name, an address or a range of addresses (CIDR). */
export function isAllowedHost(entry: string): boolean {
  if (entry.includes("/")) return ipaddr.isValidCIDR(entry);
  // What consists of digits and dots is an address, or wrong.
  return isIP(entry) !== 0 || (/^[a-z0-9_]([a-z0-9_.-]{0,252})$/i.test(entry) && !/^[\d.]+$/.test(entry));
}

export class AddressGuard {
  readonly #names: ReadonlySet<string>;
  readonly #blocks: readonly Block[];
  readonly #resolve: Resolve;

  /** @param allowed names, addresses and ranges beside those of the internet, each of which `isAllowedHost` */
  constructor(allowed: readonly string[], resolve: Resolve = (host, done) => systemLookup(host, { all: true }, done)) {
    const isNumeric = (entry: string) => entry.includes("/") || isIP(entry) !== 0;
    this.#names = new Set(allowed.filter((entry) => !isNumeric(entry)).map(canonical));
    this.#blocks = allowed.filter(isNumeric).map(blockOf);
    this.#resolve = resolve;
  }

  /** Refuses what cannot be called: another scheme than http and https, a host that is an address and not allowed. */
  checkUrl(text: string): URL {
    if (!URL.canParse(text)) throw new AddressProblem("the URL is none");
    const url = new URL(text);
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      throw new AddressProblem(`the URL begins with "${url.protocol}", but it must begin with http:// or https://`);
    }
    this.checkLiteral(url.hostname.replace(/^\[(.*)\]$/, "$1"));
    return url;
  }

  /** Names are looked up only when they are called, and addresses never: these are checked here. */
  checkLiteral(host: string): void {
    if (isIP(host) !== 0) this.#allow(host, [{ address: host, family: isIP(host) }]);
  }

  /** For `net.connect`, `tls.connect` and what stands on them: gives those addresses of a name that may be called. */
  readonly lookup: LookupFunction = (host, options, done) => {
    this.#resolve(host, (error, found) => {
      if (error !== null) return done(error, []);
      try {
        const [first, ...more] = this.#allow(host, found);
        if (options.all) done(null, [first, ...more]);
        else done(null, first.address, first.family);
      } catch (problem) {
        done(problem as Error, []);
      }
    });
  };

  /**
   * Refuses a name that is known here to lead to no address that may be called, where another connects to it in our place. A name that only
   * that one knows is its own to judge.
   */
  checkName(name: string): Promise<void> {
    const host = name.replace(/^\[(.*)\]$/, "$1");
    if (isIP(host) !== 0) return Promise.resolve(this.checkLiteral(host));
    return new Promise((resolve, reject) => {
      this.#resolve(host, (error, found) => {
        try {
          if (error === null) this.#allow(host, found);
          resolve();
        } catch (problem) {
          reject(problem as Error);
        }
      });
    });
  }

  /** An open connection; the signal ends it, whether it is open yet or not. */
  connect({ host, port }: { host: string; port: number }, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
    this.checkLiteral(host);
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, lookup: this.lookup, signal });
      const timer = setTimeout(() => socket.destroy(timedOut(timeoutMs)), timeoutMs);
      socket.once("close", () => clearTimeout(timer));
      socket.once("connect", () => {
        clearTimeout(timer);
        resolve(socket);
      });
      socket.once("error", reject);
    });
  }

  #allow(host: string, found: readonly LookupAddress[]): [LookupAddress, ...LookupAddress[]] {
    const [first, ...more] = this.#names.has(canonical(host))
      ? found
      : found.filter(({ address }) => this.#isAllowed(address));
    if (first !== undefined) return [first, ...more];
    const [refused] = found;
    if (refused === undefined) throw new AddressProblem(`${host} has no address`);
    const { address } = refused;
    const what = `${RANGES[rangeOf(unwrapped(address))] ?? "a reserved"} address`;
    const where = address === host ? `${host} is ${what}` : `${host} is at ${address}, which is ${what}`;
    throw new AddressProblem(`${where}: if messages may go there, add ${host} to ${ALLOWED_HOSTS_SETTING}`);
  }

  #isAllowed(text: string): boolean {
    const address = unwrapped(text);
    if (rangeOf(address) === "unicast") return true;
    return this.#blocks.some((block) => isIn(address, block));
  }
}

function timedOut(timeoutMs: number): Error {
  return Object.assign(new Error(`no connection within ${timeoutMs} ms`), { code: "ETIMEDOUT" });
}

/** Names are the same in any case, and with a dot at the end. */
function canonical(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

function blockOf(entry: string): Block {
  if (entry.includes("/")) return ipaddr.parseCIDR(entry);
  const address = unwrapped(entry);
  return [address, address.kind() === "ipv4" ? 32 : 128];
}

/** The address of IPv4 that one of IPv6 stands for, or the address itself. */
function unwrapped(text: string): Address {
  const address = ipaddr.process(text); // unwraps ::ffff:0:0/96
  return isIn(address, NAT64) ? ipaddr.fromByteArray(address.toByteArray().slice(12)) : address;
}

function rangeOf(address: Address): string {
  const range = address.range();
  return range === "unicast" && address.kind() === "ipv6" && !isIn(address, GLOBAL_IPV6) ? "reserved" : range;
}

function isIn(address: Address, [network, bits]: Block): boolean {
  return address.kind() === network.kind() && (address as ipaddr.IPv6).match(network as ipaddr.IPv6, bits);
}
