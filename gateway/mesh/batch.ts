/** Looks up what many rows of one answer need by one call (or one per `maxKeys` rows), never by one call a row. */
import { type CallContext, callUnary, type UnaryMethod } from "./call.ts";
import { methodOf } from "./contracts.ts";
import type { Shapers } from "./map.ts";
import type { BatchRule, Shaped } from "./tables.ts";

type Load = (key: unknown, context: CallContext) => Promise<unknown>;

export function batched(rule: BatchRule, shapers: Shapers, method: UnaryMethod): Load {
  const respond = shapers.of(methodOf(rule.rpc).output);
  // The rows of an answer are resolved in one turn of the event loop and share its context.
  const gathering = new WeakMap<CallContext, { keys: Set<unknown>; found: Promise<Map<unknown, unknown>> }>();

  const lookUp = async (keys: Set<unknown>, context: CallContext): Promise<Map<unknown, unknown>> => {
    await new Promise((resolve) => process.nextTick(resolve));
    gathering.delete(context);
    const all = [...keys];
    const calls: Promise<Shaped[]>[] = [];
    for (let from = 0; from < all.length; from += rule.maxKeys) {
      const request = { [rule.keys]: all.slice(from, from + rule.maxKeys) };
      calls.push(callUnary(method, request, context).then((response) => respond(response)[rule.list] as Shaped[]));
    }
    return new Map((await Promise.all(calls)).flat().map((element) => [element[rule.by], element]));
  };

  return async (key, context) => {
    let batch = gathering.get(context);
    if (batch === undefined) {
      const keys = new Set<unknown>();
      batch = { keys, found: lookUp(keys, context) };
      gathering.set(context, batch);
    }
    batch.keys.add(key);
    return (await batch.found).get(key) ?? null;
  };
}
