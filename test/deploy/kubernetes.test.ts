import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { loadConfig } from "../../server/config.ts";
import { rules } from "../../server/security/rules.ts";
import { describeWith, program } from "../../testing/needs.ts";
import { end, freePort, untilLine } from "../../testing/processes.ts";
import { root } from "./support/image.ts";
import { complaints, haveModels, isForeign } from "./support/operators.ts";

// biome-ignore lint/suspicious/noExplicitAny: manifests of many kinds, whose shape the schemas check
type Manifest = any;

const overlays = ["base", "overlays/development", "overlays/production", "overlays/spark"];
const roles = ["ingest", "score", "query", "notify", "gateway"];

describeWith(["kustomize", "kubernetes-validate"], "the manifests for Kubernetes", () => {
  const folder = mkdtempSync("/tmp/telltale-k8s-");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  // The body of a suite runs even where the suite is skipped.
  const built = new Map(program("kustomize") ? overlays.map((overlay) => [overlay, build(overlay)]) : []);
  const production = built.get("overlays/production") ?? [];
  const find = (kind: string, name: string) => {
    const found = production.find((each) => each.kind === kind && each.metadata.name.startsWith(name));
    expect(found, `${kind} ${name}`).toBeDefined();
    return found;
  };
  const podOf = (role: string) => find("Deployment", role).spec.template.spec;

  test.each(overlays)("%s is what the API of Kubernetes takes, with no field that it does not know", (overlay) => {
    const own = built.get(overlay)!.filter((each) => !isForeign(each));
    const file = join(folder, `${overlay.replace("/", "-")}.yaml`);
    writeFileSync(file, own.map((each) => JSON.stringify(each)).join("\n---\n"));
    expect(own.length).toBeGreaterThan(15);
    execFileSync(program("kubernetes-validate")!, ["--strict", "--no-warn", file], { stdio: "pipe" });
  });

  // Without the models the tools are of an earlier run.
  if (!haveModels)
    console.error("skipped: the operators' definitions are not here; test/deploy/support/install-tools.sh brings them");
  const withModels = haveModels ? test : test.skip;
  withModels.each(overlays)("%s is what the operators of Kafka, PostgreSQL and Prometheus take", async (overlay) => {
    const theirs = built.get(overlay)!.filter(isForeign);
    expect(theirs.map(({ kind }) => kind)).toContain("ServiceMonitor");
    if (overlay !== "base")
      expect(theirs.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["Kafka", "KafkaNodePool", "Cluster"]));
    expect(await complaints(theirs)).toEqual([]);
  });

  withModels("a field that an operator does not know, or a value that it does not take, is noticed", async () => {
    const wrong = (kind: string, spoil: (spec: Manifest) => void) => {
      const copy = structuredClone(production.find((each) => each.kind === kind));
      spoil(copy.spec);
      return complaints([copy]);
    };
    const field = await wrong("Kafka", (spec) => Object.assign(spec.kafka, { replicaz: 3 }));
    expect(field.join()).toContain("replicaz");
    const type = await wrong("Cluster", (spec) => Object.assign(spec, { instances: "three" }));
    expect(type.join()).toContain("instances");
    const deep = await wrong("ServiceMonitor", (spec) => Object.assign(spec.endpoints[0], { intervall: "15s" }));
    expect(deep.join()).toContain("intervall");
    const range = await wrong("Cluster", (spec) => Object.assign(spec, { instances: 0 }));
    expect(range.join()).toContain("instances");
  });

  test("a field that Kubernetes does not know is noticed", () => {
    const file = join(folder, "wrong.yaml");
    const wrong = structuredClone(find("Deployment", "score"));
    wrong.spec.replicaz = 3;
    writeFileSync(file, JSON.stringify(wrong));
    expect(() => execFileSync(program("kubernetes-validate")!, ["--strict", file], { stdio: "pipe" })).toThrow();
  });

  test("everything that has a namespace is in monitoring-platform", () => {
    for (const { kind, metadata } of production) {
      if (kind !== "Namespace") expect(metadata.namespace, `${kind} ${metadata.name}`).toBe("monitoring-platform");
    }
  });

  test.each(roles)("%s starts with the environment that its pod has", (role) => {
    const [container] = podOf(role).containers;
    const map = find("ConfigMap", container.envFrom[0].configMapRef.name).data;
    const own = Object.fromEntries(container.env.map((each: Manifest) => [each.name, each.value ?? secret(each.name)]));
    const config = loadConfig({ ...map, ...own });
    expect([...config.roles]).toEqual([role]);
    expect(config.security.auth).toBe(true);
    const ports = container.ports.map((each: Manifest) => each.containerPort);
    expect(ports).toEqual([role === "gateway" ? config.httpPort : config.grpcPort]);
  });

  test.each(roles)("%s is probed, bounded, spread, scaled and not root, and takes secrets by reference", (role) => {
    const pod = podOf(role);
    const [container] = pod.containers;
    for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"]) {
      expect(container[probe], probe).toMatchObject(
        role === "gateway" ? { httpGet: { path: "/health" } } : { grpc: { port: 50051 } },
      );
    }
    expect(container.resources).toMatchObject({
      requests: { cpu: expect.any(String), memory: expect.any(String) },
      limits: { memory: expect.any(String) },
    });
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
    expect(container.securityContext).toMatchObject({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
    });
    expect(pod.topologySpreadConstraints.length).toBe(2);
    for (const each of container.env) {
      if (/TOKEN|URL$/.test(each.name) && each.name !== "GRPC_URL") expect(each.valueFrom.secretKeyRef).toBeDefined();
    }
    const labels = find("Deployment", role).spec.template.metadata.labels;
    for (const kind of ["PodDisruptionBudget", "Service"]) {
      const { selector } = find(kind, role).spec;
      expect(labels).toMatchObject(selector.matchLabels ?? selector);
    }
    // One replica notifies, however many there are.
    if (role !== "notify") expect(find("HorizontalPodAutoscaler", role).spec.scaleTargetRef.name).toBe(role);
  });

  test("the most scorers are no more than there are partitions, and they scale by lag and by CPU", () => {
    const { spec } = find("HorizontalPodAutoscaler", "score");
    const { data } = production.find((each) => each.kind === "ConfigMap");
    expect(spec.maxReplicas).toBeLessThanOrEqual(Number(data.KAFKA_PARTITIONS));
    const names = spec.metrics.map((each: Manifest) => each.resource?.name ?? each.pods.metric.name);
    expect(names).toEqual(expect.arrayContaining(["cpu", "telltale_log_lag_records"]));
  });

  test("the Ingress passes on each service of the contract and no page that is for probes alone", () => {
    const paths = find("Ingress", "grpc").spec.rules[0].http.paths.map((each: Manifest) => each.path);
    const services = new Set(Object.keys(rules).map((name) => `/${name.split("/")[0]}/`));
    for (const service of services) if (service.startsWith("/telltale.")) expect(paths).toContain(service);
    expect(paths).not.toContain("/");
  });

  test("what a pod may reach is where its addresses point to", () => {
    const ports = production
      .filter((each) => each.kind === "NetworkPolicy")
      .flatMap((each) => each.spec.egress ?? [])
      .flatMap((each) => each.ports.map((port: Manifest) => port.port));
    expect(ports).toEqual(expect.arrayContaining([53, 9092, 5432, 6379, 50051]));
    expect(find("NetworkPolicy", "default-deny").spec.policyTypes).toEqual(["Ingress", "Egress"]);
    const kafka = find("Kafka", "telltale");
    const { data } = production.find((each) => each.kind === "ConfigMap");
    expect(data.KAFKA_BOOTSTRAP_SERVERS).toBe(
      `${kafka.metadata.name}-kafka-bootstrap:${kafka.spec.kafka.listeners[0].port}`,
    );
    expect(find("Cluster", "telltale-db").spec.instances).toBeGreaterThan(1);
    const redis = new URL(secret("REDIS_URL"));
    expect(find("Service", redis.hostname).spec.ports[0].port).toBe(Number(redis.port));
    // Nothing refers to what is not in here: a chart's repository, a controller of charts.
    expect(production.filter((each) => /fluxcd|helm/.test(each.apiVersion))).toEqual([]);
  });
});

