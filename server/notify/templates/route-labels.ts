/** Labels of a route: texts that templates of its messages use, and each other. */
import type { Message } from "../message.ts";
import { Budget } from "./budget.ts";
import { MAX_LABELS_STEPS } from "./limits.ts";
import { fillingOf, type Text } from "./template.ts";

type Filled = Pick<Message, "routeLabels" | "routeLabelTroubles">;

/** Filled in for the message; one that cannot be is left out, and why is a part of the message. */
export function filledRouteLabels(labels: Readonly<Record<string, Text>>, message: Message, nowUs: number): Filled {
  const names = Object.keys(labels);
  if (names.length === 0) return {};
  // Alertmanager tells labels of routes no reason either.
  const { data } = fillingOf({ ...message, why: "unknown" }, nowUs);
  const budget = new Budget(MAX_LABELS_STEPS);
  const filled = new Map<string, string>();
  const underWay: string[] = [];
  const routeLabel = (name: string): string => {
    const text = Object.hasOwn(labels, name) ? labels[name]! : "";
    if (typeof text === "string") return text;
    if (underWay.includes(name))
      throw new Error(`labels of a route use each other: ${[...underWay, name].join(" → ")}.`);
    const known = filled.get(name);
    if (known !== undefined) return known;
    underWay.push(name);
    try {
      const made = text.fill({ data, nowUs, routeLabel, budget });
      filled.set(name, made);
      return made;
    } finally {
      underWay.pop();
    }
  };
  const troubles: string[] = [];
  const entries = names.flatMap((name) => {
    try {
      return [[name, routeLabel(name)] as const];
    } catch (error) {
      troubles.push((error as Error).message);
      return [];
    }
  });
  return {
    routeLabels: Object.fromEntries(entries),
    ...(troubles.length > 0 && { routeLabelTroubles: troubles }),
  };
}
