import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { loadConfig } from "../../server/config.ts";
import { rules } from "../../server/security/rules.ts";
import { describeWith, program } from "../support/needs.ts";
import { root } from "./support/image.ts";

// biome-ignore lint/suspicious/noExplicitAny: manifests of many kinds, whose shape the schemas check
type Manifest = any;

const overlays = ["base", "overlays/development", "overlays/production"];
const roles = ["ingest", "score", "query", "gateway"];
/** Kinds of operators: their schemas come with them and not with Kubernetes. */
const foreign = /^(monitoring\.coreos\.com|kafka\.strimzi\.io|postgresql\.cnpg\.io|helm\.toolkit\.fluxcd\.io)\//;

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
    const own = built.get(overlay)!.filter((each) => !foreign.test(each.apiVersion));
    const file = join(folder, `${overlay.replace("/", "-")}.yaml`);
    writeFileSync(file, own.map((each) => JSON.stringify(each)).join("\n---\n"));
    expect(own.length).toBeGreaterThan(15);
    execFileSync(program("kubernetes-validate")!, ["--strict", "--no-warn", file], { stdio: "pipe" });
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
    expect(find("HorizontalPodAutoscaler", role).spec.scaleTargetRef.name).toBe(role);
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
  });
});

function build(overlay: string): Manifest[] {
  const text = execFileSync(program("kustomize")!, ["build", join(root, "deploy/k8s", overlay)], { encoding: "utf8" });
  return parseAllDocuments(text).map((each) => each.toJS());
}

/** A value as the Secret would have. */
function secret(name: string): string {
  if (name === "DATABASE_URL") return "postgresql://telltale:secret@telltale-db-rw:5432/telltale";
  if (name === "REDIS_URL") return "redis://:secret@redis-master:6379";
  return "x".repeat(40);
}
