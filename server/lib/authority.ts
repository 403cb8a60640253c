/** Hosts and ports as RFC 3986 writes them, out of what clients send and people configure. */
import { isIPv6 } from "node:net";

/**
 * The authority with an IPv6 address in brackets and without its zone, which means something on the sender's machine alone. Node's
 * HTTP/2 client writes `::1:50051`. Anything else is left as it is.
 *
 * @param localPort where the connection came in: tells a port from an address's last group
 */
export function canonicalAuthority(given: string, localPort: number | undefined): string {
  const [, inside, portAfter = ""] = /^\[([^\]%]*)(?:%[^\]]*)?\](:\d*)?$/.exec(given) ?? [];
  if (inside !== undefined) return isIPv6(inside) ? `[${inside}]${portAfter}` : given;
  if (given.indexOf(":") === given.lastIndexOf(":")) return given;
  const [, zoned, zonedPort = ""] = /^([^%]*)%[^:%]*(:\d+)?$/.exec(given) ?? [];
  if (zoned !== undefined) return isIPv6(zoned) ? `[${zoned}]${zonedPort}` : given;
  const at = given.lastIndexOf(":");
  const [address, port] = [given.slice(0, at), given.slice(at + 1)];
  const own = Number(port) === localPort || !isIPv6(given);
  if (own && /^\d{1,5}$/.test(port) && isIPv6(address)) return `[${address}]:${port}`;
  return isIPv6(given) ? `[${given}]` : given;
}

/** The host of an authority in its one form: lower case, an address as short as can be, no port, no final dot; "" where it has none. */
export function hostOf(authority: string): string {
  if (/[\s/?#@\\]/.test(authority)) return "";
  const url = URL.parse(`http://${canonicalAuthority(authority, undefined)}`);
  return url?.hostname.replace(/\.$/, "") ?? "";
}

/** An address as it stands in a URL: an IPv6 one in brackets. Its zone stays, for a person on this machine. */
export function urlHost(address: string): string {
  return address.includes(":") && !address.startsWith("[") ? `[${address.replace("%", "%25")}]` : address;
}

/** Whether only this machine can reach the address, which may have a port. */
export function isLoopback(address: string): boolean {
  // In its one form: ::1 may be written in many ways, and may hold an IPv4 address.
  const host = hostOf(address);
  return (
    /^127(\.\d{1,3}){3}$/.test(host) ||
    host === "localhost" ||
    /^\[::(1|ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4})\]$/.test(host)
  );
}
