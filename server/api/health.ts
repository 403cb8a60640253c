import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import {
  Health,
  type HealthCheckRequest,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../gen/es/grpc/health/v1/health_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";

/** What the gRPC health protocol answers: for the process under "", for each service under its name, and for its being alive. */
export interface HealthRegistry {
  /** Of one service, or of all with their process where no name is given. */
  setServing(serving: boolean, service?: string): void;
  /** Of the process as a whole and of what takes readings in: false while it runs but must not be given work. */
  setReady(ready: boolean): void;
  /** Reports NOT_SERVING permanently: nothing resets it. */
  shutdown(): void;
  readonly serving: boolean;
  readonly routes: (router: ConnectRouter) => void;
}

const wholeProcess = "";
/** SERVING as long as the process runs, ready or not: whoever is alive need not be started again. */
const LIVENESS = "liveness";
const INGEST = IngestService.typeName;

export function createHealth(services: readonly DescService[]): HealthRegistry {
  const states = new Map(
    [wholeProcess, LIVENESS, ...services.map((each) => each.typeName)].map((name) => [name, false]),
  );
  const watchers = new Set<() => void>();
  let over = false;

  const setServing = (serving: boolean, service?: string) => {
    if (over) return;
    for (const name of service === undefined ? [...states.keys()] : [service]) states.set(name, serving);
    for (const wake of watchers) wake();
  };
  const status = (name: string) => {
    const serving = states.get(name);
    if (serving === undefined) return undefined;
    return serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  };

  async function* watch({ service }: HealthCheckRequest, { signal }: HandlerContext) {
    let wake = () => {};
    const onChange = () => wake();
    watchers.add(onChange);
    signal.addEventListener("abort", onChange);
    try {
      for (let last: ServingStatus | undefined; ; ) {
        const changed = new Promise<void>((resolve) => {
          wake = resolve;
        });
        // The protocol: a service nobody knows is watched too, it may come later.
        const now = status(service) ?? ServingStatus.SERVICE_UNKNOWN;
        if (now !== last) yield { status: now };
        last = now;
        signal.throwIfAborted();
        await changed;
      }
    } finally {
      watchers.delete(onChange);
      signal.removeEventListener("abort", onChange);
    }
  }

  return {
    setServing,
    setReady(ready) {
      for (const name of [wholeProcess, INGEST]) {
        if (states.has(name) && states.get(name) !== ready) setServing(ready, name);
      }
    },
    shutdown() {
      setServing(false);
      over = true;
    },
    get serving() {
      return states.get(wholeProcess) ?? false;
    },
    routes: (router) =>
      router.service(Health, {
        check({ service }) {
          const now = status(service);
          if (now === undefined) throw new ConnectError(`No service "${service}" here`, Code.NotFound);
          return { status: now };
        },
        list: () => ({
          statuses: Object.fromEntries([...states.keys()].map((name) => [name, { status: status(name) ?? 0 }])),
        }),
        watch,
      }),
  };
}
