import type { EndpointDocument } from "../server/lib/endpoint-document.ts";

/** What a protocol of a test says of itself. */
export const TEST_DOCUMENT: EndpointDocument = {
  ...{ operationId: "test", summary: "A protocol of a test", description: "" },
  body: { types: ["text/plain"], encodings: [] },
  query: [],
  answers: { 200: { description: "", types: [] } },
  refusal: { description: "", types: [] },
  credentials: ["bearer"],
};
