/** A session on an Apache Spark server by Spark Connect: its own gRPC contract, results in Arrow. */
import { randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type Table, tableFromIPC } from "apache-arrow";
import {
  ExecutePlanRequestSchema,
  type ExecutePlanResponse,
  type ExecutePlanResponse_ExecutionProgress,
  type PlanSchema,
  SparkConnectService,
} from "../../gen/es/spark/connect/base_pb.ts";
import { WriteOperation_SaveMode } from "../../gen/es/spark/connect/commands_pb.ts";
import type { RelationSchema } from "../../gen/es/spark/connect/relations_pb.ts";
import { StartupError, TelltaleError } from "../errors.ts";

/** Spark cuts results into batches of about 4 MiB; a single row may be larger. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
/** A stream that breaks is taken up again where it was left, so often in a row. */
const MOST_REATTACHES = 5;

export interface SparkAddress {
  readonly baseUrl: string;
  readonly token: string | undefined;
  readonly userId: string;
}

/** Reads `sc://host:port/;token=…;use_ssl=true;user_id=…`. Throws StartupError with what is wrong. */
export function parseRemote(remote: string): SparkAddress {
  const match = /^sc:\/\/([^/;:]+|\[[^\]]+\])(?::(\d{1,5}))?(?:\/(?:;(.*))?)?$/.exec(remote);
  if (match === null) {
    throw new StartupError(`SPARK_REMOTE is "${remote}"; wanted sc://host:port, perhaps with /;token=…;use_ssl=true`);
  }
  const [, host, port = "15002", rest = ""] = match;
  const parameters = new Map<string, string>();
  for (const part of rest.split(";").filter(Boolean)) {
    const [name, value] = part.split("=", 2) as [string, string | undefined];
    if (value === undefined || !["token", "use_ssl", "user_id"].includes(name)) {
      throw new StartupError(`SPARK_REMOTE has "${part}"; wanted token=…, use_ssl=true or user_id=…`);
    }
    parameters.set(name, decodeURIComponent(value));
  }
  const token = parameters.get("token");
  // A token is never sent in the clear, as Spark's own clients have it.
  const secure = parameters.get("use_ssl") === "true" || token !== undefined;
  return {
    baseUrl: `${secure ? "https" : "http"}://${host}:${port}`,
    token,
    userId: parameters.get("user_id") ?? "telltale",
  };
}

export type Relation = MessageInitShape<typeof RelationSchema>;
type Plan = MessageInitShape<typeof PlanSchema>;

/** Tasks of what is being executed. */
export interface SparkProgress {
  readonly done: number;
  readonly of: number;
}

export class SparkSession {
  readonly #client: Client<typeof SparkConnectService>;
  readonly #address: SparkAddress;
  readonly #sessionId = randomUUID();

  constructor(remote: string) {
    this.#address = parseRemote(remote);
    const { baseUrl, token } = this.#address;
    const authorize: Interceptor = (next) => (request) => {
      request.header.set("authorization", `Bearer ${token}`);
      return next(request);
    };
    const interceptors = token === undefined ? [] : [authorize];
    const transport = createGrpcTransport({ baseUrl, interceptors, readMaxBytes: MAX_MESSAGE_BYTES });
    this.#client = createClient(SparkConnectService, transport);
  }

  /** Spark's version. Rejects with TelltaleError "unavailable" where nothing answers. */
  async version(): Promise<string> {
    const { userId } = this.#address;
    const answer = await this.#client
      .analyzePlan({
        sessionId: this.#sessionId,
        userContext: { userId },
        analyze: { case: "sparkVersion", value: {} },
      })
      .catch((error: unknown) => {
        throw this.#toError(error);
      });
    return answer.result.case === "sparkVersion" ? answer.result.value.version : "";
  }

