/**
 * Honest clients beside attackers: `npm run bench:attacks [-- PART OF A NAME]`. Each attack runs between two quiet spells of the same run, and what is
 * printed is the honest clients' p99 during it, and its ratio to the p99 of both quiet spells together. Attackers are processes of
 * their own at a lower priority: what they cost is the server's answer to them, not their own work.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { IngestService } from "../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../gen/es/telltale/v1/query_pb.ts";
import { hold } from "../testing/held.ts";
import { type Platform, startPlatform } from "../testing/platform.ts";
import { end } from "../testing/processes.ts";
import { runScript, ScriptError } from "../testing/script.ts";
import { attacks } from "./attackers.ts";

/** Of each honest client; it asks whether or not the answer before has come. */
const CALLS_PER_SECOND = 50;
const SPELL_MS = 6_000;
/** An attack is under way by then, and over by then. */
const SETTLE_MS = 1_000;
const READINGS = 20;

type Call = () => Promise<unknown>;
type Times = Record<string, number[]>;

const asked = process.argv[2] ?? "";
await runScript({ name: "npm run bench:attacks", needs: [] }, async () => {
  const names = Object.keys(attacks).filter((each) => each.includes(asked));
  if (names.length === 0)
    throw new ScriptError(`no attack is named like "${asked}"; there are ${Object.keys(attacks).join(", ")}`);
  const platform = await startPlatform({ AUTH: "on", LOG_LEVEL: "FATAL" });
  for (const row of await compare(platform, names)) console.log(`| ${row.join(" | ")} |`);
  return 0;
});

/** A row of figures for each attack, below a row of names. */
async function compare({ dataDir, grpc, http }: Platform, names: readonly string[]): Promise<string[][]> {
  const token = (await readFile(join(dataDir, "admin-token"), "utf8")).trim();
  const clients = honest(grpc, http, token);
  for (const call of Object.values(clients)) await call();
  await spell(clients); // compiles what is hot
  const rows = [["attack", ...Object.keys(clients).flatMap((name) => [`${name}, ms`, "ratio"]), "tries"]];
  let before = await spell(clients);
  for (const name of names) {
    const attacker = attack(name, grpc, http);
    await delay(SETTLE_MS);
    const during = await spell(clients);
    const tries = await stop(attacker);
    await delay(SETTLE_MS);
    const after = await spell(clients);
    const figures = Object.keys(clients).flatMap((client) => {
      const quiet = p99([...before[client]!, ...after[client]!]);
      const loud = p99(during[client]!);
      return [`${loud.toFixed(1)} (quiet ${quiet.toFixed(1)})`, (loud / quiet).toFixed(2)];
    });
    rows.push([name, ...figures, tries]);
    before = after;
  }
  return rows;
}

/** Who should not feel the attack: a question and a few readings by gRPC, and a question by REST. */
function honest(grpc: string, http: string, token: string): Record<string, Call> {
  const authorization = `Bearer ${token}`;
  const transport: Transport = createGrpcTransport({
    baseUrl: grpc,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", authorization);
        return next(request);
      },
    ],
  });
  const query = createClient(QueryService, transport);
  const ingest = createClient(IngestService, transport);
  let at = 0;
  const submit = () => {
    const readings = Array.from({ length: READINGS }, (_, i) => ({
      sensorId: `honest-${i}`,
      sensorType: "t",
      unit: "u",
      value: 20 + (at++ % 7) / 10,
    }));
    return ingest.submitReadings({ readings });
  };
  return {
    "submit by gRPC": submit,
    "latest by gRPC": () => query.getLatestReading({ sensorId: "honest-1" }),
    "latest by REST": async () => {
      const answer = await fetch(`${http}/api/v1/sensors/data/honest-1/latest`, { headers: { authorization } });
      await answer.text();
      if (answer.status !== 200) throw new Error(`REST answered ${answer.status}`);
    },
  };
}

/** All clients for a while; milliseconds from when each call was due to its answer. */
async function spell(clients: Readonly<Record<string, Call>>): Promise<Times> {
  const times: Times = {};
  await Promise.all(
    Object.entries(clients).map(async ([name, call], i) => {
      times[name] = await openLoop(call, (i * 1_000) / CALLS_PER_SECOND / 3);
    }),
  );
  return times;
}

async function openLoop(call: Call, offsetMs: number): Promise<number[]> {
  const began = performance.now() + offsetMs;
  const calls: Promise<number>[] = [];
  for (let i = 0; i < (SPELL_MS / 1_000) * CALLS_PER_SECOND; i++) {
    const due = began + (i * 1_000) / CALLS_PER_SECOND;
    await delay(Math.max(0, due - performance.now()));
    const answered = call().then(() => performance.now() - due);
    answered.catch(() => undefined); // a failure is told when all are awaited
    calls.push(answered);
  }
  return Promise.all(calls);
}

function attack(name: string, grpc: string, http: string): ChildProcess {
  const script = join(import.meta.dirname, "attackers.ts");
  const child = spawn(process.execPath, [script, name, grpc, http], { stdio: ["ignore", "pipe", "inherit"] });
  hold({ pid: child.pid! }, () => end(child));
  setPriority(child.pid!, constants.priority.PRIORITY_LOW);
  return child;
}

/** Ends it; says how often it tried. */
async function stop(child: ChildProcess): Promise<string> {
  const said: Buffer[] = [];
  child.stdout!.on("data", (part: Buffer) => said.push(part));
  const ended = once(child, "close");
  child.kill();
  await ended;
  return Buffer.concat(said).toString().trim().split(" ")[0] ?? "";
}

function p99(times: number[]): number {
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)]!;
}
