/** Calls of methods that there are not are refused with UNIMPLEMENTED, and with the name that may have been meant. */
import { Code, ConnectError } from "@connectrpc/connect";
import { didYouMean } from "../lib/suggest.ts";
import type { NodeServerRequest } from "./node-http.ts";
import { createRefusal, type Refusal } from "./refusal.ts";

/** True where the content type is that of a call. */
const CALL = /^application\/(grpc|grpc-web|connect)\b/;
/** A call where the path is one of a method: JSON and protobuf are sent to other paths too. */
const UNARY_CALL = /^application\/(json|proto)\b/;
const METHOD_PATH = /^\/([\w.]+)\/(\w+)$/;

/** The refusal of a request to a path that no method has; undefined where it is no call. */
export type Refuser = (request: NodeServerRequest, path: string) => ReturnType<Refusal> | undefined;

/** @param onRefused called for each, to count it */
export function refuseUnknownMethods(paths: readonly string[], onRefused: () => void): Refuser {
  const refusal = createRefusal((path) => {
    onRefused();
    return new ConnectError(explain(path, paths), Code.Unimplemented);
  });
  return (request, path) => {
    const type = request.headers["content-type"] ?? "";
    if (request.method !== "POST") return undefined;
    const isCall = CALL.test(type) || (UNARY_CALL.test(type) && METHOD_PATH.test(path));
    return isCall ? refusal(type) : undefined;
  };
}

function explain(path: string, paths: readonly string[]): string {
  const [, service = "", method = ""] = METHOD_PATH.exec(path) ?? [];
  if (service === "") return "The path is not /package.Service/Method: see server reflection for those that there are";
  const services = [...new Set(paths.map((known) => known.split("/")[1]!))];
  if (!services.includes(service)) return `There is no service ${cut(service)}${didYouMean(service, services)}`;
  const methods = paths.filter((known) => known.startsWith(`/${service}/`)).map((known) => known.split("/")[2]!);
  return `${service} has no method ${cut(method)}${didYouMean(method, methods)}`;
}

/** What is quoted back is bounded. */
function cut(name: string): string {
  return name.length > 100 ? `${name.slice(0, 100)}...` : name;
}
