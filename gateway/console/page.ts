/**
 * The page of the console, as an address below /ui/ is asked for: with links to the files of what it shows, and with the answers of its first
 * calls. So a browser asks for all files at once, and has not to ask anything before it shows something.
 */
import type { IncomingMessage } from "node:http";
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  FIRST_ALERTS,
  FIRST_ANSWERS,
  type FirstAnswer,
  type FirstAnswers,
  GET_CALLER,
} from "../../formats/console-page.ts";
import { type Page, pageOf } from "../../formats/console-routes.ts";
import { AdminService, GetCallerResponseSchema } from "../../gen/es/telltale/v1/admin_pb.ts";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import type { Answer } from "../http.ts";
import { passedOn } from "../mesh/call.ts";
import { consolePage, NOT_BUILT, SECURITY } from "./assets.ts";
import { isNavigation, type Sessions } from "./sessions.ts";

/** The page does not wait longer for its answers: it asks for them itself then. */
const TIMEOUT_MS = 2_000;

export interface ConsolePageOptions {
  readonly grpcUrl: string;
  readonly sessions: Sessions;
}

type Call = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  input: MessageInitShape<I>,
) => Promise<MessageShape<O>>;

export class ConsolePage {
  readonly #sessions: Sessions;
  readonly #transport: Transport;

  constructor({ grpcUrl, sessions }: ConsolePageOptions) {
    this.#sessions = sessions;
    this.#transport = createGrpcTransport({ baseUrl: grpcUrl });
  }

  /** @param address below /ui/, as it stands in the request  @param query of it */
  async answer(request: IncomingMessage, address: string, query: URLSearchParams): Promise<Answer> {
    const built = await consolePage();
    if (built === undefined) return NOT_BUILT;
    const page = pageOf(`/${address}`.replace(/(.)\/+$/, "$1"));
    const links = (built.files[componentOf(page)] ?? []).map(linkTo).join("");
    const first = await this.#firstAnswers(request, page, query);
    return {
      status: 200,
      body: built.html.replace("</title>", `</title>${links}${first === undefined ? "" : elementOf(first)}`),
      headers: {
        "content-type": "text/html; charset=utf-8",
        // What is answered to one person is kept nowhere.
        "cache-control": first === undefined ? "no-cache" : "no-store",
        ...SECURITY,
      },
    };
  }

  /** Undefined for what no window shows, such as the copy that the service worker keeps, and where the platform says nothing in time. */
  async #firstAnswers(
    { headers }: IncomingMessage,
    page: Page,
    query: URLSearchParams,
  ): Promise<FirstAnswers | undefined> {
    if (!isNavigation(headers)) return undefined;
    const session = this.#sessions.credentialOfPage(headers);
    const given = { ...headers, authorization: session?.authorization } as Record<string, string | undefined>;
    const call: Call = async (method, input) =>
      (await this.#transport.unary(method, undefined, TIMEOUT_MS, passedOn(given), input)).message;
    const asked = [callerOf(call), ...ofPage(page, query, call)];
    // What is refused or late the page asks for itself, and shows what is wrong.
    const found = await Promise.all(asked.map((each) => each.catch(() => undefined)));
    const answers = found.filter((each) => each !== undefined);
    if (answers.length === 0) return undefined;
    return session === undefined ? { answers } : { session: session.id, answers };
  }
}

/** What a page asks first, beside who is signed in. */
function ofPage(page: Page, query: URLSearchParams, call: Call): Promise<FirstAnswer>[] {
  if (page.name === "alert") return [answerOf(call, AlertService.method.getAlert, { alertId: page.id })];
  if (page.name === "sensor") return [answerOf(call, RegistryService.method.getSensor, { sensorId: page.id })];
  // Other filters are in the page alone.
  if (page.name === "alerts" && !query.has("show") && !query.has("severity"))
    return [answerOf(call, AlertService.method.listAlerts, FIRST_ALERTS)];
  return [];
}

async function answerOf<I extends DescMessage, O extends DescMessage>(
  call: Call,
  method: DescMethodUnary<I, O>,
  input: MessageInitShape<I>,
): Promise<FirstAnswer> {
  const request = toBinary(method.input, create(method.input, input));
  const answer = toBinary(method.output, await call(method, input));
  const path = `/${method.parent.typeName}/${method.name}`;
  return { path, type: "application/proto", request: base64(request), answer: base64(answer) };
}

/** By JSON, as the page asks it. */
async function callerOf(call: Call): Promise<FirstAnswer> {
  const caller = toJsonString(GetCallerResponseSchema, await call(AdminService.method.getCaller, {}));
  return { path: GET_CALLER, type: "application/json", request: base64("{}"), answer: base64(caller) };
}

function base64(bytes: Uint8Array | string): string {
  return Buffer.from(bytes as Uint8Array).toString("base64");
}

/** There is no "<" in what it has. Such an element is no script: nothing of it runs. */
function elementOf(first: FirstAnswers): string {
  return `<script type="application/json" id="${FIRST_ANSWERS}">${JSON.stringify(first)}</script>`;
}

function linkTo(file: string): string {
  const rel = file.endsWith(".css") ? "stylesheet" : "modulepreload";
  return `<link rel="${rel}" crossorigin href="/ui/${file}">`;
}

/** "new-silence" is shown by NewSilence.svelte. */
function componentOf({ name }: Page): string {
  return name
    .split("-")
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join("");
}
