/** What of a request's headers may go on to the services, looked at before anything else is done with the request. */
import type { IncomingHttpHeaders } from "node:http";

/** What gRPC carries as a text. Its library, and fetch's, refuse anything else by an error that quotes the whole value. */
const PRINTABLE = /^[\x20-\x7e]*$/;
/** As the services' listener allows for all headers together. */
const MAX_CREDENTIAL_CHARACTERS = 16 * 1024;

export interface HeaderFault {
  readonly status: 400 | 401;
  /** Names the header, never its value. */
  readonly message: string;
}

/** Whether a credential is one that could be any: what holds other characters is refused before it goes anywhere. */
function isCredential(authorization: string): boolean {
  return authorization.length <= MAX_CREDENTIAL_CHARACTERS && PRINTABLE.test(authorization);
}

export const BAD_CREDENTIAL = "The authorization header holds a character that no credential has, or is too long";

/** What is wrong with the headers, or undefined. A trace context that cannot be one is dropped, as its specification says. */
export function takeHeaders(headers: IncomingHttpHeaders): HeaderFault | undefined {
  const { authorization, "x-request-id": requestId } = headers;
  for (const name of ["traceparent", "tracestate"])
    if (!PRINTABLE.test(String(headers[name] ?? ""))) delete headers[name];
  if (authorization !== undefined && !isCredential(authorization)) return { status: 401, message: BAD_CREDENTIAL };
  if (requestId !== undefined && !PRINTABLE.test(String(requestId)))
    return { status: 400, message: "The x-request-id header must be of printable ASCII characters" };
  return undefined;
}
