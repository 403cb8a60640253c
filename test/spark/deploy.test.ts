import { readFileSync } from "node:fs";
import { join } from "node:path";
import { validate } from "dockerfile-utils";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";

const root = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const entrypoint = read("deploy/spark/entrypoint.sh");
const commands = [...entrypoint.matchAll(/^ {2}(\w+)\)$/gm)].map(([, name]) => name);

describe("Spark's deployment", () => {
  test("has a Dockerfile with nothing that the linter would complain of, ending as a user that is not root", () => {
    const text = read("deploy/spark/Dockerfile");
    expect(validate(text)).toEqual([]);
    expect(/^USER (\S+)$/gm.exec(text.slice(text.lastIndexOf("\nUSER")))?.[1]).toBe("1000:1000");
  });

  test("starts in compose and Kubernetes only what the image knows, with the job's settings", () => {
    expect(commands).toEqual(["master", "worker", "connect", "windows"]);
    const { services } = parse(read("compose.yaml"), { merge: true });
    const started = [services.spark.command, services.windows.command];
    const jobs = [services.windows.environment];
    for (const file of ["cluster", "connect", "windows"]) {
      for (const document of parseAllDocuments(read(`deploy/k8s/components/spark/${file}.yaml`))) {
        const { kind, spec } = document.toJS();
        if (kind === "Service") continue;
        const [container] = spec.template.spec.containers;
        started.push(container.args);
        const pairs = container.env.map((each: { name: string; value?: string }) => [
          each.name,
          each.value ?? "secret",
        ]);
        if (container.args[0] === "windows") jobs.push(Object.fromEntries(pairs));
      }
    }
    for (const [command] of started) expect(commands).toContain(command);
    expect(started.flat().sort()).toEqual(["connect", "connect", "master", "windows", "windows", "worker"]);
    const needed = [...read("deploy/spark/telltale_spark/settings.py").matchAll(/needed\(env, "(\w+)"/g)].map(
      ([, name]) => name!,
    );
    expect(needed.length).toBe(3);
    for (const job of jobs) for (const name of needed) expect(job[name], name).toBeTruthy();
  });

  test("keeps what a client may send to Spark's endpoint behind a policy, and shows it to this machine alone", () => {
    const { services } = parse(read("compose.yaml"), { merge: true });
    expect(services.spark.ports).toEqual(["127.0.0.1:15002:15002"]);
    const policies = parseAllDocuments(read("deploy/k8s/components/spark/network.yaml")).map((each) => each.toJS());
    const listeners = policies.filter(
      ({ spec }) => spec.podSelector.matchLabels?.["app.kubernetes.io/component"] === "spark-connect",
    );
    expect(listeners.length).toBe(1);
    expect(listeners[0].spec.ingress[0].ports).toEqual([{ protocol: "TCP", port: 15002 }]);
  });
});
