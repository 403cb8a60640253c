/** Runs rows: arguments become a request, the response becomes what the row promises. Who carries the call is the caller's. */
import { Code } from "@connectrpc/connect";
import { type CallContext, callStream, callUnary, type Ending, type StreamMethod, type UnaryMethod } from "./call.ts";
import { fieldOf, messageOf, methodOf, outsideName } from "./contracts.ts";
import { MissedError, UpstreamError } from "./errors.ts";
import { type Decoder, Shapers, toMessage, UnknownEnumValue } from "./map.ts";
import type { Facade, FieldRow, LookUp, Raw, Shaped } from "./tables.ts";

export type RunUnary = (args: Shaped, context: CallContext) => Promise<unknown>;
/** `declares`: a gap is declared with the value behind it, for the operation asks for `missed`; else by an error that ends it. */
export type RunStream = (
  args: Shaped,
  context: CallContext,
  declares: boolean,
) => Promise<AsyncIterableIterator<unknown>>;

/** The services' word for going on from here; beside it, how many values behind it were given. */
const RESUME_TOKEN = "resume_token";
/** The services' word for what goes on with a list. */
const NEXT_PAGE_TOKEN = "next_page_token";

export class RowRunner {
  readonly facade: Facade;
  readonly shapers: Shapers;
  readonly #decoder: Decoder;
  readonly #ending: Ending;

  /** @param ending ends the streams; absent where there are none */
  constructor(facade: Facade, decoder: Decoder, ending: Ending = new AbortController().signal) {
    this.#ending = ending;
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
    const paged = output.fields.find(({ name }) => name === NEXT_PAGE_TOKEN);
    const nextPage = paged === undefined ? undefined : outsideName(paged, this.facade.naming);
    return async (args, context) => {
      try {
        const response = shape(await callUnary(method, this.#request(row, args), context));
        if (row.result !== undefined) return row.result(response) ?? (await lookUp?.(args, context));
        // Facades leave the token out where existing clients know none.
        const next = nextPage === undefined ? undefined : response[nextPage];
        if (typeof next === "string" && next !== "") context.onNextPage?.(next);
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
   * Resolves when the watch is in place. At a gap the next value says so, or the stream ends with MissedError: a subscriber must
   * not miss a value without knowing.
   */
  stream(row: FieldRow, method: StreamMethod): RunStream {
    const shape = this.shapers.of(methodOf(row.rpc).output);
    const { each } = row;
    if (each === undefined) throw new Error(`The row ${row.name} is a stream and needs \`each\`.`);
    return async (args, context, declares) => {
      const responses = callStream(method, this.#request(row, args), context, this.#ending);
      // The services send a first response, empty or not, as soon as nothing can be missed any more.
      const first = await responses.next();
      const place = new Place();
      return flatten(first, responses, (response) => {
        if (response.missed === true && !declares) throw new MissedError(row.name);
        const values = each(shape(response), args);
        return row.resumes === true ? place.marked(values as Shaped[], response) : values;
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

/** Where a watch has come to, value by value. */
class Place {
  /** Of the last response that had one. */
  #token = "";
  /** Values given since then. */
  #given = 0;
  #missed = false;

  /** The values, each with the token that goes on behind it, and the first one behind a gap with the mark of it. */
  marked(values: readonly Shaped[], response: Raw): readonly Shaped[] {
    this.#missed ||= response.missed === true;
    const token = response[RESUME_TOKEN] as string;
    const marked = values.map((value, index) => {
      this.#given++;
      const last = index === values.length - 1 && token !== "";
      const missed = this.#missed;
      this.#missed = false;
      return { ...value, resumeToken: last ? token : `${this.#token}+${this.#given}`, missed };
    });
    if (token !== "") {
      this.#token = token;
      this.#given = 0;
    }
    return marked;
  }
}

/**
 * The values of responses, one by one. No generator: its `return` would wait for a pull under way, and on a quiet stream that is
 * forever.
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
