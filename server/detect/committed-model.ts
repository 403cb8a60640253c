import committed from "../../ml/model/forecaster.json" with { type: "json" };
import { PARTS, type Part } from "./kernel/features.ts";
import { MAX_UNITS } from "./kernel/fields.ts";
import { TRUNK_INPUTS, type TrunkModel, type TypePrior } from "./kernel/trunk-model.ts";

/** Bounds of a prior's reach: a sensor that is not as its type says is judged at most twice too mildly or too strictly. */
export const LEAST_REACH = 0.5;
export const LARGEST_REACH = 2;

/** Format of the model file that this code reads. */
const MODEL_FORMAT = 1;

/** Checks a model file's content. Throws an Error whose message says what is wrong with it. */
export function parseModel(content: unknown): TrunkModel {
  if (typeof content !== "object" || content === null) throw new Error("it is no JSON object");
  const { format, name, units, kernel, bias, head, priors, parts } = content as Record<string, unknown>;
  if (format !== MODEL_FORMAT) throw new Error(`its format is ${JSON.stringify(format)}, wanted ${MODEL_FORMAT}`);
  if (typeof name !== "string" || !/^[a-z0-9.-]{1,40}$/.test(name)) {
    throw new Error(`its name is ${JSON.stringify(name)}, wanted 1 to 40 of a-z, 0-9, dot and dash`);
  }
  if (typeof units !== "number" || !Number.isInteger(units) || units < 1 || units > MAX_UNITS) {
    throw new Error(`it has ${JSON.stringify(units)} units, wanted 1 to ${MAX_UNITS}`);
  }
  return {
    name,
    units,
    kernel: weights("kernel", kernel, (TRUNK_INPUTS + units) * 4 * units),
    bias: weights("bias", bias, 4 * units),
    head: weights("head", head, units + 1),
    ...(priors === undefined ? {} : { priors: parsePriors(priors) }),
    ...(parts === undefined ? {} : { parts: parseParts(parts) }),
  };
}

function parsePriors(content: unknown): Record<string, TypePrior> {
  if (typeof content !== "object" || content === null) throw new Error("its priors are no JSON object");
  const priors: Record<string, TypePrior> = {};
  for (const [sensorType, prior] of Object.entries(content)) {
    const reach: unknown = prior?.reach;
    if (typeof reach !== "number" || !(reach >= LEAST_REACH && reach <= LARGEST_REACH)) {
      throw new Error(
        `its prior of the type "${sensorType}" has the reach ${JSON.stringify(reach)}, wanted ${LEAST_REACH} to ${LARGEST_REACH}`,
      );
    }
    priors[sensorType] = { reach };
  }
  return priors;
}

function parseParts(content: unknown): Part[] {
  const known = Array.isArray(content) && content.length > 0 && content.every((part) => PARTS.includes(part));
  if (!known) throw new Error(`its parts are ${JSON.stringify(content)}, wanted some of ${PARTS.join(", ")}`);
  return content as Part[];
}

function weights(name: string, content: unknown, length: number): number[] {
  if (!Array.isArray(content) || content.length !== length) {
    throw new Error(`its ${name} has ${Array.isArray(content) ? content.length : "no"} weights, wanted ${length}`);
  }
  if (!content.every((weight) => typeof weight === "number" && Number.isFinite(weight))) {
    throw new Error(`its ${name} holds something that is no finite number`);
  }
  return content as number[];
}

/** The committed model. */
export const defaultModel: TrunkModel = parseModel(committed);
