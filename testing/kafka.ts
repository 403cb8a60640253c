import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hold } from "./held.ts";
import { end, freePort, untilLine } from "./processes.ts";

export interface TestBroker {
  readonly id: number;
  readonly port: number;
  readonly pid: number;
  start(): Promise<void>;
  shutdown(): Promise<void>;
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
}

export interface TestKafka {
  /** Addresses as clients name them: `advertised`, where given, else the brokers' own. */
  readonly brokers: readonly string[];
  readonly nodes: readonly TestBroker[];
  /** Ends all brokers and removes their data. */
  stop(): Promise<void>;
}

/** Programs that a broker needs. */
export const kafkaNeeds = ["java", "mvn"];

/**
 * Real brokers on free ports with data in a temporary folder. The first is the controller too. `advertise` names the port that
 * a broker tells its clients (a proxy in front of it).
 */
export async function startKafka(count = 1, advertise = async (port: number) => port): Promise<TestKafka> {
  const script = join(import.meta.dirname, "../scripts/kafka-up.sh");
  const jars = execFileSync(script, ["--jars"], { encoding: "utf8" }).trim();
  const folder = mkdtempSync(join(tmpdir(), "telltale-kafka-"));
  const controller = await freePort();
  const nodes: TestBroker[] = [];
  const brokers: string[] = [];
  const stop = hold({ folder }, async () => {
    for (const node of [...nodes].reverse()) await node.kill(); // nothing of it is kept
    rmSync(folder, { recursive: true, force: true });
  });
  for (let id = 1; id <= count; id++) {
    const port = await freePort();
    const advertised = await advertise(port);
    brokers.push(`127.0.0.1:${advertised}`);
    nodes.push(broker(jars, join(folder, `node-${id}`), { id, port, advertised, controller, count }));
  }
  for (const node of nodes) await node.start();
  return { brokers, nodes, stop };
}

interface Place {
  readonly id: number;
  readonly port: number;
  readonly advertised: number;
  readonly controller: number;
  readonly count: number;
}

function broker(jars: string, folder: string, place: Place): TestBroker {
  mkdirSync(folder);
  const config = join(folder, "server.properties");
  writeFileSync(config, properties(folder, place));
  const java = (...args: string[]) => ["-Xms64m", "-Xmx320m", "-XX:+UseSerialGC", "-cp", `${jars}/*`, ...args];
  execFileSync("java", java("kafka.tools.StorageTool", "format", "-t", "AAAAAAAAQACAAAAAAAAAAQ", "-c", config), {
    stdio: "pipe",
  });
  let child: ChildProcess | undefined;
  return {
    id: place.id,
    port: place.port,
    get pid() {
      return child!.pid!;
    },
    start: async () => {
      child = spawn("java", java("kafka.Kafka", config), {
        cwd: folder,
        stdio: ["ignore", "pipe", "pipe"],
      });
      await untilLine(child, /Kafka Server started/, 120_000); // an open port alone is too early
    },
    shutdown: async () => await end(child!, "SIGTERM"),
    kill: async () => {
      if (child !== undefined) await end(child, "SIGKILL");
    },
    pause: () => child!.kill("SIGSTOP"),
    resume: () => child!.kill("SIGCONT"),
  };
}

function properties(folder: string, { id, port, advertised, controller, count }: Place): string {
  const isController = id === 1;
  const own = `PLAINTEXT://127.0.0.1:${port}`;
  const settings: Record<string, string | number> = {
    "process.roles": isController ? "broker,controller" : "broker",
    "node.id": id,
    "controller.quorum.voters": `1@127.0.0.1:${controller}`,
    listeners: isController ? `${own},CONTROLLER://127.0.0.1:${controller}` : own,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${advertised}`,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": join(folder, "data"),
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": count,
    "offsets.topic.num.partitions": 2,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    // The controller believes so long that a killed broker lives, and lets it start again only then; 9 s by default.
    "broker.session.timeout.ms": 3_000,
    "broker.heartbeat.interval.ms": 500,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