describeWith(["kustomize", "redis-server"], "Redis as its pod starts it", () => {
  test("takes the settings, wants the password, and ends on SIGTERM", async () => {
    const pod = build("overlays/production").find(
      ({ kind, metadata }) => kind === "Deployment" && metadata.name === "redis",
    );
    const [container] = pod.spec.template.spec.containers;
    const port = await freePort();
    // The shell's folder is read-only in the pod, and so is the server's.
    const [line] = container.args as [string];
    const args = [...container.command.slice(1), line.replace('save ""', `port ${port}\nsave ""`)];
    const child = spawn(container.command[0], args, { cwd: "/", env: { ...process.env, REDIS_PASSWORD: "a secret" } });
    try {
      await untilLine(child, /Ready to accept connections/, 20_000);
      const stranger = new Redis({ port, lazyConnect: true, retryStrategy: () => null });
      stranger.on("error", () => {}); // the call below says it
      await expect(stranger.ping()).rejects.toThrow(/NOAUTH/);
      stranger.disconnect();
      const client = new Redis({ port, password: "a secret" });
      expect(await client.config("GET", "maxmemory")).toEqual(["maxmemory", String(256 * 1024 * 1024)]);
      expect(await client.config("GET", "save")).toEqual(["save", ""]);
      client.disconnect();
    } finally {
      await end(child);
    }
    expect(child.exitCode).toBe(0);
  });
});

function build(overlay: string): Manifest[] {
  const text = execFileSync(program("kustomize")!, ["build", join(root, "deploy/k8s", overlay)], { encoding: "utf8" });
  return parseAllDocuments(text).map((each) => each.toJS());
}

/** A value as the Secret would have. */
function secret(name: string): string {
  if (name === "DATABASE_URL") return "postgresql://telltale:secret@telltale-db-rw:5432/telltale";
  if (name === "REDIS_URL") return "redis://:secret@redis:6379";
  return "x".repeat(40);
}
