import { Code } from "@connectrpc/connect";
import { graphqlCodeOf, httpStatusOf } from "../../gateway/mesh/errors.ts";
import { RefusalReason } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { codeOf } from "../../server/api/errors.ts";
import { ERROR_KINDS, type ErrorKind } from "../../server/errors.ts";
import { code, page, paragraph, sentence, table } from "./markdown.ts";
import { protoComments } from "./proto.ts";

const MEANINGS: Readonly<Record<ErrorKind, string>> = {
  invalid: "The request breaks a rule: change it. `BadRequest` details name each field, the value and what is wanted",
  not_found: "There is no such thing",
  exists: "There is such a thing already",
  unauthenticated: "The credential is missing, unknown, malformed or expired",
  forbidden: "The credential is known and does not allow this",
  exhausted: "A limit or quota: wait as long as `RetryInfo` says, or send less",
  unavailable: "A dependency is unavailable, or the process is shutting down: the same call may succeed later",
  conflict: "The state does not allow it",
  unimplemented: "There is no such method",
  internal: "A fault of ours; the log has the cause under the request id in the answer",
};

export function errorsPage(): string {
  const rows = ERROR_KINDS.map((kind) => {
    const grpc = codeOf(kind);
    return [code(grpcName(grpc)), String(httpStatusOf(grpc)), code(graphqlCodeOf(grpc)), sentence(MEANINGS[kind])];
  });
  const comments = protoComments("ingest.proto");
  const reasons = Object.keys(RefusalReason)
    .filter((name) => Number.isNaN(Number(name)) && name !== "UNSPECIFIED")
    .map((name) => [code(name), sentence(comments.get(`RefusalReason.REFUSAL_REASON_${name}`) ?? "")]);
  return page(
    "Errors",
    "the error maps and the contracts",
    paragraph(
      "The same failure has one name in each protocol. A message says what was wrong, with which value, and what to do.",
    ),
    table(["gRPC and Connect", "HTTP", "GraphQL", "Meaning"], rows),
    "## Refused readings",
    paragraph(
      `A batch is judged reading by reading: its good readings are stored, and each refused one is answered with its index, its field, a
      message and one of these reasons.`,
    ),
    table(["Reason", "Meaning"], reasons),
  );
}

function grpcName(number: Code): string {
  return Code[number].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
