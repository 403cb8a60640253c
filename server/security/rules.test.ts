import { readdirSync } from "node:fs";
import type { DescService } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { graphqlFacade } from "../../gateway/graphql/names.ts";
import { routes } from "../../gateway/rest/routes.ts";
import { Health } from "../../gen/es/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/es/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as OldReflection } from "../../gen/es/grpc/reflection/v1alpha/reflection_pb.ts";
import { MetricsService } from "../../gen/es/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { audited } from "./audit.ts";
import { anonymous, type Principal } from "./principal.ts";
import { checkRule, type Rule, ruleOf, rules } from "./rules.ts";

/** Every service in the contracts, found in the generated files: a new one cannot be forgotten here. */
const contracts = new URL("../../gen/es/telltale/v1/", import.meta.url);
const services: DescService[] = [Health, ServerReflection, OldReflection, MetricsService];
for (const file of readdirSync(contracts)) {
  const module: Record<string, unknown> = await import(new URL(file, contracts).href);
  services.push(...Object.values(module).filter(isService));
}
const calls = services.flatMap((service) => service.methods.map((method) => ({ service, method })));
const names = calls.map(({ service, method }) => `${service.typeName}/${method.name}`);

describe("the rule table", () => {
  it("has a rule for every call of every contract, and for nothing else", () => {
    expect(names.length).toBeGreaterThan(30);
    expect(Object.keys(rules).sort()).toEqual([...names].sort());
  });

  it("refuses a call that it does not name, also one named like a part of every object", () => {
    for (const name of ["Nothing", "constructor", "__proto__"]) {
      expect(() => ruleOf(`${services[0]!.typeName}/${name}`)).toThrow(/has no rule/);
      expect(() => ruleOf(name)).toThrow(/has no rule/);
    }
    expect(() => ruleOf("__proto__/x")).toThrow(/has no rule/);
  });

  it("covers every REST route and every GraphQL field: each stands on calls of the table", () => {
    const used = [...routes.map(({ row }) => row), ...graphqlFacade.rows].map(
      ({ rpc }) => `telltale.v1.${rpc.replace(".", "/")}`,
    );
    expect(used.length).toBeGreaterThan(15);
    for (const name of used) expect(Object.keys(rules)).toContain(name);
  });

  it("opens only health to everybody", () => {
    const open = Object.entries(rules).filter(([, rule]) => rule === "public");
    expect(open.map(([name]) => name.split("/")[0])).toEqual(
      expect.arrayContaining(["grpc.health.v1.Health", "telltale.v1.QueryService"]),
    );
    expect(open).toHaveLength(4);
  });

  it("puts every change that a person makes on record", () => {
    const changing = Object.entries(rules)
      .filter(
        ([, rule]) =>
          rule === "link" ||
          rule === "known" ||
          ([Scope.OPERATE, Scope.ADMIN] as Scope[]).includes(typeof rule === "object" ? rule.scope : (rule as Scope)),
      )
      .map(([name]) => name)
      .filter((name) => !/\/(List|Get|Preview|SendHeartbeat|ServerReflection)/.test(name));
    expect(Object.keys(audited).sort()).toEqual(changing.sort());
  });
});

describe("a principal", () => {
  const principal = (scopes: Scope[], sensorPrefix = ""): Principal => ({
    name: "p",
    scopes: new Set(scopes),
    sensorPrefix,
  });
  const allowed = (rule: Rule, who: Principal) => {
    try {
      checkRule(rule, who);
      return true;
    } catch {
      return false; // which error it is, the tests of the listeners show
    }
  };

  it("may do what one of its scopes allows, and nothing else", () => {
    const scopes = [Scope.INGEST, Scope.READ, Scope.OPERATE, Scope.ADMIN] as const;
    for (const has of scopes) {
      for (const needed of scopes) {
        expect(allowed(needed, principal([has]))).toBe(has === needed || has === Scope.ADMIN);
      }
    }
    expect(allowed(Scope.READ, principal([]))).toBe(false);
  });

  it("that is limited to a prefix may not ask for what concerns all sensors, whatever its scopes", () => {
    const limited = principal([Scope.ADMIN], "line-1/");
    expect(allowed({ scope: Scope.READ, whole: true }, limited)).toBe(false);
    expect(allowed(Scope.READ, limited)).toBe(true);
  });

  it("without a name may do everything while no authentication is set up", () => {
    expect(Object.values(rules).every((rule) => allowed(rule, anonymous))).toBe(true);
  });
});

function isService(value: unknown): value is DescService {
  return typeof value === "object" && value !== null && (value as { kind?: string }).kind === "service";
}
