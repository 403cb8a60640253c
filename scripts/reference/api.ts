import { readdirSync } from "node:fs";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { httpProtocols } from "../../server/ingest/protocols/http.ts";
import { enumName } from "../../server/lib/enum-name.ts";
import { type Rule, rules } from "../../server/security/rules.ts";
import { code, page, paragraph, sentence, table } from "./markdown.ts";
import { protoComments } from "./proto.ts";

/** The calls of the gRPC services, with what a caller needs for each. */
export function apiPage(): string {
  const comments = new Map(
    readdirSync("proto/telltale/v1")
      .filter((file) => file.endsWith(".proto"))
      .flatMap((file) => [...protoComments(file)]),
  );
  const byService = Map.groupBy(Object.entries(rules), ([name]) => name.slice(0, name.indexOf("/")));
  const sections = [...byService].flatMap(([service, methods]) => {
    const short = service.slice(service.lastIndexOf(".") + 1);
    const rows = methods.map(([name, rule]) => {
      const method = name.slice(name.indexOf("/") + 1);
      return [code(method), scopeOf(rule), first(comments.get(`${short}.${method}`) ?? STANDARD[service] ?? "")];
    });
    return [`## ${service}`, ...intro(comments.get(short)), table(["Method", "Scope", "What it does"], rows)];
  });
  const text = paragraph(
    `The contracts are in \`proto/telltale/v1\`; gRPC, gRPC-Web and Connect answer on one port, and server reflection tells clients of
    them. GraphQL and REST are composed from the same contracts. *Scope* is what the caller's token needs with \`AUTH=on\`; "(all sensors)"
    refuses tokens that are limited to a prefix of sensor ids.`,
  );
  return page("API", "`proto/`, the table of rules and the ingest protocols", text, ...sections, ...ingestSection());
}

/** What answers over plain HTTP, on both ports, beside REST and GraphQL. */
function ingestSection(): string[] {
  const rows = httpProtocols().map(({ method, path, document: { summary, body, answers } }) => [
    code(`${method} ${path}`),
    sentence(summary),
    (body?.types ?? []).map(code).join(", "),
    (body?.encodings ?? []).map(code).join(", "),
    Object.keys(answers).map(code).join(", "),
  ]);
  const text = paragraph(
    `Readings by the protocols of others and as files, on the HTTP port and the services' own. The scope is \`ingest\`. Parameters, answers and
    credentials of each are in \`/openapi-ingest.json\`.`,
  );
  const heads = ["Path", "What it takes", "Content types", "Content encodings", "Answers beside refusals"];
  return ["## Ingest over HTTP", text, table(heads, rows)];
}

const STANDARD: Readonly<Record<string, string>> = {
  "grpc.health.v1.Health": "The standard health protocol",
  "grpc.reflection.v1.ServerReflection": "The standard reflection protocol",
  "grpc.reflection.v1alpha.ServerReflection": "The standard reflection protocol, former version",
};

function intro(comment: string | undefined): string[] {
  return comment === undefined ? [] : [paragraph(comment)];
}

/** The first sentence, or all of it where there is no second one. */
function first(comment: string): string {
  const text = comment.replace(/\s+/g, " ");
  return sentence(/^.*?[.](?= [A-Z])/.exec(text)?.[0] ?? text);
}

function scopeOf(rule: Rule): string {
  if (rule === "public") return "none";
  if (rule === "known") return "any valid token";
  if (rule === "link") return "none: a signed link in the request";
  const scope = typeof rule === "object" ? rule.scope : rule;
  return `${code(enumName(Scope, scope))}${typeof rule === "object" ? " (all sensors)" : ""}`;
}
