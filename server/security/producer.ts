import type { Interceptor } from "@connectrpc/connect";
import { TelltaleError } from "../errors.ts";
import { principalKey } from "../rpc/principal.ts";

const ingestService = "telltale.v1.IngestService";

/** Binds a device to the producer that its certificate names: nobody writes under another's sequence numbers. */
export const producerInterceptor: Interceptor = (next) => async (request) => {
  const { producer } = request.contextValues.get(principalKey);
  if (producer === undefined || request.service.typeName !== ingestService) return next(request);
  if (!request.stream) {
    check(request.message, producer);
    return next(request);
  }
  return next({ ...request, message: checked(request.message, producer) });
};

async function* checked<T>(messages: AsyncIterable<T>, producer: string): AsyncIterable<T> {
  for await (const message of messages) {
    check(message, producer);
    yield message;
  }
}

function check(message: unknown, producer: string): void {
  const sent = (message as { producer: string }).producer;
  if (sent === "" || sent === producer) return;
  throw new TelltaleError(
    "forbidden",
    `The certificate is that of producer "${producer}", not of "${sent.slice(0, 100)}"`,
  );
}
