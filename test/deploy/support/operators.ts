/** Holds manifests of operators' kinds against what the operators themselves say of them. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./image.ts";

/** Where install-tools.sh puts the packages; made from the CustomResourceDefinitions of the operators' releases. */
const models = join(root, ".cache/tools/models");
const packages: Readonly<Record<string, string>> = {
  "kafka.strimzi.io": "@kubernetes-models/strimzi-kafka-operator",
  "postgresql.cnpg.io": "@kubernetes-models/cloudnative-pg",
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
};

export interface Foreign {
  readonly apiVersion: string;
  readonly kind: string;
}

export const haveModels = existsSync(join(models, ".complete"));

/** Whether the kind is one of an operator, and not of Kubernetes. */
export function isForeign({ apiVersion }: Foreign): boolean {
  return apiVersion.split("/")[0]! in packages;
}

/**
 * What is wrong with the manifests: fields that the operator does not know and wrong types by the compiler, ranges and patterns by
 * the operator's schema.
 */
export async function complaints(manifests: readonly Foreign[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const manifest of manifests) {
    const model = await import(pathToFileURL(join(models, "node_modules", `${moduleOf(manifest)}.js`)).href);
    try {
      new model[manifest.kind](manifest).validate();
    } catch (error) {
      wrong.push(`${manifest.kind}: ${(error as Error).message}`);
    }
  }
  return [...wrong, ...typed(manifests)];
}

function moduleOf({ apiVersion, kind }: Foreign): string {
  return `${packages[apiVersion.split("/")[0]!]}/${apiVersion}/${kind}`;
}

/** An object literal with a field that its type has not is an error of the compiler, however deep. */
function typed(manifests: readonly Foreign[]): string[] {
  const folder = mkdtempSync(join(models, "check-"));
  const lines = manifests.flatMap((manifest, n) => [
    `import type { I${manifest.kind} as T${n} } from "${moduleOf(manifest)}";`,
    `export const manifest${n}: T${n} = ${JSON.stringify(manifest)};`,
  ]);
  const file = join(folder, "manifests.ts");
  writeFileSync(file, lines.join("\n"));
  const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2024"];
  try {
    execFileSync(join(root, "node_modules/.bin/tsc"), [...options, "--types", "", "--ignoreConfig", file], {
      stdio: "pipe",
    });
    return [];
  } catch (error) {
    return String((error as { stdout: Buffer }).stdout)
      .trim()
      .split("\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
