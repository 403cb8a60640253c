import { create, type DescMethod, type DescService } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { validate, warm } from "../validate.ts";

/**
 * Checks requests against the rules in the contract before a service sees them: unary ones, and the one request that opens a
 * server stream. `skip` names methods that judge by themselves, reading by reading ("telltale.v1.IngestService/…").
 */
export function validationInterceptor(services: readonly DescService[], skip: ReadonlySet<string>): Interceptor {
  const checked = services.flatMap((service) => service.methods).filter((method) => checks(method, skip));
  warm(checked.map(({ input }) => ({ schema: input, message: create(input) })));
  const names = new Set(checked);
  return (next) => async (request) => {
    if (!names.has(request.method)) return next(request);
    if (!request.stream) {
      validate(request.method.input, request.message);
      return next(request);
    }
    return next({ ...request, message: validated(request.message, request.method) });
  };
}

function checks(method: DescMethod, skip: ReadonlySet<string>): boolean {
  const oneRequest = method.methodKind === "unary" || method.methodKind === "server_streaming";
  return oneRequest && !skip.has(`${method.parent.typeName}/${method.name}`);
}

async function* validated<T>(messages: AsyncIterable<T>, method: DescMethod): AsyncIterable<T> {
  for await (const message of messages) {
    validate(method.input, message as Parameters<typeof validate>[1]);
    yield message;
  }
}
