/** Alerts of which nobody is notified because of another that is open. */
import type { InhibitRule } from "./config/config.ts";
import { type Labels, labelOf, labelsTest } from "./matching.ts";

export interface InhibitingAlert {
  readonly id: string;
  readonly labels: Labels;
}

/** Why an alert is inhibited. */
export interface Inhibited {
  readonly rule: InhibitRule;
  /** The alert that inhibits it: of several the one that is open longest here. */
  readonly source: InhibitingAlert;
}

/** Open alerts of a rule's source side with the same values of its `equal` labels, by id. */
interface Sources {
  /** Those that do not match the target side. */
  readonly oneSided: Map<string, InhibitingAlert>;
  /** Those that match both sides: they do not inhibit one another, and so none of them itself. */
  readonly twoSided: Map<string, InhibitingAlert>;
}

interface IndexedRule {
  readonly rule: InhibitRule;
  readonly isSource: (labels: Labels) => boolean;
  readonly isTarget: (labels: Labels) => boolean;
  readonly byEqual: Map<string, Sources>;
}

/** The open alerts, as rules of inhibition see them. Each step takes time in proportion to the rules, however many alerts are open. */
export class Inhibitor {
  readonly #rules: readonly IndexedRule[];
  readonly #labels = new Map<string, Labels>();

  constructor(rules: readonly InhibitRule[]) {
    this.#rules = rules.map((rule) => ({
      rule,
      isSource: labelsTest(rule.sourceMatchers),
      isTarget: labelsTest(rule.targetMatchers),
      byEqual: new Map(),
    }));
  }

  /** The alert is open, with these labels from now on. */
  open(alert: InhibitingAlert): void {
    this.close(alert.id);
    this.#labels.set(alert.id, alert.labels);
    for (const { rule, isSource, isTarget, byEqual } of this.#rules) {
      if (!isSource(alert.labels)) continue;
      const key = keyOf(rule, alert.labels);
      let sources = byEqual.get(key);
      if (sources === undefined) {
        sources = { oneSided: new Map(), twoSided: new Map() };
        byEqual.set(key, sources);
      }
      (isTarget(alert.labels) ? sources.twoSided : sources.oneSided).set(alert.id, alert);
    }
  }

  /** The alert is over. */
  close(id: string): void {
    const labels = this.#labels.get(id);
    if (labels === undefined) return;
    this.#labels.delete(id);
    for (const { rule, byEqual } of this.#rules) {
      const key = keyOf(rule, labels);
      const sources = byEqual.get(key);
      if (sources === undefined) continue;
      sources.oneSided.delete(id);
      sources.twoSided.delete(id);
      if (sources.oneSided.size + sources.twoSided.size === 0) byEqual.delete(key);
    }
  }

  /** Why nobody is notified of an alert with these labels, open itself or not; undefined: it is not inhibited. */
  inhibitedBy(labels: Labels): Inhibited | undefined {
    for (const { rule, isSource, isTarget, byEqual } of this.#rules) {
      if (!isTarget(labels)) continue;
      const sources = byEqual.get(keyOf(rule, labels));
      if (sources === undefined) continue;
      const source = firstOf(sources.oneSided) ?? (isSource(labels) ? undefined : firstOf(sources.twoSided));
      if (source !== undefined) return { rule, source };
    }
    return undefined;
  }
}

/** A label that neither of two alerts has is equal. */
function keyOf({ equal }: InhibitRule, labels: Labels): string {
  return JSON.stringify(equal.map((name) => labelOf(labels, name)));
}

function firstOf<T>(map: ReadonlyMap<string, T>): T | undefined {
  return map.values().next().value;
}
