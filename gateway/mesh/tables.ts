/**
 * The form of the name tables. A facade (GraphQL, REST) is a list of rows over the contracts' RPCs plus, for each message that
 * outsiders see, how its fields are called there. Everything a table does not say follows from the contract: argument names,
 * types, what may be null, descriptions.
 */

/** A message as it comes off the wire: fields by their name in this facade's case, int64 as number, enums as numbers. */
export type Raw = Record<string, unknown>;

/** A value shaped for outsiders. */
export type Shaped = Record<string, unknown>;

export interface FieldRule {
  /** Field of the message, in proto's snake_case. Absent where `value` computes it. */
  readonly from?: string;
  /** GraphQL type, where the contract's own would not do. */
  readonly type?: string;
  /** Computes the value; `get` reads a field of the message by its proto name. */
  readonly value?: (get: (field: string) => unknown) => unknown;
  /** Looks the value up by another RPC, one call for all rows of an answer. */
  readonly batch?: BatchRule;
  /** What it means, where the contract has no such field. */
  readonly description?: string;
}

export interface BatchRule {
  /** Takes keys, answers with a list. */
  readonly rpc: string;
  /** The message's field whose value is the key. */
  readonly key: string;
  /** The request's field that takes the keys. At most `maxKeys`, the contract's limit, are sent in a call. */
  readonly keys: string;
  readonly maxKeys: number;
  /** The response's field that holds the list, and the outside name of an element's key. */
  readonly list: string;
  readonly by: string;
}

export interface TypeRule {
  /** Name of the type outside. */
  readonly name: string;
  /** By the name outside, in this order. */
  readonly fields: Readonly<Record<string, FieldRule>>;
  /** Whether the message's other fields follow under their own names. */
  readonly others: boolean;
}

/** Another row of the facade, asked instead. */
export interface LookUp {
  /** Its name. */
  readonly name: string;
  readonly args: (args: Shaped) => Shaped;
  readonly result: (result: unknown) => unknown;
}

export interface FieldRow {
  readonly root: "Query" | "Mutation" | "Subscription";
  /** Name of the field outside. */
  readonly name: string;
  /** For example "QueryService.ListReadings". */
  readonly rpc: string;
  /** Field of the response that stands for the whole response. */
  readonly hoist?: string;
  /** Result type, where the hoisted field's own would not do. */
  readonly type?: string;
  /** By argument: its type and default where the contract's would not do, or null to leave it out. */
  readonly args?: Readonly<Record<string, string | null>>;
  /** The message whose fields are the arguments, where it is not the request itself. */
  readonly message?: string;
  /** Makes the request out of the message made from the arguments. */
  readonly request?: (message: Raw) => Raw;
  /** Makes the result out of the shaped response; throws RowRefusal where the response holds a refusal. */
  readonly result?: (response: Shaped) => unknown;
  /** Where `result` finds nothing (undefined): asks for what is there already. */
  readonly otherwise?: LookUp;
  /** For streams: the values in one response. */
  readonly each?: (response: Shaped, args: Shaped) => readonly unknown[];
  /** For watches: the values have `resumeToken` and `missed`. */
  readonly resumes?: boolean;
  /** Answered instead of an error where the service says NOT_FOUND. */
  readonly notFound?: null | false;
  /** Answered where an argument names an enum value that does not exist: a filter that nothing meets. */
  readonly noMatch?: readonly never[];
  /** What it means, where the contract's comment would mislead. */
  readonly description?: string;
}

export interface Facade {
  /** Names of fields and arguments that no table gives. */
  readonly naming: "camel" | "snake";
  readonly rows: readonly FieldRow[];
  /** By full message name. */
  readonly types: Readonly<Record<string, TypeRule>>;
  /** Types in GraphQL's own language that no message has, for rows that name them. */
  readonly extra?: string;
}

/** A call that succeeded and yet stored nothing: the response says why. */
export class RowRefusal extends Error {
  readonly reason: string;
  readonly field: string;
  constructor(reason: string, field: string, message: string) {
    super(message);
    this.name = "RowRefusal";
    this.reason = reason;
    this.field = field;
  }
}
