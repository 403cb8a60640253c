/** Apache Spark as a user installs it: from PyPI, with its connectors from Maven Central, kept for later runs. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { hold } from "../../testing/held.ts";
import { jarsOf } from "../../testing/maven.ts";
import { freePort } from "../../testing/processes.ts";
import { missing } from "../../testing/programs.ts";
import { pythonWith, requirements } from "../../testing/python.ts";

const root = join(import.meta.dirname, "../..");
const folder = join(root, "deploy/spark");

/** Programs that Spark and the broker beside it need. */
export const sparkNeeds = ["java", "mvn", "python3"];

export interface SparkTools {
  /** Folder of Python's and Spark's programs. */
  readonly bin: string;
  /** Files of the connectors. */
  readonly jars: readonly string[];
}

export async function sparkTools(): Promise<SparkTools> {
  const [bin, jars] = await Promise.all([pythonFrom("requirements.txt"), jarsOf(join(folder, "pom.xml"), "spark")]);
  return { bin, jars };
}

/** Folder of the programs of a Python that has what the file lists. */
export async function pythonFrom(list: "requirements.txt" | "requirements-dev.txt"): Promise<string> {
  return pythonWith(await requirements(join(folder, list)));
}

export interface SparkProcess {
  readonly process: ChildProcess;
  /** What it has said, newest last. */
  readonly lines: readonly string[];
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** Resolves with the first line that matches, also one of before. */
  line(pattern: RegExp): Promise<string>;
  /** kill -9, the JVM and Python's workers as well. */
  kill(): Promise<void>;
}

/** spark-submit with a driver of at most a gigabyte, in a process group of its own. */
export function submit(tools: SparkTools, args: readonly string[], env: NodeJS.ProcessEnv = {}): SparkProcess {
  const python = join(tools.bin, "python3");
  // A run of seconds ends before the second compiler pays, and Spark's classes need no proof; TELLTALE_SPARK_FULL and measurements run as
  // in production.
  const unproved = "-XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote";
  const quickly = env.JVM_SHORT_RUN === "1" ? `-XX:TieredStopAtLevel=1 ${unproved}` : "";
  const options = ["--driver-memory", "1g", "--jars", tools.jars.join(","), "--conf", "spark.ui.enabled=false"];
  const log = `-Dlog4j2.configurationFile=${join(import.meta.dirname, "log4j2.properties")}`;
  const child = spawn(
    join(tools.bin, "spark-submit"),
    [
      ...options,
      "--driver-java-options",
      `-XX:+UseSerialGC ${quickly} ${log}`,
      "--conf",
      "spark.sql.shuffle.partitions=2",
      ...args,
    ],
    {
      env: {
        ...process.env,
        PATH: `${tools.bin}:${process.env.PATH}`,
        PYTHONPATH: `${folder}:${join(folder, "gen")}`,
        PYSPARK_PYTHON: python,
        PYSPARK_DRIVER_PYTHON: python,
        SPARK_LOCAL_IP: "127.0.0.1",
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    },
  );
  const kill = hold(child.pid === undefined ? {} : { pid: child.pid }, async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, "SIGKILL");
    await ended;
  });
  const lines: string[] = [];
  const waiting = new Set<(line: string | undefined) => void>();
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      for (const each of waiting) each(line);
    });
  }
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once("close", (code, signal) => {
      for (const each of waiting) each(undefined);
      resolve(code ?? signal);
    });
  });
  return {
    process: child,
    lines,
    ended,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const known = lines.find((line) => pattern.test(line));
        if (known !== undefined) return resolve(known);
        if (child.exitCode !== null) return reject(new Error(`Spark has ended:\n${lines.slice(-40).join("\n")}`));
        const look = (line: string | undefined) => {
          if (line !== undefined && !pattern.test(line)) return;
          waiting.delete(look);
          if (line === undefined) reject(new Error(`Spark ended before ${pattern}:\n${lines.slice(-40).join("\n")}`));
          else resolve(line);
        };
        waiting.add(look);
      }),
    kill,
  };
}

export interface SparkServer {
  readonly process: SparkProcess;
  /** As SPARK_REMOTE. */
  readonly remote: string;
}

/** Spark Connect on a free port; `cores` executor cores. */
export async function startSparkServer(tools: SparkTools, env: NodeJS.ProcessEnv, cores = 2): Promise<SparkServer> {
  const port = await freePort();
  const binding = ["address=127.0.0.1", `port=${port}`].flatMap((each) => [
    "--conf",
    `spark.connect.grpc.binding.${each}`,
  ]);
  const server = "org.apache.spark.sql.connect.service.SparkConnectServer";
  const process = submit(tools, ["--master", `local[${cores}]`, ...binding, "--class", server, "spark-internal"], env);
  await process.line(/Spark Connect server started/);
  return { process, remote: `sc://127.0.0.1:${port}` };
}

// Alone, it only fetches what is needed, so that no test waits for it.
if (import.meta.main) {
  const lacks = missing([...sparkNeeds, "flock"]);
  if (lacks !== undefined) {
    console.error(`Spark cannot be fetched: ${lacks}.`);
    process.exit(1);
  }
  await Promise.all([sparkTools(), pythonFrom("requirements-dev.txt")]);
}
