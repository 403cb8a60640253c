/** Runs rows: arguments become a request, the response becomes what the row promises. Who carries the call is the caller's. */
import { Code } from "@connectrpc/connect";
import { type CallContext, callStream, callUnary, type StreamMethod, type UnaryMethod } from "./call.ts";
import { fieldOf, messageOf, methodOf, outsideName } from "./contracts.ts";
import { MissedError, UpstreamError } from "./errors.ts";
import { type Decoder, Shapers, toMessage, UnknownEnumValue } from "./map.ts";
import type { Facade, FieldRow, LookUp, Raw, Shaped } from "./tables.ts";

export type RunUnary = (args: Shaped, context: CallContext) => Promise<unknown>;
export type RunStream = (args: Shaped, context: CallContext) => Promise<AsyncIterableIterator<unknown>>;

export class RowRunner {
  readonly facade: Facade;
  readonly shapers: Shapers;
  readonly #decoder: Decoder;

  constructor(facade: Facade, decoder: Decoder) {
    this.facade = facade;
    this.shapers = new Shapers(facade, decoder);
    this.#decoder = decoder;
  }

  /** @throws Error where no row makes the field: the supergraph is out of date */
  row(root: string, name: string): FieldRow {
    const row = this.facade.rows.find((candidate) => candidate.root === root && candidate.name === name);
    if (row === undefined) throw new Error(`No row makes the field ${root}.${name}: run npm run generate:gateway.`);
    return row;
  }

  /** The run rejects with UpstreamError, RowRefusal, UnknownEnumValue or RangeError (a time that is none). */
  unary(row: FieldRow, methodFor: (rpc: string) => UnaryMethod): RunUnary {
    const method = methodFor(row.rpc);
    const lookUp = row.otherwise === undefined ? undefined : this.#lookUp(row.otherwise, methodFor);
    const { output } = methodOf(row.rpc);
    const shape = this.shapers.of(output);
    const hoisted = row.hoist === undefined ? undefined : outsideName(fieldOf(output, row.hoist), this.facade.naming);
    return async (args, context) => {
      try {
        const response = shape(await callUnary(method, this.#request(row, args), context));
        if (row.result !== undefined) return row.result(response) ?? (await lookUp?.(args, context));
        return hoisted === undefined ? response : response[hoisted];
      } catch (error) {
        if (error instanceof UnknownEnumValue && row.noMatch !== undefined) {
          // Nothing can match, but whether the caller may ask is for the service to say.
          await callUnary(method, { limit: 0 }, context);
          return row.noMatch;
        }
        if (row.notFound !== undefined && error instanceof UpstreamError && error.code === Code.NotFound)
          return row.notFound;
        throw error;
      }
    };
  }

  /**
   * Resolves when the watch is in place. Ends with MissedError at a gap: a subscriber must not miss a value without knowing.
   */
  stream(row: FieldRow, method: StreamMethod): RunStream {
    const shape = this.shapers.of(methodOf(row.rpc).output);
    const { each } = row;
    if (each === undefined) throw new Error(`The row ${row.name} is a stream and needs \`each\`.`);
    return async (args, context) => {
      const responses = callStream(method, this.#request(row, args), context);
      // The services send a first response, empty or not, as soon as nothing can be missed any more.
      const first = await responses.next();
      return flatten(first, responses, (response) => {
        if (response.missed === true) throw new MissedError(row.name);
        return each(shape(response), args);
      });
    };
  }

  #lookUp({ name, args: argsOf, result }: LookUp, methodFor: (rpc: string) => UnaryMethod): RunUnary {
    const run = this.unary(this.row("Query", name), methodFor);
    return async (args, context) => result(await run(argsOf(args), context));
  }

  #request(row: FieldRow, args: Shaped): Raw {
    const desc = row.message === undefined ? methodOf(row.rpc).input : messageOf(row.message);
    const message = toMessage(desc, args, this.facade.naming, this.#decoder);
    return row.request === undefined ? message : row.request(message);
  }
}

/**
 * The values of responses, one by one. No generator: its `return` would wait for a pull under way, and on a quiet stream that is
 * for ever.
 */
function flatten(
  first: IteratorResult<Raw>,
  responses: AsyncIterableIterator<Raw>,
  valuesOf: (response: Raw) => readonly unknown[],
): AsyncIterableIterator<unknown> {
  let pulled: IteratorResult<Raw> | undefined = first;
  let values: readonly unknown[] = [];
  let at = 0;
  return {
    async next() {
      while (at >= values.length) {
        const { done, value } = pulled ?? (await responses.next());
        pulled = undefined;
        if (done) return { done: true, value: undefined };
        try {
          values = valuesOf(value);
        } catch (error) {
          await responses.return?.();
          throw error;
        }
        at = 0;
      }
      return { done: false, value: values[at++] };
    },
    async return() {
      await responses.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
