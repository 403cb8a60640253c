/** Bounds the streams of one HTTP/2 connection below its calls, so that calls which are answered at once always get their turn. */

import type { Http2ServerRequest } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { NodeServerRequest } from "./node-http.ts";
import { createRefusal } from "./refusal.ts";

/** The refusal of a stream that is one too many; undefined where the call may go on, which is then counted until it ends. */
export type StreamBound = (request: NodeServerRequest, handler: UniversalHandler) => UniversalHandler | undefined;

export function boundStreams(most: number): StreamBound {
  const open = new WeakMap<object, number>();
  const message = `This connection has ${most} streams open, the most for one: open another connection, or end some`;
  const refusal = createRefusal(() => new ConnectError(message, Code.ResourceExhausted));
  return (request, { method }) => {
    const { stream } = request as Http2ServerRequest;
    const session = stream?.session;
    if (method.methodKind === "unary" || session === undefined) return undefined;
    const count = open.get(session) ?? 0;
    if (count >= most) return refusal(request.headers["content-type"] ?? "");
    open.set(session, count + 1);
    stream.once("close", () => open.set(session, (open.get(session) ?? 1) - 1));
    return undefined;
  };
}
