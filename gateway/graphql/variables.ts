/** Refuses variables that no operation declares: a misspelled one would leave its argument out, and the filter with it. */
import type { GatewayPlugin } from "@graphql-hive/gateway-runtime";
import { type DocumentNode, GraphQLError, Kind } from "graphql";
import { didYouMean } from "../../server/lib/suggest.ts";

interface Execution {
  readonly args: { readonly document: DocumentNode; readonly variableValues?: unknown };
  setResultAndStopExecution(result: { errors: readonly GraphQLError[] }): void;
}

export function declaredVariables(): GatewayPlugin {
  const check = ({ args, setResultAndStopExecution }: Execution) => {
    const errors = undeclared(args.document, args.variableValues);
    if (errors.length > 0) setResultAndStopExecution({ errors });
  };
  return { onExecute: (payload) => check(payload as Execution), onSubscribe: (payload) => check(payload as Execution) };
}

/** Variables of any operation of the document are taken: clients send one set for all. */
function undeclared(document: DocumentNode, values: unknown): GraphQLError[] {
  if (typeof values !== "object" || values === null) return [];
  const declared = document.definitions.flatMap((definition) =>
    definition.kind === Kind.OPERATION_DEFINITION
      ? (definition.variableDefinitions ?? []).map(({ variable }) => variable.name.value)
      : [],
  );
  return Object.keys(values)
    .filter((name) => !declared.includes(name))
    .slice(0, MAX_TOLD)
    .map((name) => {
      const message = `The variable ${JSON.stringify(name.slice(0, 60))} is declared by no operation${didYouMean(name, declared)}`;
      return new GraphQLError(message, { extensions: { code: "BAD_USER_INPUT", http: { status: 400 } } });
    });
}

/** A request may hold thousands; the first ones are enough. */
const MAX_TOLD = 10;
