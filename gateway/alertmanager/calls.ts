/** The calls that Alertmanager's paths stand on. */
import type { DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { type CallContext, callUnary } from "../mesh/call.ts";
import type { Raw } from "../mesh/tables.ts";
import { type CallInProcess, directMethods } from "../rest/direct.ts";

const methods = NotificationService.method;
type Methods = typeof methods;
type Name = {
  [K in keyof Methods]: Methods[K] extends DescMethodUnary ? K : never;
}[keyof Methods];

export interface Calls {
  /** Rejects with UpstreamError. */
  call<N extends Name>(
    name: N,
    request: MessageInitShape<Methods[N]["input"]>,
    context: CallContext,
  ): Promise<MessageShape<Methods[N]["output"]>>;
  close(): void;
}

export function openCalls(address: string, inProcess: CallInProcess | undefined): Calls {
  const { method, close } = directMethods(address, inProcess);
  const byName = new Map(
    Object.entries(methods).map(([key, { name }]) => [key, method(`NotificationService.${name}`)]),
  );
  return {
    close,
    async call(name, request, context) {
      const answer = await callUnary(byName.get(name)!, request as Raw, context);
      return answer as never;
    },
  };
}