  /** Sets options of this session. */
  async configure(options: Readonly<Record<string, string>>): Promise<void> {
    const { userId } = this.#address;
    const pairs = Object.entries(options).map(([key, value]) => ({ key, value }));
    const operation = { opType: { case: "set", value: { pairs } } } as const;
    await this.#client
      .config({ sessionId: this.#sessionId, userContext: { userId }, operation })
      .catch((error: unknown) => {
        throw this.#toError(error);
      });
  }

  /** Rows of a relation, as they come. */
  async *rows(
    relation: Relation,
    onProgress?: (progress: SparkProgress) => void,
  ): AsyncGenerator<Record<string, unknown>> {
    for await (const { responseType } of this.#execute({ opType: { case: "root", value: relation } })) {
      if (responseType.case === "executionProgress") onProgress?.(progressOf(responseType.value));
      if (responseType.case !== "arrowBatch") continue;
      const table: Table = tableFromIPC(responseType.value.data);
      for (const row of table) yield row.toJSON();
    }
  }

  /** Gives a relation a name for SQL of this session. */
  async createView(name: string, input: Relation): Promise<void> {
    const value = { name, input, replace: true };
    await this.#command({ commandType: { case: "createDataframeView", value } });
  }

  /** Appends a relation's rows to a table. `options`: of the source, for JDBC see Spark's data source options. */
  async append(
    input: Relation,
    source: string,
    options: Record<string, string>,
    onProgress?: (progress: SparkProgress) => void,
  ): Promise<void> {
    const value = { input, source, options, mode: WriteOperation_SaveMode.APPEND };
    await this.#command({ commandType: { case: "writeOperation", value } }, onProgress);
  }

  /** Ends the session and what it is executing. */
  async close(): Promise<void> {
    const { userId } = this.#address;
    await this.#client
      .releaseSession({ sessionId: this.#sessionId, userContext: { userId } })
      .catch((error: unknown) => {
        // A server that is gone has let the session go.
        if (ConnectError.from(error).code !== Code.Unavailable) throw this.#toError(error);
      });
  }

  async #command(
    command: NonNullable<Extract<NonNullable<Plan["opType"]>, { case: "command" }>["value"]>,
    onProgress?: (progress: SparkProgress) => void,
  ): Promise<void> {
    for await (const { responseType } of this.#execute({ opType: { case: "command", value: command } })) {
      if (responseType.case === "executionProgress") onProgress?.(progressOf(responseType.value));
    }
  }

  /** Executes a plan; a stream that breaks is taken up again behind the last response heard. */
  async *#execute(plan: Plan): AsyncGenerator<ExecutePlanResponse> {
    const { userId } = this.#address;
    const head = { sessionId: this.#sessionId, userContext: { userId }, operationId: randomUUID() };
    const reattachable = { requestOption: { case: "reattachOptions", value: { reattachable: true } } } as const;
    let stream = this.#client.executePlan(
      create(ExecutePlanRequestSchema, { ...head, plan, requestOptions: [reattachable] }),
    );
    let last: string | undefined;
    for (let failures = 0; ; ) {
      try {
        for await (const response of stream) {
          last = response.responseId;
          failures = 0;
          if (response.responseType.case === "resultComplete") {
            await this.#client.releaseExecute({ ...head, release: { case: "releaseAll", value: {} } });
            return;
          }
          yield response;
        }
      } catch (error) {
        if (ConnectError.from(error).code !== Code.Unavailable || last === undefined) throw this.#toError(error);
        if (++failures > MOST_REATTACHES) throw this.#toError(error);
      }
      // The server ends a stream now and then without completing it, and wants to be asked for the rest.
      stream = this.#client.reattachExecute({ ...head, ...(last === undefined ? {} : { lastResponseId: last }) });
    }
  }

  #toError(cause: unknown): TelltaleError {
    const error = ConnectError.from(cause);
    if (error.code === Code.Unavailable) {
      return new TelltaleError(
        "unavailable",
        `Spark at ${this.#address.baseUrl} does not answer: ${error.rawMessage}`,
        {
          cause,
        },
      );
    }
    return new TelltaleError("internal", `Spark could not do it: ${error.rawMessage}`, { cause });
  }
}

function progressOf({ stages }: ExecutePlanResponse_ExecutionProgress): SparkProgress {
  let done = 0;
  let of = 0;
  for (const stage of stages) {
    done += Number(stage.numCompletedTasks);
    of += Number(stage.numTasks);
  }
  return { done, of };
}
