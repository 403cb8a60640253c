import { Code, ConnectError } from "@connectrpc/connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { RetryInfoSchema } from "../../gen/es/google/rpc/error_details_pb.ts";
import { UpstreamError } from "../mesh/errors.ts";
import { answerTo } from "./answer.ts";
import { routes } from "./routes.ts";

/** An error as grpc-js hands it over when the service asks for a delay. */
function refusal(code: Code, delay: { seconds: bigint; nanos?: number } | undefined): UpstreamError {
  const details = delay === undefined ? [] : [{ desc: RetryInfoSchema, value: { retryDelay: delay } }];
  const trailers = new Headers();
  setTrailerStatus(trailers, new ConnectError("no", code, undefined, details));
  const metadata = new Metadata();
  const encoded = trailers.get("grpc-status-details-bin");
  if (encoded !== null) metadata.set("grpc-status-details-bin", Buffer.from(encoded, "base64"));
  return UpstreamError.fromGrpc(
    Object.assign(new Error("no"), { code: Number(code), details: "no", metadata }) as ServiceError,
  );
}

it.each([
  ["twelve seconds", { seconds: 12n }, "12"],
  ["a part of a second", { seconds: 0n, nanos: 300_000_000 }, "1"],
  ["seconds and a part", { seconds: 4n, nanos: 1_000_000 }, "5"],
  ["no time", undefined, "1"],
])("a caller that is told by the service to wait %s is told so in Retry-After", (_, delay, seconds) => {
  for (const code of [Code.ResourceExhausted, Code.Unavailable]) {
    expect(answerTo(refusal(code, delay), routes[0]!, {})?.headers).toEqual({ "retry-after": seconds });
  }
});

it("a GraphQL client is told the same time in milliseconds", () => {
  const { extensions } = refusal(Code.ResourceExhausted, { seconds: 4n, nanos: 500_000_000 }).toGraphQL();
  expect(extensions).toMatchObject({ code: "RATE_LIMITED", retryAfterMs: 4_500 });
});
