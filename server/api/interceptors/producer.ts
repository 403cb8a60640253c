import type { Interceptor } from "@connectrpc/connect";
import { IngestService } from "../../../gen/es/telltale/v1/ingest_pb.ts";
import { checkProducer, type Principal } from "../../security/principal.ts";
import { principalKey } from "../principal.ts";

/** Binds a device to the producer that its certificate names: nobody writes under another's sequence numbers. */
export const producerInterceptor: Interceptor = (next) => async (request) => {
  const principal = request.contextValues.get(principalKey);
  if (principal.producer === undefined || request.service.typeName !== IngestService.typeName) return next(request);
  if (request.stream) return next({ ...request, message: checked(request.message, principal) });
  checkProducer(principal, producerOf(request.message));
  return next(request);
};

async function* checked<T>(messages: AsyncIterable<T>, principal: Principal): AsyncIterable<T> {
  for await (const message of messages) {
    checkProducer(principal, producerOf(message));
    yield message;
  }
}

function producerOf(message: unknown): string {
  return (message as { producer: string }).producer;
}
