/** Reads documents: bounds on them, Int variables for SafeInt arguments, and a bounded memory of those that were valid. */
import type { GatewayPlugin } from "@graphql-hive/gateway-runtime";
import { type DocumentNode, GraphQLError, type GraphQLSchema, type ParseOptions, parse } from "graphql";
import { conditionalSubscription } from "./conditional.ts";
import { withSafeIntVariables } from "./integers.ts";
import { KeptByText } from "./kept.ts";
import { finiteNumbersRule, limitsError, MAX_CHARACTERS, MAX_TOKENS } from "./limits.ts";

/**
 * Text of the documents that are remembered, in bytes: a program sends the same few all the time. A parsed document takes up to 75 times
 * its text, so that all together take some 30 MB at the most.
 */
const MAX_KEPT_BYTES = 400_000;
/** Of one: a parsed one of this length takes some 300 kB. */
const MAX_KEPT_CHARACTERS = 4_000;

/** Documents that were read and are valid, by their texts. */
export type KeptDocuments = KeptByText<DocumentNode>;

export function keptDocuments(): KeptDocuments {
  return new KeptByText(MAX_KEPT_BYTES);
}

export function documents(kept: KeptDocuments): GatewayPlugin {
  let schema: GraphQLSchema | undefined;
  const valid = new WeakSet<DocumentNode>();

  const keep = (text: string, document: DocumentNode): void => {
    valid.add(document);
    if (text.length <= MAX_KEPT_CHARACTERS) kept.set(text, document);
  };
  const read = (text: string, options?: ParseOptions): DocumentNode => {
    const document = parseWithin(text, options);
    const refusal = conditionalSubscription(document);
    if (refusal !== undefined) throw refusal;
    return schema === undefined ? document : withSafeIntVariables(schema, document);
  };
  return {
    onPluginInit({ plugins }) {
      // Any plugin may be in the list, of which the types know only what this one is made of.
      withoutYogasCache(plugins as object[]);
    },
    onSchemaChange: (change) => {
      schema = change.schema;
      kept.clear();
    },
    onParse({ params, setParseFn, setParsedDocument }) {
      const document = kept.get(params.source.toString());
      if (document !== undefined) setParsedDocument(document);
      else setParseFn(read);
    },
    onValidate({ params, addValidationRule, setResult }) {
      const document = params.documentAST as DocumentNode;
      if (valid.has(document)) return setResult([]);
      addValidationRule(finiteNumbersRule);
      const text = document.loc?.source.body;
      return ({ valid: isValid }) => {
        if (isValid && text !== undefined) keep(text, document);
      };
    },
  };
}

/** @throws GraphQLError where the text is too long, is no document, or asks for too much */
export function parseWithin(text: string, options?: ParseOptions): DocumentNode {
  if (text.length > MAX_CHARACTERS) {
    const message = `The document has ${text.length} characters; at most ${MAX_CHARACTERS} are allowed. Give values as variables.`;
    throw new GraphQLError(message, { extensions: { code: "OPERATION_TOO_LARGE" } });
  }
  const document = parse(text, { ...options, maxTokens: MAX_TOKENS });
  const error = limitsError(document);
  if (error !== undefined) throw error;
  return document;
}

/**
 * Takes Yoga's own cache out of the list: it keeps the last thousand documents of anybody, however large, and the errors of those that are none,
 * for an hour. Mesh has no setting for it.
 */
function withoutYogasCache(plugins: object[]): void {
  const isCache = (plugin: object) => Object.keys(plugin).sort().join() === "onParse,onValidate";
  const found = plugins.filter(isCache);
  if (found.length !== 1)
    throw new Error(`graphql-yoga has ${found.length} plugins that look like its document cache, not one.`);
  plugins.splice(plugins.indexOf(found[0]!), 1);
}
